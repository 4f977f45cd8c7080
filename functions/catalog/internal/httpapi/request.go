package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"tradewind/functions/catalog"
	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
)

// request is the body of a new product and of a change: the fields are the same,
// and which must be there is the domain's to say.
type request struct {
	SKU         field[string]         `json:"sku"`
	Name        field[string]         `json:"name"`
	Description field[string]         `json:"description"`
	Category    field[string]         `json:"category"`
	Price       field[price]          `json:"price"`
	Status      field[catalog.Status] `json:"status"`
}

type price struct {
	Amount   field[int64]  `json:"amount"`
	Currency field[string] `json:"currency"`
}

// field is a member of a JSON object that tells absent, which leaves a value as
// it is, from null. In a merge patch null removes a member (RFC 7396), and no
// member of a product can be removed.
type field[T any] struct {
	value *T
	null  bool
}

func (f *field[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		f.value, f.null = nil, true
		return nil
	}
	f.null = false
	// The strictness of the decoder that calls this does not reach in here.
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(&f.value)
}

func (f field[T]) check(c *apperr.Check, at string) {
	c.That(!f.null, at, "must not be null")
}

// decode returns what a body asks for.
func decode(r *http.Request) (catalog.Change, error) {
	in, err := httpkit.Decode[request](r)
	if err != nil {
		return catalog.Change{}, err
	}
	var p price
	if in.Price.value != nil {
		p = *in.Price.value
	}
	var c apperr.Check
	in.SKU.check(&c, "/sku")
	in.Name.check(&c, "/name")
	in.Description.check(&c, "/description")
	in.Category.check(&c, "/category")
	in.Price.check(&c, "/price")
	p.Amount.check(&c, "/price/amount")
	p.Currency.check(&c, "/price/currency")
	in.Status.check(&c, "/status")
	return catalog.Change{
		SKU:         in.SKU.value,
		Name:        in.Name.value,
		Description: in.Description.value,
		Category:    in.Category.value,
		Amount:      p.Amount.value,
		Currency:    p.Currency.value,
		Status:      in.Status.value,
	}, c.Err()
}
