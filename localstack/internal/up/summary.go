package up

import (
	"fmt"
	"io"

	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
)

// shownToken is how much of a token is shown: enough to tell two apart. The whole
// one is in the outputs file, which only its owner may read.
const shownToken = 16

// printSummary writes addresses, identities and sample commands. file is the outputs file
// as a person in the project's root would write it.
func printSummary(w io.Writer, o shop.Outputs, made fixtures.Seeded, file string) {
	fmt.Fprintf(w, "\n  %-10s %s\n", "API", o.APIURL)
	fmt.Fprintf(w, "  %-10s %s\n", "balancer", o.ALBURL)
	fmt.Fprintf(w, "  %-10s %s (AWS_ENDPOINT_URL, region %s)\n", "endpoint", o.Endpoint, o.Region)
	for _, who := range []struct {
		role    string
		account fixtures.Account
	}{{"admin", made.Admin}, {"customer", made.Customer}} {
		fmt.Fprintf(w, "  %-10s %s  password %s  token %s\n", who.role, who.account.Email, who.account.Password, clipToken(who.account.Token))
	}
	fmt.Fprintf(w, "  %-10s %d, in stock\n", "products", len(o.Products))
	fmt.Fprintf(w, "  %-10s %s (tokens whole, good for an hour; queues, tables)\n", "outputs", file)

	fmt.Fprintf(w, `
try:
  o() { python3 -c "import json; print(json.load(open('%s'))$1)"; }
  curl "$(o "['apiUrl']")/health"      # every service by its last probe; the first is made after a minute
  curl "$(o "['apiUrl']")/api/products?limit=3"
  curl "$(o "['apiUrl']")/api/orders" -H "Authorization: Bearer $(o "['customer']['token']")" \
    -H 'Content-Type: application/json' -H "Idempotency-Key: try-1" \
    -d '{"items": [{"productId": "'$(o "['products'][2]")'", "quantity": 1}], "paymentMethod": "pm_card_ok",
         "shippingAddress": {"line1": "1 Harbour Road", "city": "Lisbon", "postalCode": "1100-001", "country": "PT"}}'
  curl "$(o "['apiUrl']")/api/orders" -H "Authorization: Bearer $(o "['customer']['token']")"
`, file)
}

func clipToken(token string) string {
	if len(token) <= shownToken {
		return token
	}
	return token[:shownToken] + "…"
}
