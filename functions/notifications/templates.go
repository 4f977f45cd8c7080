package notifications

import (
	"fmt"
	"strconv"
	"strings"

	"tradewind/events"
	"tradewind/events/inventory"
	"tradewind/events/orders"
	"tradewind/events/payments"
)

// The templates. No text holds a name, an address, or words that a customer
// wrote: see the package comment.
const (
	welcome         = "welcome"
	orderReceived   = "order_received"
	orderConfirmed  = "order_confirmed"
	orderCancelled  = "order_cancelled"
	paymentRefunded = "payment_refunded"
	stockDepleted   = "stock_depleted"
)

func newWelcome(userID string) Notification {
	return Notification{
		ID:       idOf(welcome, userID),
		UserID:   userID,
		Template: welcome,
		Subject:  "Welcome to Tradewind",
		Body:     "Your account is ready. You can sign in with your e-mail address.",
	}
}

func newReceived(e orders.CreatedV1) Notification {
	var body strings.Builder
	fmt.Fprintf(&body, "We have received your order %s:\n\n", e.OrderID)
	for _, item := range e.Items {
		fmt.Fprintf(&body, "  %d x %s at %s\n", item.Quantity, item.Name, amount(item.UnitPrice))
	}
	fmt.Fprintf(&body, "\nTotal: %s. We will write again when it is confirmed.", amount(e.Total))
	return ofOrder(orderReceived, e.OrderID, e.UserID, "We have received your order", body.String())
}

func newConfirmed(e orders.ConfirmedV1) Notification {
	return ofOrder(orderConfirmed, e.OrderID, e.UserID, "Your order is confirmed",
		fmt.Sprintf("Your order %s is confirmed, and your payment of %s was taken.", e.OrderID, amount(e.Total)))
}

func newCancelled(e orders.CancelledV1) Notification {
	why := map[string]string{
		"out_of_stock":     "because not everything in it is in stock",
		"payment_declined": "because the payment was declined",
		"customer_request": "as you asked",
		"timed_out":        "because it could not be completed in time",
	}[e.Reason]
	if why == "" {
		why = "because it cannot be fulfilled"
	}
	return ofOrder(orderCancelled, e.OrderID, e.UserID, "Your order is cancelled",
		fmt.Sprintf("Your order %s was cancelled, %s. If anything was charged, it goes back to you whole.", e.OrderID, why))
}

func newRefunded(e payments.RefundedV1) Notification {
	return ofOrder(paymentRefunded, e.OrderID, e.UserID, "Your money is on its way back",
		fmt.Sprintf("We have returned %s for your order %s.", amount(e.Amount), e.OrderID))
}

// newDepleted is told once per event: a product can run out many times.
func newDepleted(e inventory.StockDepletedV1, eventID string) Notification {
	return Notification{
		ID:       idOf(stockDepleted, eventID),
		UserID:   AdminUser,
		Template: stockDepleted,
		Subject:  "Out of stock",
		Body:     fmt.Sprintf("The last available unit of product %s is gone.", e.ProductID),
	}
}

func ofOrder(template, orderID, userID, subject, body string) Notification {
	return Notification{
		ID:       idOf(template, orderID),
		UserID:   userID,
		OrderID:  orderID,
		Template: template,
		Subject:  subject,
		Body:     body,
	}
}

// minorDigits holds the currencies whose minor unit is not a hundredth
// (ISO 4217).
var minorDigits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// amount writes money for people: 1999 EUR is "19.99 EUR".
func amount(m events.Money) string {
	digits, special := minorDigits[m.Currency]
	if !special {
		digits = 2
	}
	sign, text := "", strconv.FormatInt(m.Amount, 10)
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	if digits > 0 {
		text = strings.Repeat("0", max(0, digits+1-len(text))) + text
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	return sign + text + " " + m.Currency
}
