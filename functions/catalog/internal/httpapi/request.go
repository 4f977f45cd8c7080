package httpapi

import (
	"net/http"

	"tradewind/functions/catalog"
	"tradewind/shared/httpkit"
)

// request is the body of a new product and of a change: the fields are the same,
// and which of them must be there is the domain's to say.
type request struct {
	SKU         *string         `json:"sku"`
	Name        *string         `json:"name"`
	Description *string         `json:"description"`
	Category    *string         `json:"category"`
	Price       price           `json:"price"`
	Status      *catalog.Status `json:"status"`
}

type price struct {
	Amount   *int64  `json:"amount"`
	Currency *string `json:"currency"`
}

func decode(r *http.Request) (catalog.Change, error) {
	in, err := httpkit.Decode[request](r)
	return catalog.Change{
		SKU:         in.SKU,
		Name:        in.Name,
		Description: in.Description,
		Category:    in.Category,
		Amount:      in.Price.Amount,
		Currency:    in.Price.Currency,
		Status:      in.Status,
	}, err
}
