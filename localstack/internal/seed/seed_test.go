package seed_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tradewind/localstack/internal/localaws"
	"tradewind/localstack/internal/pool"
	"tradewind/localstack/internal/seed"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/shoptest"
)

func start(t *testing.T) (*shoptest.Platform, *shop.Client, *pool.Pool) {
	t.Helper()
	p := shoptest.New()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, shop.New(server.URL + shoptest.GatewayPath), pool.New(localaws.Config(server.URL, "us-east-1"), "pool-1", "client-1")
}

func TestRun(t *testing.T) {
	_, gateway, users := start(t)
	var mu sync.Mutex
	var notes []string
	got, err := seed.Run(t.Context(), gateway, users, func(text string) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, text)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Products) != 20 || got.Admin.Token == "" || got.Customer.Token == "" || got.Admin.UserID == got.Customer.UserID {
		t.Errorf("seeded: %+v", got)
	}
	skus := map[string]bool{}
	for _, p := range got.Products {
		skus[p.SKU] = true
		line, err := gateway.Stock(t.Context(), p.ID)
		if err != nil || line.Available != 100 {
			t.Errorf("stock of %s: %+v, %v", p.SKU, line, err)
		}
	}
	if len(skus) != 20 {
		t.Errorf("%d different products", len(skus))
	}
	if len(notes) != 41 {
		t.Errorf("%d notes", len(notes))
	}

	if _, err := seed.Run(t.Context(), gateway, users, func(string) {}); err == nil || !strings.Contains(err.Error(), "email_taken") {
		t.Errorf("a second seed: %v", err)
	}
}

func TestAStockLineThatIsNeverOpened(t *testing.T) {
	p, gateway, users := start(t)
	p.Delay = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := seed.Run(ctx, gateway, users, func(string) {})
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the stock line of prd_") {
		t.Errorf("Run: %v", err)
	}
}
