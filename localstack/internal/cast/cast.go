// Package cast is who and what a suite brings to a platform under test: customers
// who have registered and signed in, products with stock, orders to place.
//
// It exists so that suites agree on how these are made, which is the way anybody
// makes them: through the gateway, and tokens from the user pool. And it lets a suite
// have the platform to itself: go test runs the suites of several packages at once,
// and one that looks for traces would find those of another.
package cast

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"tradewind/events"
	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/localaws"
	"tradewind/localstack/internal/outputs"
	"tradewind/localstack/internal/pool"
	"tradewind/localstack/internal/seed"
	"tradewind/localstack/internal/shop"
)

// variable names the file that a run of the platform wrote.
const variable = "TRADEWIND_OUTPUTS"

// look is how often to look whether the platform is free.
const look = 100 * time.Millisecond

// ErrNoPlatform says that there is nothing to test, and is a reason to skip.
var ErrNoPlatform = errors.New(variable + " is not set: there is no platform to test; make test brings one up")

// Platform is a running one.
type Platform struct {
	Outputs outputs.Outputs
	Anyone  *shop.Client // without a token
	Admin   *shop.Client
	Pool    *pool.Pool
	lock    *os.File
}

// Watch is shown every call to a platform and its answer.
type Watch func(shop.Request, *shop.Response)

// Connect returns the platform whose outputs TRADEWIND_OUTPUTS names, which other
// suites may use too. While one has it alone, Connect waits. watch may be nil.
func Connect(ctx context.Context, watch Watch) (*Platform, error) {
	return connect(ctx, watch, syscall.LOCK_SH)
}

// ConnectAlone waits until no other suite uses the platform, and keeps others away
// until Close.
func ConnectAlone(ctx context.Context, watch Watch) (*Platform, error) {
	return connect(ctx, watch, syscall.LOCK_EX)
}

func connect(ctx context.Context, watch Watch, lock int) (*Platform, error) {
	path := os.Getenv(variable)
	if path == "" {
		return nil, ErrNoPlatform
	}
	o, err := outputs.Read(path)
	if err != nil {
		return nil, err
	}
	// The kernel drops the lock however its holder ends.
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = await.Until(ctx, look, "other suites to be through", func(context.Context) error {
		return syscall.Flock(int(f.Fd()), lock|syscall.LOCK_NB)
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	anyone := shop.New(o.APIURL).Watched(watch)
	return &Platform{
		Outputs: o,
		Anyone:  anyone,
		Admin:   anyone.As(o.Admin.Token),
		Pool:    pool.New(localaws.Config(o.Endpoint, o.Region), o.UserPoolID, o.ClientID),
		lock:    f,
	}, nil
}

// Close closes idle connections and lets other suites have the platform.
func (p *Platform) Close() {
	p.Anyone.Close()
	p.lock.Close()
}

// Customer is somebody signed in, who calls the platform as themself.
type Customer struct {
	*shop.Client
	ID, Email, Password string
	Tokens              pool.Tokens
}

// Customer registers a new customer and signs them in.
func (p *Platform) Customer(ctx context.Context, name string) (Customer, error) {
	c := Customer{Email: strings.ToLower(rand.Text()) + "@example.com", Password: rand.Text()}
	user, err := p.Anyone.Register(ctx, shop.Registration{Email: c.Email, Name: name, Password: c.Password})
	if err != nil {
		return c, err
	}
	c.ID = user.ID
	if c.Tokens, err = p.Pool.SignIn(ctx, c.ID, c.Password); err != nil {
		return c, err
	}
	c.Client = p.Anyone.As(c.Tokens.Access)
	return c, nil
}

// NewProduct returns what a new product is made of. Its SKU is nobody else's.
func NewProduct() shop.NewProduct {
	return shop.NewProduct{
		SKU: "T-" + rand.Text(), Name: "Test product", Description: "For tests.", Category: "tests",
		Price: events.Money{Amount: 1999, Currency: "EUR"},
	}
}

// Product makes a product and puts units of it in stock. ctx bounds the wait for
// its stock line.
func (p *Platform) Product(ctx context.Context, units int) (shop.Product, error) {
	product, err := p.Admin.CreateProduct(ctx, NewProduct())
	if err != nil {
		return product, err
	}
	if _, err := seed.Stock(ctx, p.Admin, product.ID, units); err != nil {
		return product, fmt.Errorf("stock of %s: %w", product.ID, err)
	}
	return product, nil
}

// Order returns a request for units of one product.
func Order(productID string, units int, method string) shop.NewOrder {
	return shop.NewOrder{
		Items:           []events.Line{{ProductID: productID, Quantity: units}},
		PaymentMethod:   method,
		ShippingAddress: shop.Address{Line1: "1 Harbour Road", City: "Lisbon", PostalCode: "1100-001", Country: "PT"},
	}
}
