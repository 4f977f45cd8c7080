package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/tools/slow/execenv"
)

// customer sends one environment one order after the other, as the gateway would.
type customer struct {
	environment *execenv.Environment
	every       time.Duration
	token       string
	claims      map[string]any
	body        string
}

// warmUps are sent before anything counts: the first call of all opens connections.
const warmUps = 3

// newCustomer returns a customer whose orders are accepted.
func newCustomer(ctx context.Context, e *execenv.Environment, o shop.Outputs, every time.Duration) (*customer, error) {
	claims, err := claimsOf(o.Customer.Token)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(shop.NewOrder{
		Items:           []events.Line{{ProductID: o.Products[0], Quantity: 1}},
		PaymentMethod:   shop.CardOK,
		ShippingAddress: shop.Address{Line1: "1 Harbour Road", City: "Lisbon", PostalCode: "1100-001", Country: "PT"},
	})
	if err != nil {
		return nil, err
	}
	c := &customer{environment: e, every: every, token: o.Customer.Token, claims: claims, body: string(body)}
	for range warmUps {
		status, text, err := c.place(ctx)
		if err != nil {
			return nil, err
		}
		if status != 201 {
			return nil, fmt.Errorf("an order of a platform without a fault was answered %d: %s", status, text)
		}
	}
	return c, nil
}

// claimsOf reads a token's claims as the gateway hands them on. It verifies nothing: the
// token is this run's own.
func claimsOf(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the customer's token in the outputs is none")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("the customer's token in the outputs: %w", err)
	}
	var all, claims map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("the customer's token in the outputs: %w", err)
	}
	claims = map[string]any{}
	for name, value := range all {
		if text, ok := value.(string); ok {
			claims[name] = text
		}
	}
	return claims, nil
}

// order places orders until ctx ends, after a delay at first, and says what each was
// answered. An order under way is waited for.
func (c *customer) order(ctx context.Context, delay time.Duration, say func(answer)) error {
	for {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		}
		start := time.Now()
		status, _, err := c.place(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		took := time.Since(start)
		say(answer{took: took, status: status})
		delay = c.every - took
	}
}

// place places an order and returns the answer's status and body.
func (c *customer) place(ctx context.Context) (int, string, error) {
	key := rand.Text()
	event, err := json.Marshal(map[string]any{
		"version":  "2.0",
		"routeKey": "POST /api/orders",
		"rawPath":  "/api/orders",
		"headers": map[string]string{
			"host": "shop", "content-type": "application/json", "idempotency-key": key, "authorization": "Bearer " + c.token,
		},
		"requestContext": map[string]any{
			"http":       map[string]any{"method": "POST", "path": "/api/orders", "sourceIp": "127.0.0.1"},
			"authorizer": map[string]any{"jwt": map[string]any{"claims": c.claims}},
		},
		"body": c.body,
	})
	if err != nil {
		return 0, "", err
	}
	text, err := c.environment.Invoke(ctx, key, event)
	if err != nil {
		return 0, "", err
	}
	var out struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return 0, "", fmt.Errorf("the function's answer: %w", err)
	}
	return out.StatusCode, out.Body, nil
}
