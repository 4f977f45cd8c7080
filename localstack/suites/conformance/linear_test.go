package conformance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/tier"
	"tradewind/localstack/suites/conformance/linear"
)

// checking is how long the checker may look for an order of events. It takes
// milliseconds, unless there is none.
const checking = time.Minute

// linearizability records what concurrent clients do and are answered, and looks for
// an order of single moments that explains it.
func (s *suite) linearizability(t *testing.T) {
	t.Run("stock", s.linearStock)
	t.Run("keys", s.linearKeys)
}

// linearStock has clients read, count and adjust one stock line.
func (s *suite) linearStock(t *testing.T) {
	clients, calls := tier.Size(6, 12), tier.Size(40, 150)
	const opening = 20
	product, err := s.Product(within(t, soon), opening)
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/stock/" + product.ID
	first := decoded[shop.Stock](t, read(t, s.Anyone, path))
	var record linear.Recorder
	var group errgroup.Group
	for client := range clients {
		random := rand.New(rand.NewPCG(uint64(client), 1))
		group.Go(func() error {
			seen := first.Version
			for i := range calls {
				call := linear.StockCall{Action: linear.Action(random.IntN(3))}
				r := shop.Request{Method: http.MethodGet, Path: path}
				switch call.Action {
				case linear.Count:
					call.Units, call.IfMatch = random.IntN(opening), seen
					r.Method, r.Header = http.MethodPut, shop.Header("If-Match", fmt.Sprintf(`"%d"`, seen))
					r.Body = map[string]int{"onHand": call.Units}
				case linear.Adjust:
					// A key is shared by all clients of a round, and so is what is asked for under it.
					call.Units, call.Key = i%7-3, fmt.Sprintf("round-%d", i)
					if call.Units == 0 {
						call.Units = -opening / 2
					}
					r.Method, r.Path, r.Header = http.MethodPost, path+"/adjustments", shop.Header("Idempotency-Key", call.Key)
					r.Body = map[string]any{"delta": call.Units, "reason": "for the test"}
				}
				err := record.Do(client, call, func() (any, error) {
					a, err := s.Admin.Do(t.Context(), r)
					if err != nil {
						return nil, err
					}
					answer := linear.StockAnswer{Status: a.Status, Replayed: a.Header.Get("Idempotency-Replayed") != ""}
					if a.Status == http.StatusOK {
						var line shop.Stock
						if err := a.Decode(&line); err != nil {
							return nil, err
						}
						answer.OnHand, answer.Version = line.OnHand, line.Version
						seen = max(seen, line.Version)
					}
					return answer, nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	explained(t, linear.Stock(first.OnHand, first.Version), record.History())
}

// linearKeys has clients place orders under few keys with few payloads.
func (s *suite) linearKeys(t *testing.T) {
	clients, rounds := tier.Size(6, 12), tier.Size(8, 40)
	buyer, err := s.Customer(t.Context(), "Linda Linear")
	if err != nil {
		t.Fatal(err)
	}
	product, err := s.Product(within(t, soon), 0)
	if err != nil {
		t.Fatal(err)
	}
	var record linear.Recorder
	var group errgroup.Group
	for client := range clients {
		random := rand.New(rand.NewPCG(uint64(client), 2))
		group.Go(func() error {
			for round := range rounds {
				for range 3 {
					call := linear.KeyCall{Key: fmt.Sprintf("register-%d", round), Payload: fmt.Sprint(1 + random.IntN(4)/3)}
					var units int
					if _, err := fmt.Sscan(call.Payload, &units); err != nil {
						return err
					}
					err := record.Do(client, call, func() (any, error) {
						a, err := buyer.Do(t.Context(), shop.Request{
							Method: http.MethodPost, Path: "/api/orders", Header: shop.Header("Idempotency-Key", call.Key),
							Body: fixtures.Order(product.ID, units, shop.CardOK),
						})
						if err != nil {
							return nil, err
						}
						answer := linear.KeyAnswer{Status: a.Status, Replayed: a.Header.Get("Idempotency-Replayed") != ""}
						if a.Status == http.StatusCreated {
							answer.Result = stringAt(t, a.Body, "id")
						}
						return answer, nil
					})
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	explained(t, linear.Keys(), record.History())
}

// explained checks that a history is linearizable.
func explained(t *testing.T, model porcupine.Model, history []porcupine.Operation) {
	t.Helper()
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	statuses := map[int]int{}
	replays, overlaps, last := 0, 0, int64(-1)
	for _, op := range history {
		switch a := op.Output.(type) {
		case linear.StockAnswer:
			statuses[a.Status]++
			if a.Replayed {
				replays++
			}
		case linear.KeyAnswer:
			statuses[a.Status]++
			if a.Replayed {
				replays++
			}
		}
		if op.Call < last {
			overlaps++
		}
		last = max(last, op.Return)
	}
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(model, history, checking)
	t.Logf("%d operations, %d begun before another had ended, statuses %v, %d replays: %s, found in %s",
		len(history), overlaps, statuses, replays, result, time.Since(began).Round(time.Millisecond))
	if overlaps < len(history)/4 {
		t.Errorf("only %d of %d operations were concurrent", overlaps, len(history))
	}
	if result == porcupine.Ok {
		return
	}
	t.Errorf("no order of moments explains the answers: %s", result)
	longest := 0
	for _, partition := range info.PartialLinearizations() {
		for _, part := range partition {
			longest = max(longest, len(part))
		}
	}
	t.Logf("at most %d operations of a part can be explained", longest)
	for i, op := range history {
		if i == 60 {
			break
		}
		t.Logf("client %d, %d to %d ms: %+v -> %+v", op.ClientId, op.Call/1e6, op.Return/1e6, op.Input, op.Output)
	}
}
