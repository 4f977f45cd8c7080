package seed

import (
	"tradewind/events"
	"tradewind/localstack/internal/shop"
)

// onHand is how many units of each product there are at first.
const onHand = 100

// catalog is what the shop sells at first.
var catalog = []shop.NewProduct{
	product("MUG-EN-01", "Enamel mug", "kitchen", 1250, "Half a litre, white with a blue rim; chips add character."),
	product("MUG-ST-02", "Stoneware mug", "kitchen", 1890, "Thrown by hand, glazed in grey, no two alike."),
	product("KET-IR-01", "Iron kettle", "kitchen", 7900, "Keeps water hot for an hour, and its looks for a century."),
	product("PAN-CS-24", "Steel pan, 24 cm", "kitchen", 5450, "Carbon steel that gets better with every egg."),
	product("KNI-CH-18", "Chef's knife, 18 cm", "kitchen", 9900, "Forged in one piece, balanced at the bolster."),
	product("BOA-OA-01", "Oak cutting board", "kitchen", 3990, "End grain, which is kinder to knives than to budgets."),
	product("TEA-GR-50", "Green tea, 50 g", "pantry", 890, "First flush, from one garden."),
	product("TEA-BL-50", "Black tea, 50 g", "pantry", 790, "Malty and strong; takes milk."),
	product("COF-ES-25", "Espresso beans, 250 g", "pantry", 1150, "Roasted on Mondays, shipped on Tuesdays."),
	product("HON-LI-50", "Linden honey, 500 g", "pantry", 990, "From the bees on our warehouse roof."),
	product("LAM-DE-01", "Desk lamp", "office", 8900, "Warm light, heavy foot, a switch that clicks."),
	product("NOT-A5-01", "Notebook A5", "office", 1490, "Dotted, 160 pages, opens flat."),
	product("PEN-FO-01", "Fountain pen", "office", 4500, "Steel nib, medium; starts after a month in a drawer."),
	product("ORG-WA-01", "Walnut desk organiser", "office", 5900, "Five compartments and a groove for the pen."),
	product("BAG-CA-01", "Canvas tote", "travel", 1990, "Carries twenty kilograms and says nothing."),
	product("BAG-WE-01", "Weekender", "travel", 12900, "Waxed cotton, brass buckles, fits under a seat."),
	product("BOT-ST-75", "Steel bottle, 0.75 l", "travel", 2690, "Cold for a day, hot for half of one."),
	product("BLA-WO-01", "Wool blanket", "home", 8490, "Lambswool, woven where the sheep live."),
	product("CAN-BW-01", "Beeswax candle", "home", 1590, "Burns for forty hours and smells of summer."),
	product("CLO-WA-01", "Wall clock", "home", 6450, "Silent movement, numbers one can read."),
}

func product(sku, name, category string, cents int64, description string) shop.NewProduct {
	return shop.NewProduct{
		SKU: sku, Name: name, Category: category, Description: description,
		Price: events.Money{Amount: cents, Currency: "EUR"},
	}
}
