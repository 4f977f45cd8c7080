package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/tier"
)

const (
	queue    = 25               // buyers at the gateway at a time
	patience = 20 * time.Minute // for all of their orders, on a machine that does other things too
)

// scarceStock lets many buyers order a unit each of a product of which there are few.
func (s *suite) scarceStock(t *testing.T) {
	buyers, units := tier.Size(40, 200), tier.Size(5, 10)
	ctx := within(t, patience)
	product, err := s.Product(ctx, units)
	if err != nil {
		t.Fatal(err)
	}
	customers := make([]fixtures.Customer, buyers)
	each := func(do func(i int) error) {
		t.Helper()
		var group errgroup.Group
		group.SetLimit(queue)
		for i := range buyers {
			group.Go(func() error { return do(i) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	each(func(i int) (err error) {
		customers[i], err = s.Customer(ctx, fmt.Sprintf("Buyer %d", i))
		return err
	})
	began := time.Now()
	orders := make([]shop.Order, buyers)
	each(func(i int) (err error) {
		orders[i], err = customers[i].PlaceOrder(ctx, "the-only-one", fixtures.Order(product.ID, 1, shop.CardOK))
		return err
	})
	t.Log(rate(buyers, "orders", time.Since(began)))
	each(func(i int) error {
		return await.Until(ctx, time.Second, "order "+orders[i].ID+" to be settled", func(ctx context.Context) (err error) {
			if orders[i], err = customers[i].Order(ctx, orders[i].ID); err == nil && orders[i].Status == shop.Pending {
				err = fmt.Errorf("it is pending")
			}
			return err
		})
	})
	ends := map[string]int{}
	for _, o := range orders {
		end := o.Status
		if o.Cancellation != nil {
			end += "/" + o.Cancellation.Reason
		}
		ends[end]++
	}
	t.Logf("%d units for %d buyers: %v, settled after %s", units, buyers, ends, time.Since(began).Round(100*time.Millisecond))
	if ends[shop.Confirmed] != units || ends[shop.Cancelled+"/out_of_stock"] != buyers-units {
		t.Errorf("not %d confirmed and %d out of stock", units, buyers-units)
	}
	eventually(t, "the stock to be sold out", func() error {
		line := decoded[shop.Stock](t, read(t, s.Anyone, "/api/stock/"+product.ID))
		if line.OnHand != 0 || line.Reserved != 0 || line.Available != 0 {
			return fmt.Errorf("%d on hand, %d reserved, %d available", line.OnHand, line.Reserved, line.Available)
		}
		return nil
	})
	// Who got one has paid for it, and nobody else has.
	each(func(i int) error {
		payments, err := customers[i].Payments(ctx, orders[i].ID)
		if err != nil {
			return err
		}
		want := 0
		if orders[i].Status == shop.Confirmed {
			want = 1
		}
		if len(payments) != want || want == 1 && (payments[0].Status != shop.Captured || payments[0].Amount != orders[i].Total) {
			t.Errorf("order %s is %s with payments %+v", orders[i].ID, orders[i].Status, payments)
		}
		return nil
	})
}
