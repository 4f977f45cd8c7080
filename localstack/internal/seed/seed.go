// Package seed fills a platform that was just deployed: an admin, a customer, and
// products with stock, so that there is something to order.
//
// It does so through the gateway, as any operator would, and touches no table: what
// a seed can make, the platform can serve. The user pool is asked for two things
// the platform leaves to it: who is an admin, and tokens.
package seed

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/pool"
	"tradewind/localstack/internal/shop"
)

const (
	parallel = 4                      // calls at a time: the endpoint has the same two cores as everybody
	patience = 60 * time.Second       // for a product's stock line to be opened
	look     = 100 * time.Millisecond // how often to look for it
)

// Pool is what is asked of the user pool.
type Pool interface {
	SignIn(ctx context.Context, user, password string) (pool.Tokens, error)
	Promote(ctx context.Context, userID string) error
}

// Account is a user with the means to sign in.
type Account struct {
	UserID   string
	Email    string
	Password string
	Token    string // of access, good for an hour
}

// Result is what was made.
type Result struct {
	Admin    Account
	Customer Account
	Products []shop.Product
}

// Run makes everything. note is told how far it is.
func Run(ctx context.Context, gateway *shop.Client, p Pool, note func(string)) (Result, error) {
	var r Result
	var err error
	note("users")
	if r.Admin, err = account(ctx, gateway, p, "Ada Admin", "admin@tradewind.example", true); err != nil {
		return r, err
	}
	if r.Customer, err = account(ctx, gateway, p, "Carl Customer", "customer@tradewind.example", false); err != nil {
		return r, err
	}
	r.Products, err = products(ctx, gateway.As(r.Admin.Token), note)
	return r, err
}

// account registers a user as anyone registers, makes them an admin where asked to,
// and signs them in; in this order, for a token tells the groups of its time.
func account(ctx context.Context, gateway *shop.Client, p Pool, name, email string, admin bool) (Account, error) {
	a := Account{Email: email, Password: rand.Text()}
	user, err := gateway.Register(ctx, shop.Registration{Email: email, Name: name, Password: a.Password})
	if err != nil {
		return a, fmt.Errorf("register %s: %w", email, err)
	}
	a.UserID = user.ID
	if admin {
		if err := p.Promote(ctx, user.ID); err != nil {
			return a, err
		}
	}
	tokens, err := p.SignIn(ctx, user.ID, a.Password)
	a.Token = tokens.Access
	return a, err
}

// products makes the catalog and puts every product in stock.
func products(ctx context.Context, admin *shop.Client, note func(string)) ([]shop.Product, error) {
	made := make([]shop.Product, len(catalog))
	var done atomic.Int32
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, p := range catalog {
		group.Go(func() error {
			product, err := admin.CreateProduct(groupCtx, p)
			if err != nil {
				return fmt.Errorf("create %s: %w", p.SKU, err)
			}
			made[i] = product
			note(fmt.Sprintf("%d of %d products", done.Add(1), len(catalog)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return made, stock(ctx, admin, made, note)
}

// stock counts units of every product.
func stock(ctx context.Context, admin *shop.Client, made []shop.Product, note func(string)) error {
	var done atomic.Int32
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, p := range made {
		group.Go(func() error {
			if _, err := Stock(ctx, admin, p.ID, onHand); err != nil {
				return err
			}
			note(fmt.Sprintf("stock of %d of %d products", done.Add(1), len(made)))
			return nil
		})
	}
	return group.Wait()
}

// Stock sets how many units of a product there are, as soon as inventory knows the
// product, and returns the line. A product's stock line is opened by the event that
// the product was created, so it is not there at once; ctx bounds the wait.
func Stock(ctx context.Context, admin *shop.Client, productID string, units int) (shop.Stock, error) {
	var line shop.Stock
	err := await.Until(ctx, look, "the stock line of "+productID, func(ctx context.Context) (err error) {
		line, err = admin.Stock(ctx, productID)
		return err
	})
	if err != nil {
		return line, err
	}
	line, err = admin.SetStock(ctx, productID, units, line.Version)
	if err != nil && shop.IsStatus(err, http.StatusPreconditionFailed) {
		return line, fmt.Errorf("somebody else counts the same product: %w", err)
	}
	return line, err
}
