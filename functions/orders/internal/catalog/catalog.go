// Package catalog asks the catalog service what products cost.
package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"tradewind/events"
	"tradewind/functions/orders"
	"tradewind/shared/apperr"
)

// parallel bounds the calls for one order.
const parallel = 8

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// Client is an orders.Catalog.
type Client struct{ http *http.Client }

var _ orders.Catalog = (*Client)(nil)

// New returns a client that calls catalog-service through c.
func New(c *http.Client) *Client { return &Client{c} }

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
	res, err := c.http.Do(req)
	if err != nil {
		return orders.Product{}, false, unavailable(err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return orders.Product{}, false, nil
	default:
		return orders.Product{}, false, unavailable(fmt.Errorf("catalog answered %s", res.Status))
	}
	var body struct {
		Name   string       `json:"name"`
		Status string       `json:"status"`
		Price  events.Money `json:"price"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&body); err != nil {
		return orders.Product{}, false, unavailable(fmt.Errorf("catalog's answer: %w", err))
	}
	return orders.Product{Name: body.Name, Price: body.Price}, body.Status == "active", nil
}

func unavailable(err error) error {
	e := apperr.Wrap(err, apperr.Unavailable, "catalog_unavailable", "Prices cannot be looked up at the moment; try again shortly.")
	e.RetryAfter = 2 * time.Second
	return e
}
