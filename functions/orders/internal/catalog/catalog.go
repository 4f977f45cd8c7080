// Package catalog asks the catalog service what products cost.
package catalog

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/shared/apperr"
	"tradewind/shared/client"
)

// parallel bounds the calls for one order.
const parallel = 8

// Client is an orders.Catalog.
type Client struct{ calls client.Doer }

var _ orders.Catalog = (*Client)(nil)

// New returns a client that calls catalog-service through c.
func New(c client.Doer) *Client { return &Client{c} }

// Products implements orders.Catalog. Any product that the catalog cannot be
// asked about makes the whole an Unavailable error: an order is priced whole or
// not at all.
func (c *Client) Products(ctx context.Context, ids []string) (map[string]orders.Product, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu       sync.Mutex
		failed   error
		products = make(map[string]orders.Product, len(ids))
		slots    = make(chan struct{}, parallel)
		wg       sync.WaitGroup
	)
	for _, id := range ids {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			p, ok, err := c.product(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && failed == nil:
				failed = err
				cancel()
			case ok:
				products[id] = p
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	return products, nil
}

// product reports whether there is such a product that can be ordered.
func (c *Client) product(ctx context.Context, id string) (orders.Product, bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://catalog-service/api/products/"+url.PathEscape(id), nil)
	if err != nil {
		return orders.Product{}, false, err
	}
	type product struct {
		Name   string       `json:"name"`
		Status string       `json:"status"`
		Price  events.Money `json:"price"`
	}
	p, err := client.JSON[product](c.calls, req)
	switch {
	case err == nil:
		return orders.Product{Name: p.Name, Price: p.Price}, p.Status == "active", nil
	case apperr.KindOf(err) == apperr.NotFound:
		return orders.Product{}, false, nil
	default:
		return orders.Product{}, false, err
	}
}
