package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tradewind/events"
	event "tradewind/events/catalog"
	"tradewind/functions/catalog"
	"tradewind/functions/catalog/internal/dynamo"
	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/id"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, int(7*time.Millisecond), time.UTC)

func newProduct(sku, name, category string) catalog.Product {
	return catalog.Product{
		ID: id.New("prd"), SKU: sku, Name: name, Description: "Ünïcode.", Category: category,
		Price: events.Money{Amount: 1999, Currency: "EUR"}, Status: catalog.Active,
		Version: 1, CreatedAt: noon, UpdatedAt: noon.Add(time.Second),
	}
}

// next returns the product's next version with an alteration.
func next(p catalog.Product, alter func(*catalog.Product)) catalog.Product {
	p.Version++
	alter(&p)
	return p
}

// both runs a suite over the store on either database.
func both(t *testing.T, suite func(*testing.T, *dynamo.Store, *table.Table)) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		suite(t, dynamo.New(tbl, outbox.New(event.Source, time.Now)), tbl)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// all pages through a list and returns the names of its products.
func all(store *dynamo.Store, f catalog.Filter, limit int) ([]string, error) {
	var names []string
	after := ""
	for {
		page, next, err := store.List(context.Background(), f, limit, after)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			names = append(names, p.Name)
		}
		if next == "" {
			return names, nil
		}
		if next == after {
			return nil, errors.New("a page leads to itself")
		}
		after = next
	}
}

// listed waits until a list is as it should be: an index lags behind.
func listed(t *testing.T, store *dynamo.Store, f catalog.Filter, want ...string) {
	t.Helper()
	var got []string
	for range 50 {
		var err error
		got, err = all(store, f, 2)
		must(t, err)
		if slices.Equal(got, want) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	same(t, fmt.Sprintf("list %+v", f), got, want)
}

func TestSave(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, tbl *table.Table) {
		ctx := t.Context()
		mug := newProduct("MUG", "Blue Mug", "kitchen")
		if _, err := store.Get(ctx, mug.ID); apperrtest.Code(err) != "product_not_found" {
			t.Errorf("a product that is not there: %v", err)
		}
		if err := store.Save(ctx, next(mug, func(*catalog.Product) {})); apperrtest.Code(err) != "product_not_found" {
			t.Errorf("saving what is not there: %v", err)
		}
		must(t, store.Create(ctx, mug, event.ProductCreatedV1{ProductID: mug.ID}))
		if err := store.Create(ctx, mug); err == nil {
			t.Error("a product was created twice")
		}
		read := func() catalog.Product {
			t.Helper()
			p, err := store.Get(ctx, mug.ID)
			must(t, err)
			return p
		}
		same(t, "created", read(), mug)

		second := next(mug, func(p *catalog.Product) { p.Name, p.Category, p.Price.Amount = "Green Mug of Tea", "tea", 5 })
		must(t, store.Save(ctx, second, event.ProductUpdatedV1{ProductID: mug.ID}))
		same(t, "changed", read(), second)
		if err := store.Save(ctx, second); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("the same version twice: %v", err)
		}
		if err := store.Save(ctx, next(next(second, func(*catalog.Product) {}), func(*catalog.Product) {})); !errors.Is(err, apperr.ErrStale) {
			t.Errorf("a version left out: %v", err)
		}
		third := next(second, func(p *catalog.Product) { p.Status = catalog.Discontinued })
		must(t, store.Save(ctx, third, event.ProductDiscontinuedV1{ProductID: mug.ID}))
		same(t, "discontinued", read(), third)
		must(t, store.Save(ctx, next(third, func(p *catalog.Product) { p.Status = catalog.Active })))

		records, _, err := table.List[outbox.Record](ctx, tbl, table.Query{PK: "PRODUCT#" + mug.ID, SKPrefix: "OUTBOX#", Limit: 10})
		must(t, err)
		var types []string
		for _, r := range records {
			types = append(types, r.DetailType)
		}
		same(t, "events", types, []string{event.TypeProductCreated, event.TypeProductUpdated, event.TypeProductDiscontinued})
	})
}

func TestSKUIsUnique(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		ctx := t.Context()
		mug, cup := newProduct("MUG", "Mug", "kitchen"), newProduct("CUP", "Cup", "kitchen")
		must(t, store.Create(ctx, mug))
		must(t, store.Create(ctx, cup))
		taken := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, catalog.ErrSKUTaken) {
				t.Errorf("%s: %v", what, err)
			}
		}
		taken("a new product", store.Create(ctx, newProduct("MUG", "Mug", "kitchen")))
		taken("another product", store.Save(ctx, next(cup, func(p *catalog.Product) { p.SKU = "MUG" })))
		must(t, store.Save(ctx, next(mug, func(p *catalog.Product) { p.Status = catalog.Discontinued })))
		taken("that of a discontinued product", store.Create(ctx, newProduct("MUG", "Mug", "kitchen")))

		cup = next(cup, func(p *catalog.Product) { p.SKU = "cup" })
		must(t, store.Save(ctx, cup))
		must(t, store.Create(ctx, newProduct("CUP", "Another Cup", "kitchen"))) // given up, so free
		taken("the new SKU", store.Create(ctx, newProduct("cup", "A third Cup", "kitchen")))
	})
}

func TestList(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		ctx := t.Context()
		listed(t, store, catalog.Filter{})
		mug, cup := newProduct("A-1", "Blue Mug", "kitchen"), newProduct("A-2", "Blue  Cup", "kitchen")
		// Its terms "mug mug", "mug" and "mug-3" all begin alike.
		bag := newProduct("MUG-3", "Mug Mug", "Bags #1")
		ring := newProduct("Ü-4", "ÜBER Ring of Blue", "kitchen")
		for _, p := range []catalog.Product{mug, cup, bag, ring} {
			must(t, store.Create(ctx, p))
		}
		kitchen := catalog.Filter{Category: "kitchen"}
		text := func(q string) catalog.Filter { return catalog.Filter{Text: q} }

		listed(t, store, catalog.Filter{}, "ÜBER Ring of Blue", "Mug Mug", "Blue  Cup", "Blue Mug")
		listed(t, store, kitchen, "ÜBER Ring of Blue", "Blue  Cup", "Blue Mug")
		listed(t, store, catalog.Filter{Category: "Bags #1"}, "Mug Mug")
		listed(t, store, catalog.Filter{Category: "Kitchen"})
		listed(t, store, catalog.Filter{Category: "kit"})

		listed(t, store, text("blue"), "Blue  Cup", "Blue Mug", "ÜBER Ring of Blue")
		listed(t, store, text(" BLUE   m "), "Blue Mug")
		listed(t, store, text("mug"), "Blue Mug", "Mug Mug")
		listed(t, store, text("mug-"), "Mug Mug")
		listed(t, store, text("a-"), "Blue Mug", "Blue  Cup")
		listed(t, store, text("über r"), "ÜBER Ring of Blue")
		listed(t, store, text("ue"))
		listed(t, store, text("mug#prd"))
		listed(t, store, text(" "), "ÜBER Ring of Blue", "Mug Mug", "Blue  Cup", "Blue Mug")
		listed(t, store, catalog.Filter{Category: "kitchen", Text: "mug"}, "Blue Mug")
		listed(t, store, catalog.Filter{Category: "Bags #1", Text: "b"})

		// One term twice over.
		must(t, store.Create(ctx, newProduct("pot", "Tea Pot", "garden")))
		listed(t, store, text("pot"), "Tea Pot")
		listed(t, store, catalog.Filter{Category: "garden"}, "Tea Pot")

		mug = next(mug, func(p *catalog.Product) { p.Name, p.Category = "Cup", "gifts" })
		must(t, store.Save(ctx, mug))
		listed(t, store, kitchen, "ÜBER Ring of Blue", "Blue  Cup")
		listed(t, store, catalog.Filter{Category: "gifts"}, "Cup")
		listed(t, store, text("blue"), "Blue  Cup", "ÜBER Ring of Blue")
		listed(t, store, text("cup"), "Cup", "Blue  Cup")

		must(t, store.Save(ctx, next(cup, func(p *catalog.Product) { p.Status = catalog.Discontinued })))
		listed(t, store, catalog.Filter{}, "Tea Pot", "ÜBER Ring of Blue", "Mug Mug", "Cup")
		listed(t, store, kitchen, "ÜBER Ring of Blue")
		listed(t, store, text("cup"), "Cup")
	})
}

// A filter on both may let through one in many: no page of it costs more than a
// bounded number of queries, and none of its products is missed.
func TestListOfRareProducts(t *testing.T) {
	store := dynamo.New(tabletest.New(), outbox.New(event.Source, time.Now))
	for i := range 60 {
		category := "common"
		if i%25 == 24 {
			category = "rare"
		}
		must(t, store.Create(t.Context(), newProduct(fmt.Sprint("SKU-", i), fmt.Sprintf("Mug %02d", i), category)))
	}
	f := catalog.Filter{Category: "rare", Text: "mug"}
	page, after, err := store.List(t.Context(), f, 1, "")
	must(t, err)
	if len(page) != 0 || after == "" {
		t.Errorf("first page %v, then %q", page, after)
	}
	got, err := all(store, f, 1)
	must(t, err)
	same(t, "all pages", got, []string{"Mug 24", "Mug 49"})
}

// The longest texts must fit the keys and a transaction.
func TestLongestProduct(t *testing.T) {
	both(t, func(t *testing.T, store *dynamo.Store, _ *table.Table) {
		long := func(text string) string { return strings.Repeat(text, 200/len([]rune(text))) }
		p := newProduct(long("𝕊"), long("𝕊 "), long("𝕊"))
		p.Description = strings.Repeat("𝕊", 2000)
		must(t, store.Create(t.Context(), p))
		listed(t, store, catalog.Filter{Category: p.Category, Text: p.Name[:5]}, p.Name)
		p = next(p, func(p *catalog.Product) { p.Name, p.SKU = long("Ⱥ"), long("Ⱥ") })
		must(t, store.Save(t.Context(), p))
		listed(t, store, catalog.Filter{Text: p.SKU}, p.Name)
	})
}

// Whatever products become, every list shows exactly the active ones that its
// filter describes, each once.
func TestListsFollow(t *testing.T) {
	words := rapid.SampledFrom([]string{"red", "reed", "re", "Tea", "té", "x"})
	category := rapid.SampledFrom([]string{"a", "b", "a#"})
	rapid.Check(t, func(t *rapid.T) {
		store := dynamo.New(tabletest.New(), outbox.New(event.Source, time.Now))
		describe := func(p *catalog.Product) {
			p.Name = strings.Join(rapid.SliceOfN(words, 1, 4).Draw(t, "name"), " ")
			p.SKU = words.Draw(t, "sku") + "-" + p.ID
			p.Category = category.Draw(t, "category")
			p.Status = rapid.SampledFrom([]catalog.Status{catalog.Active, catalog.Discontinued}).Draw(t, "status")
		}
		products := make([]catalog.Product, rapid.IntRange(1, 5).Draw(t, "products"))
		for i := range products {
			p := newProduct("", "", "")
			describe(&p)
			if err := store.Create(context.Background(), p); err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				p = next(p, describe)
				if err := store.Save(context.Background(), p); err != nil {
					t.Fatal(err)
				}
			}
			products[i] = p
		}
		for _, q := range []string{"", "r", "re", "red", "red ", "RED re", "t", "tea", "té", "x x"} {
			f := catalog.Filter{Category: rapid.OneOf(category, rapid.Just("")).Draw(t, "category"), Text: q}
			var want []string
			for _, p := range products {
				if shows(f, p) {
					want = append(want, p.Name)
				}
			}
			got, err := all(store, f, rapid.IntRange(1, 3).Draw(t, "limit"))
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("list %+v (-want +got):\n%s", f, diff)
			}
		}
	})
}

// shows says in the plainest way whether a list shows a product.
func shows(f catalog.Filter, p catalog.Product) bool {
	if p.Status != catalog.Active || f.Category != "" && f.Category != p.Category {
		return false
	}
	text := strings.ToLower(strings.TrimSpace(f.Text))
	return strings.HasPrefix(strings.ToLower(p.SKU), text) || strings.Contains(" "+strings.ToLower(p.Name), " "+text)
}
