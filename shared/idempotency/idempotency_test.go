package idempotency_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
	"tradewind/shared/idempotency"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// ticket is what the tests' API sells: a numbered one per request.
type ticket struct {
	table.Key `json:"-"`
	ID        string `dynamodbav:"id" json:"id"`
	Name      string `dynamodbav:"name" json:"name"`
}

// office is the tests' API, with places to interfere.
type office struct {
	table  *table.Table
	clock  atomic.Int64 // seconds since 1970
	next   atomic.Int64
	effect func(ctx context.Context, t ticket) error // instead of a plain commit
}

func newOffice(tbl *table.Table) *office {
	o := &office{table: tbl}
	o.clock.Store(1_800_000_000)
	return o
}

func (o *office) now() time.Time { return time.Unix(o.clock.Load(), 0) }

func (o *office) commit(ctx context.Context, t ticket) error {
	return o.table.Commit(ctx, t, table.Create(t, errors.New("taken")))
}

func (o *office) routes() http.Handler {
	keys := idempotency.New(o.table, o.now)
	sell := func(r *http.Request) (httpkit.Answer, error) {
		in, err := httpkit.Decode[struct {
			Name string `json:"name"`
		}](r)
		if err != nil {
			return httpkit.Answer{}, err
		}
		render := func(t ticket) httpkit.Answer { return httpkit.Created("/tickets/"+t.ID, 1, t) }
		return idempotency.Do(keys, r, render, func(ctx context.Context) (ticket, error) {
			if in.Name == "" {
				return ticket{}, apperr.New(apperr.Invalid, "no_name", "A ticket needs a name.")
			}
			id := strconv.FormatInt(o.next.Add(1), 10)
			t := ticket{table.Key{PK: "TICKETS", SK: id}, id, in.Name}
			if o.effect != nil {
				return t, o.effect(ctx, t)
			}
			return t, o.commit(ctx, t)
		})
	}
	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("POST /tickets", sell)
	rt.Handle("POST /passes", sell)
	rt.Handle("POST /orders", func(r *http.Request) (httpkit.Answer, error) {
		if err := idempotency.Required(r); err != nil {
			return httpkit.Answer{}, err
		}
		return sell(r)
	})
	return rt
}

// sold counts the tickets in the table.
func (o *office) sold(t *testing.T) int {
	t.Helper()
	items, _, err := table.List[ticket](t.Context(), o.table, table.Query{PK: "TICKETS", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(items)
}

// answer is what a client sees.
type answer struct {
	Status   int
	Location string
	ETag     string
	Type     string
	Replayed string
	Body     string
}

func (a answer) code(t *testing.T) string {
	t.Helper()
	var problem struct{ Code string }
	if err := json.Unmarshal([]byte(a.Body), &problem); err != nil {
		t.Fatal(err)
	}
	return problem.Code
}

type post struct{ path, caller, key, body string }

func (o *office) post(p post) answer {
	r := httptest.NewRequest("POST", p.path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", "application/json")
	if p.key != "" {
		r.Header.Set(idempotency.Header, p.key)
	}
	if p.caller != "" {
		r = r.WithContext(identity.WithClaims(r.Context(), map[string]string{"token_use": "access", "username": p.caller}))
	}
	w := httptest.NewRecorder()
	o.routes().ServeHTTP(w, r)
	h := w.Result().Header
	return answer{w.Code, h.Get("Location"), h.Get("ETag"), h.Get("Content-Type"), h.Get("Idempotency-Replayed"), w.Body.String()}
}

var first = post{"/tickets", "usr_1", "key-1", `{"name": "Ada"}`}

func TestRepeat(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		o := newOffice(tbl)
		won := o.post(first)
		want := answer{Status: 201, Location: "/tickets/1", ETag: `"1"`, Type: "application/json", Body: `{"id":"1","name":"Ada"}`}
		if diff := cmp.Diff(want, won); diff != "" {
			t.Fatalf("first answer (-want +got):\n%s", diff)
		}
		want.Replayed = "true"
		again := first
		again.body = "{\"name\":\n\t\"Ada\"}" // white space is not part of the request
		for range 2 {
			if diff := cmp.Diff(want, o.post(again)); diff != "" {
				t.Errorf("repeat (-want +got):\n%s", diff)
			}
		}
		if n := o.sold(t); n != 1 {
			t.Errorf("sold %d tickets, want 1", n)
		}
	})
}

func TestConcurrentDuplicates(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		o := newOffice(tbl)
		const clients = 50
		answers := make([]answer, clients)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = o.post(first) })
		}
		wg.Wait()
		if n := o.sold(t); n != 1 {
			t.Errorf("sold %d tickets, want 1", n)
		}
		replayed := 0
		for _, a := range answers {
			if a.Replayed == "true" {
				replayed++
			}
			a.Replayed = answers[0].Replayed
			if a != answers[0] || a.Status != http.StatusCreated {
				t.Fatalf("answers differ: %+v and %+v", answers[0], a)
			}
		}
		if replayed != clients-1 {
			t.Errorf("%d answers say that they are replayed, want %d", replayed, clients-1)
		}
	})
}

// TestKeyIsOfCallerAndRoute has what looks like a repeat and is none.
func TestKeyIsOfCallerAndRoute(t *testing.T) {
	o := newOffice(tabletest.New())
	o.post(first)
	for name, p := range map[string]post{
		"another caller": {first.path, "usr_2", first.key, first.body},
		"nobody":         {first.path, "", first.key, first.body},
		"another route":  {"/passes", first.caller, first.key, first.body},
		"another key":    {first.path, first.caller, "key-2", first.body},
		"no key":         {first.path, first.caller, "", first.body},
		"no key again":   {first.path, first.caller, "", first.body},
	} {
		before := o.sold(t)
		if a := o.post(p); a.Status != http.StatusCreated || a.Replayed != "" {
			t.Errorf("%s: got %+v, want a new ticket", name, a)
		}
		if n := o.sold(t); n != before+1 {
			t.Errorf("%s: sold %d tickets, want 1", name, n-before)
		}
	}
}

func TestOtherPayload(t *testing.T) {
	o := newOffice(tabletest.New())
	o.post(first)
	for name, body := range map[string]string{"valid": `{"name":"Bob"}`, "refused by itself": `{"name":""}`} {
		p := first
		p.body = body
		if a := o.post(p); a.Status != http.StatusUnprocessableEntity || a.code(t) != "idempotency_key_reused" {
			t.Errorf("%s: got %+v, want 422 idempotency_key_reused", name, a)
		}
	}
	// Not JSON never gets as far as its key.
	p := first
	p.body = `{`
	if a := o.post(p); a.Status != http.StatusBadRequest {
		t.Errorf("got %+v, want 400", a)
	}
	if n := o.sold(t); n != 1 {
		t.Errorf("sold %d tickets, want 1", n)
	}
}

func TestExpiry(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		o := newOffice(tbl)
		o.post(first)
		o.clock.Add(24 * 60 * 60)
		if a := o.post(first); a.Replayed != "true" {
			t.Errorf("after 24 h: got %+v, want the stored answer", a)
		}
		o.clock.Add(1)
		// Expired records are deleted late; they count as deleted.
		p := first
		p.body = `{"name":""}`
		if a := o.post(p); a.code(t) != "no_name" {
			t.Errorf("refused after the expiry: got %+v, want its own refusal", a)
		}
		p.body = `{"name":"Bob"}`
		if a := o.post(p); a.Status != http.StatusCreated || a.Replayed != "" || !strings.Contains(a.Body, "Bob") {
			t.Errorf("after the expiry: got %+v, want a new ticket", a)
		}
		if a := o.post(p); a.Replayed != "true" || !strings.Contains(a.Body, "Bob") {
			t.Errorf("repeat after the renewal: got %+v, want the new stored answer", a)
		}
	})
}

// TestExpiryOnTheWay has the record expire between the commit it refused and
// the look at its answer.
func TestExpiryOnTheWay(t *testing.T) {
	o := newOffice(tabletest.New())
	o.post(first)
	o.clock.Add(24 * 60 * 60)
	o.effect = func(ctx context.Context, tk ticket) error {
		defer o.clock.Add(1)
		return o.commit(ctx, tk)
	}
	if a := o.post(first); a.Replayed != "true" {
		t.Errorf("got %+v, want the stored answer", a)
	}
}

func TestRefusalsAreNotStored(t *testing.T) {
	o := newOffice(tabletest.New())
	p := first
	p.body = `{"name":""}`
	for range 2 {
		if a := o.post(p); a.Status != http.StatusUnprocessableEntity || a.Replayed != "" {
			t.Errorf("got %+v, want a fresh 422", a)
		}
	}
	for name, failure := range map[string]error{
		"503": apperr.New(apperr.Unavailable, "down", "Try again."),
		"500": errors.New("defect"),
		"409": apperr.New(apperr.Conflict, "taken", "There is one."),
	} {
		o.effect = func(context.Context, ticket) error { return failure }
		if a := o.post(first); strconv.Itoa(a.Status) != name || a.Replayed != "" {
			t.Errorf("got %+v, want a fresh %s", a, name)
		}
	}
	o.effect = nil
	if a := o.post(first); a.Status != http.StatusCreated || a.Replayed != "" {
		t.Errorf("after refusals: got %+v, want a new ticket", a)
	}
}

// TestEffectThatChangesNothing uses up its key all the same.
func TestEffectThatChangesNothing(t *testing.T) {
	o := newOffice(tabletest.New())
	runs := 0
	o.effect = func(context.Context, ticket) error { runs++; return nil }
	won := o.post(first)
	if won.Status != http.StatusCreated || won.Replayed != "" {
		t.Fatalf("got %+v, want 201", won)
	}
	won.Replayed = "true"
	if diff := cmp.Diff(won, o.post(first)); diff != "" {
		t.Errorf("repeat (-want +got):\n%s", diff)
	}
	p := first
	p.body = `{"name":"Bob"}`
	if a := o.post(p); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("got %+v, want 422", a)
	}
}

func TestStaleEffectRunsAgain(t *testing.T) {
	o := newOffice(tabletest.New())
	runs := 0
	o.effect = func(ctx context.Context, tk ticket) error {
		if runs++; runs < 3 {
			return fmt.Errorf("sell: %w", apperr.ErrStale)
		}
		return o.commit(ctx, tk)
	}
	if a := o.post(first); a.Status != http.StatusCreated || runs != 3 {
		t.Errorf("got %+v after %d runs, want 201 after 3", a, runs)
	}
}

// TestLostAnswer has the commit succeed and its answer get lost on the way back.
func TestLostAnswer(t *testing.T) {
	o := newOffice(tabletest.New())
	o.effect = func(ctx context.Context, tk ticket) error {
		return errors.Join(o.commit(ctx, tk), errors.New("connection reset"))
	}
	if a := o.post(first); a.Status != http.StatusCreated || a.Body != `{"id":"1","name":"Ada"}` {
		t.Errorf("got %+v, want the answer that was stored", a)
	}
}

// TestWinnerGetsWhatIsStored has an effect that goes on changing its result:
// repeats must not see another answer than the winner.
func TestWinnerGetsWhatIsStored(t *testing.T) {
	tbl := tabletest.New()
	keys := idempotency.New(tbl, time.Now)
	render := func(t *ticket) httpkit.Answer { return httpkit.JSON(http.StatusCreated, t) }
	do := func() string {
		r := httptest.NewRequest("POST", "/tickets", nil)
		r.Header.Set(idempotency.Header, "key")
		a, err := idempotency.Do(keys, r, render, func(ctx context.Context) (*ticket, error) {
			t := &ticket{ID: "1", Name: "at the commit"}
			err := tbl.Commit(ctx, t)
			t.Name = "after the commit"
			return t, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(a.Body)
	}
	if won, repeat := do(), do(); won != repeat {
		t.Errorf("the winner got %s, the repeat %s", won, repeat)
	}
}

func TestKeys(t *testing.T) {
	o := newOffice(tabletest.New())
	tests := map[string]struct {
		key  string
		path string
		want int
	}{
		"required and missing": {"", "/orders", 400},
		"required and there":   {"k", "/orders", 201},
		"space":                {"a b", "/tickets", 400},
		"not ASCII":            {"schlüssel", "/tickets", 400},
		"control character":    {"a\x7f", "/tickets", 400},
		"longest":              {strings.Repeat("k", 255), "/tickets", 201},
		"too long":             {strings.Repeat("k", 256), "/tickets", 400},
		"all that is visible":  {`!"#~`, "/tickets", 201},
	}
	for name, test := range tests {
		if a := o.post(post{test.path, "usr_1", test.key, first.body}); a.Status != test.want {
			t.Errorf("%s: got %+v, want %d", name, a, test.want)
		}
	}
}

// TestLookupFails has the table out of reach when the answer is looked up: that
// the request failed must not hide that it may have been answered.
func TestLookupFails(t *testing.T) {
	o := newOffice(tabletest.New())
	ctx, cancel := context.WithCancel(t.Context())
	o.effect = func(context.Context, ticket) error {
		cancel()
		return apperr.New(apperr.Conflict, "taken", "There is one.")
	}
	r := httptest.NewRequestWithContext(ctx, "POST", "/tickets", strings.NewReader(first.body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(idempotency.Header, "key")
	w := httptest.NewRecorder()
	o.routes().ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s, want 503 with Retry-After", w.Code, w.Body)
	}
}

// TestPayloadIsNotSearchable: whoever reads the table must not be able to test
// guesses of a password against the payload's hash.
func TestPayloadIsNotSearchable(t *testing.T) {
	memory := &tabletest.Memory{}
	o := newOffice(table.New(memory))
	p := first
	o.post(p)
	p.key = "key-2"
	o.post(p)
	hashes := map[string]bool{}
	for _, item := range memory.Items() {
		if h, ok := item["payloadHash"].(*types.AttributeValueMemberS); ok {
			hashes[h.Value] = true
		}
	}
	if len(hashes) != 2 {
		t.Errorf("the same payload under two keys has %d hashes, want 2", len(hashes))
	}
}

// A handler parses first, then has Do run what the request is for. The store
// commits under the context that Do hands on; there is nothing else to keep.
func ExampleDo() {
	tbl := tabletest.New()
	keys := idempotency.New(tbl, time.Now)
	type booking struct {
		table.Key `json:"-"`
		Seat      string `json:"seat"`
	}
	seats := []string{"1A", "1B"}

	rt := httpkit.NewRouter(logs.Discard())
	rt.Handle("POST /bookings", func(r *http.Request) (httpkit.Answer, error) {
		render := func(b booking) httpkit.Answer { return httpkit.JSON(http.StatusCreated, b) }
		return idempotency.Do(keys, r, render, func(ctx context.Context) (booking, error) {
			b := booking{table.Key{PK: "SEAT", SK: seats[0]}, seats[0]}
			seats = seats[1:]
			return b, tbl.Commit(ctx, b, table.Create(b, errors.New("taken")))
		})
	})
	for range 2 {
		r := httptest.NewRequest("POST", "/bookings", nil)
		r.Header.Set(idempotency.Header, "8e03978e-40d5-43dd-bc93-6894a57f9324")
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		fmt.Printf("%d %s replayed=%s\n", w.Code, w.Body, w.Header().Get("Idempotency-Replayed"))
	}

	// Output:
	// 201 {"seat":"1A"} replayed=
	// 201 {"seat":"1A"} replayed=true
}

// A client whose key is empty has lost it. Taken for one that sends none, it would
// repeat and have a second effect.
func TestEmptyKey(t *testing.T) {
	o := newOffice(tabletest.New())
	r := httptest.NewRequest("POST", "/tickets", strings.NewReader(first.body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(idempotency.Header, "")
	w := httptest.NewRecorder()
	o.routes().ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || o.sold(t) != 0 {
		t.Errorf("%d %s, %d sold", w.Code, w.Body, o.sold(t))
	}
}
