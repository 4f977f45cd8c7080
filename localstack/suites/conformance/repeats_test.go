package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/tier"
	"tradewind/localstack/suites/conformance/apidoc"
)

// idempotency sends requests many times at once, each under one key.
func (s *suite) idempotency(t *testing.T) {
	for _, op := range s.docs.Operations {
		if op.Parameter("header", "Idempotency-Key") != nil {
			t.Run(op.Name(), func(t *testing.T) { s.onceEach(t, op) })
		}
	}
	t.Run("many orders", s.manyOrders)
}

// onceEach repeats the example of an operation. Whoever is told that the first request
// is still under way, which is for the operations excepted only, asks again.
func (s *suite) onceEach(t *testing.T, op *apidoc.Operation) {
	const repeats = 10
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	before := versionOf(t, s.steadyVersion(t, w, op))
	answers, err := together(t, s.as(t, w, op), r, repeats)
	if err != nil {
		t.Fatal(err)
	}
	success, _ := op.Success()
	var first *shop.Response
	waiting := 0
	for i, a := range answers {
		if p, err := a.Problem(); err == nil && p.Code == "idempotency_in_progress" && inTwoPlaces[op.ID] != "" {
			waiting++
			answers[i] = nil
			continue
		}
		if a.Status != success {
			t.Fatalf("answered %d %s", a.Status, a.Body)
		}
		if a.Header.Get("Idempotency-Replayed") == "" {
			if first != nil {
				t.Fatalf("two answers are not replays: %s, %s", first.Body, a.Body)
			}
			first = a
		}
	}
	if first == nil {
		t.Fatal("every answer is a replay")
	}
	for _, a := range append(answers, s.succeed(t, w, op, r)) {
		if a != nil && a != first {
			if err := alike(first, a); err != nil {
				t.Error(err)
			}
		}
	}
	if now := versionOf(t, s.steadyVersion(t, w, op)); now > before+1 {
		t.Errorf("version %d after version %d", now, before)
	}
	t.Logf("%d at once, %d of them told to wait", repeats, waiting)
}

// manyOrders repeats each of many orders. Each is placed once, and everybody is told
// the same.
func (s *suite) manyOrders(t *testing.T) {
	keys, repeats := tier.Size(20, 1000), tier.Size(20, 50)
	buyer, err := s.Customer(t.Context(), "Rita Repeater")
	if err != nil {
		t.Fatal(err)
	}
	// Of a product without stock, so that little follows from an order.
	product, err := s.Product(within(t, soon), 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fixtures.Order(product.ID, 1, shop.CardOK))
	if err != nil {
		t.Fatal(err)
	}
	other, err := json.Marshal(fixtures.Order(product.ID, 2, shop.CardOK))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	orders := map[string]string{} // to the key
	for k := range keys {
		key := fmt.Sprintf("repeat-%d-%s", k, unique())
		request := shop.Request{Method: http.MethodPost, Path: "/api/orders", Header: shop.Header("Idempotency-Key", key), Body: text}
		id, err := repeated(t, buyer.Client, request, repeats)
		if err != nil {
			t.Fatalf("key %d: %v", k, err)
		}
		if before, taken := orders[id]; taken {
			t.Errorf("order %s is that of %s and of %s", id, before, key)
		}
		orders[id] = key
		reused := withBody(request, other)
		if p := refused(t, reused, ask(t, buyer.Client, reused), http.StatusUnprocessableEntity); p.Code != "idempotency_key_reused" {
			t.Errorf("another payload under key %d: %+v", k, p)
		}
	}
	t.Logf("%d keys, %d concurrent requests each: %s", keys, repeats, rate(keys*(repeats+1), "requests", time.Since(began)))

	placed, err := buyer.Orders(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(placed) != keys || len(orders) != keys {
		t.Errorf("%d orders were answered and %d are listed, of %d keys", len(orders), len(placed), keys)
	}
	for _, o := range placed {
		if orders[o.ID] == "" {
			t.Errorf("nobody was answered with order %s", o.ID)
		}
		if len(o.Items) != 1 || o.Items[0].Quantity != 1 {
			t.Errorf("order %s is of another payload: %+v", o.ID, o.Items)
		}
	}
	for id, key := range orders { // as it was answered then, whatever became of it since
		request := shop.Request{Method: http.MethodPost, Path: "/api/orders", Header: shop.Header("Idempotency-Key", key), Body: text}
		answer := ask(t, buyer.Client, request)
		if got := stringAt(t, answer.Body, "id"); got != id || answer.Header.Get("Idempotency-Replayed") != "true" || stringAt(t, answer.Body, "status") != shop.Pending {
			t.Errorf("later, %s answers %d %s", key, answer.Status, answer.Body)
		}
		if len(orders) > 100 {
			break // one in a full run; all would take another while
		}
	}
}

// repeated makes a request many times at once and returns the id of what it made.
func repeated(t *testing.T, c *shop.Client, r shop.Request, times int) (string, error) {
	t.Helper()
	answers, err := together(t, c, r, times)
	if err != nil {
		return "", err
	}
	winners := 0
	var first *shop.Response
	for _, a := range answers {
		if a.Status != http.StatusCreated {
			return "", fmt.Errorf("answered %d %s", a.Status, a.Body)
		}
		if a.Header.Get("Idempotency-Replayed") == "" {
			winners++
			first = a
		}
	}
	if winners != 1 {
		return "", fmt.Errorf("%d of %d answers are not replays", winners, times)
	}
	for _, a := range answers {
		if a == first {
			continue
		}
		if err := alike(first, a); err != nil {
			return "", err
		}
	}
	id := stringAt(t, first.Body, "id")
	if first.Header.Get("Location") != "/api/orders/"+id || !bytes.Contains(first.Body, []byte(`"version":1`)) {
		return "", fmt.Errorf("the first answer is %v %s", first.Header, first.Body)
	}
	return id, nil
}

// together makes one request many times at once.
func together(t *testing.T, c *shop.Client, r shop.Request, times int) ([]*shop.Response, error) {
	t.Helper()
	answers := make([]*shop.Response, times)
	start := make(chan struct{})
	var group errgroup.Group
	for i := range times {
		group.Go(func() (err error) {
			<-start
			answers[i], err = c.Do(t.Context(), r)
			return err
		})
	}
	close(start)
	return answers, group.Wait()
}
