package cast_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tradewind/localstack/internal/cast"
	"tradewind/localstack/internal/outputs"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/shoptest"
)

func TestWithoutOutputsThereIsNoPlatform(t *testing.T) {
	t.Setenv("TRADEWIND_OUTPUTS", "")
	if _, err := cast.Connect(t.Context(), nil); !errors.Is(err, cast.ErrNoPlatform) {
		t.Errorf("Connect: %v", err)
	}
	t.Setenv("TRADEWIND_OUTPUTS", filepath.Join(t.TempDir(), "none.json"))
	if _, err := cast.Connect(t.Context(), nil); err == nil || errors.Is(err, cast.ErrNoPlatform) {
		t.Errorf("a file that is missing is no reason to skip: %v", err)
	}
}

func TestASuiteMayHaveThePlatformAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outputs.json")
	if err := outputs.Write(path, outputs.Outputs{APIURL: "http://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRADEWIND_OUTPUTS", path)
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	one, err := cast.Connect(soon(), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := cast.Connect(soon(), nil)
	if err != nil {
		t.Fatalf("a second suite: %v", err)
	}
	if _, err := cast.ConnectAlone(soon(), nil); err == nil {
		t.Fatal("alone among others")
	}
	one.Close()
	other.Close()
	alone, err := cast.ConnectAlone(soon(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cast.Connect(soon(), nil); err == nil || !strings.Contains(err.Error(), "other suites") {
		t.Errorf("beside one that is alone: %v", err)
	}
	alone.Close()
}

func TestACastIsMade(t *testing.T) {
	server := httptest.NewServer(shoptest.New())
	defer server.Close()
	path := filepath.Join(t.TempDir(), "outputs.json")
	err := outputs.Write(path, outputs.Outputs{Endpoint: server.URL, Region: "us-east-1", APIURL: server.URL + shoptest.GatewayPath, UserPoolID: "pool", ClientID: "client"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRADEWIND_OUTPUTS", path)
	var calls atomic.Int32
	p, err := cast.Connect(t.Context(), func(shop.Request, *shop.Response) { calls.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	admin, err := p.Customer(t.Context(), "Grace")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Pool.Promote(t.Context(), admin.ID); err != nil {
		t.Fatal(err)
	}
	p.Admin = admin.Client
	product, err := p.Product(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := p.Anyone.Stock(t.Context(), product.ID); err != nil || line.OnHand != 7 {
		t.Errorf("in stock: %+v, %v", line, err)
	}
	c, err := p.Customer(t.Context(), "Ada")
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.PlaceOrder(t.Context(), "key", cast.Order(product.ID, 2, shop.CardOK))
	if err != nil || len(o.Items) != 1 || o.Items[0].Quantity != 2 {
		t.Errorf("an order: %+v, %v", o, err)
	}
	if calls.Load() < 5 {
		t.Errorf("%d calls were watched", calls.Load())
	}
}
