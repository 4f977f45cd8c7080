package stripe_test

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// The shapes that Stripe documents, with blanks.
var (
	//go:embed testdata/payment_intent.json
	intentShape string
	//go:embed testdata/card_error.json
	cardErrorShape string
	//go:embed testdata/refund.json
	refundShape string
)

// fake is as much of Stripe as a charge meets: intents with their life, refunds,
// and idempotency keys whose answers are kept and given again.
type fake struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	intents map[string]*intent // by id
	refunds []string
	answers map[string]answer // by idempotency key
	calls   []string          // "METHOD /path key"
	// before, when set, may answer in the place of an endpoint. after, when set,
	// may spoil the answer that an endpoint has given.
	before, after func(call string) *answer
}

type intent struct {
	id, order, amount, currency, status, lastError string
}

type answer struct {
	status int
	body   string
	hangUp bool
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, intents: map[string]*intent{}, answers: map[string]answer{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := r.Header.Get("Authorization"); got != "Bearer sk_test_x" {
		f.t.Errorf("Authorization: %q", got)
	}
	if err := r.ParseForm(); err != nil {
		f.t.Error(err)
	}
	key := r.Header.Get("Idempotency-Key")
	if strings.HasSuffix(r.URL.Path, "/cancel") {
		key = "" // random: cancelling needs none
	}
	call := strings.TrimSpace(r.Method + " " + r.URL.Path + " " + key)
	f.calls = append(f.calls, call)

	a := f.answer(call, key, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_1")
	if a.hangUp {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (f *fake) answer(call, key string, r *http.Request) answer {
	if f.before != nil {
		if a := f.before(call); a != nil {
			return *a
		}
	}
	a, replayed := f.answers[key]
	if !replayed || key == "" {
		a = f.endpoint(r)
		f.answers[key] = a
	}
	if f.after != nil {
		if spoilt := f.after(call); spoilt != nil {
			return *spoilt
		}
	}
	return a
}

func (f *fake) endpoint(r *http.Request) answer {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch {
	case path[0] == "payment_intents" && len(path) == 1 && r.Method == http.MethodPost:
		return f.make(r.PostForm)
	case path[0] == "payment_intents" && path[1] == "search":
		return f.search(r.Form.Get("query"))
	case path[0] == "refunds" && r.Method == http.MethodPost:
		return f.refund(r.PostForm)
	case path[0] == "refunds":
		return answer{status: 200, body: listOf("/v1/refunds", f.refunds)}
	}
	pi := f.intents[path[1]]
	if pi == nil {
		return invalidRequest(404, "resource_missing", "intent")
	}
	switch {
	case len(path) == 2:
	case path[2] == "confirm":
		return f.confirm(pi, r.PostForm)
	case path[2] == "cancel":
		if pi.status == "succeeded" || pi.status == "canceled" || pi.status == "processing" {
			return invalidRequest(400, "payment_intent_unexpected_state", "")
		}
		pi.status = "canceled"
	}
	return answer{status: 200, body: pi.json()}
}

func (f *fake) make(form url.Values) answer {
	if form.Get("amount") == "1" {
		return invalidRequest(400, "amount_too_small", "amount")
	}
	if form.Get("payment_method_types[0]") != "card" || form.Get("confirm") != "" {
		f.t.Errorf("made with %v", form)
	}
	pi := &intent{
		id: fmt.Sprintf("pi_%d", len(f.intents)+1), order: form.Get("metadata[order_id]"),
		amount: form.Get("amount"), currency: form.Get("currency"), status: "requires_payment_method",
	}
	f.intents[pi.id] = pi
	return answer{status: 200, body: pi.json()}
}

// confirm knows the test cards of Stripe by their names.
func (f *fake) confirm(pi *intent, form url.Values) answer {
	if pi.status != "requires_payment_method" {
		return invalidRequest(400, "payment_intent_unexpected_state", "")
	}
	decline := func(code, declineCode string) answer {
		pi.lastError = strings.NewReplacer("{code}", code, "{declineCode}", declineCode).Replace(cardErrorShape)
		return answer{status: 402, body: `{"error": ` + pi.lastError + `}`}
	}
	switch form.Get("payment_method") {
	case "pm_card_visa":
		pi.status = "succeeded"
	case "pm_card_processing":
		pi.status = "processing"
	case "pm_card_visa_chargeDeclinedInsufficientFunds":
		return decline("card_declined", "insufficient_funds")
	case "pm_card_chargeDeclinedExpiredCard":
		return decline("expired_card", "")
	case "pm_card_authenticationRequired":
		if form.Get("error_on_requires_action") != "true" {
			pi.status = "requires_action" // and there it would stay
			break
		}
		return decline("authentication_required", "authentication_required")
	default:
		return invalidRequest(400, "resource_missing", "payment_method")
	}
	return answer{status: 200, body: pi.json()}
}

func (f *fake) search(query string) answer {
	var found []string
	for _, pi := range f.intents {
		if query == "metadata['order_id']:'"+pi.order+"'" {
			found = append(found, pi.json())
		}
	}
	body := strings.Replace(listOf("/v1/payment_intents/search", found), `"list"`, `"search_result"`, 1)
	return answer{status: 200, body: body}
}

func (f *fake) refund(form url.Values) answer {
	pi := f.intents[form.Get("payment_intent")]
	switch {
	case pi == nil:
		return invalidRequest(404, "resource_missing", "payment_intent")
	case len(f.refunds) > 0:
		return invalidRequest(400, "charge_already_refunded", "")
	case pi.status != "succeeded" || form.Get("amount") != pi.amount:
		f.t.Errorf("refund of %+v with %v", pi, form)
	}
	f.refunds = append(f.refunds, strings.NewReplacer(
		"{id}", "re_1", "{amount}", pi.amount, "{intent}", pi.id, "{status}", "succeeded").Replace(refundShape))
	return answer{status: 200, body: f.refunds[0]}
}

func (pi *intent) json() string {
	received := "0"
	if pi.status == "succeeded" {
		received = pi.amount
	}
	return strings.NewReplacer("{id}", pi.id, "{order}", pi.order, "{amount}", pi.amount, "{received}", received,
		"{currency}", pi.currency, "{status}", pi.status, "{lastError}", cmp.Or(pi.lastError, "null")).Replace(intentShape)
}

func listOf(path string, items []string) string {
	return `{"object": "list", "data": [` + strings.Join(items, ",") + `], "has_more": false, "url": "` + path + `"}`
}

func invalidRequest(status int, code, param string) answer {
	return answer{status: status, body: fmt.Sprintf(
		`{"error": {"code": %q, "doc_url": "https://stripe.com/docs/error-codes", "message": "No.", "param": %q, "type": "invalid_request_error"}}`, code, param)}
}

// forget drops the idempotency keys, as Stripe does after a day.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.answers)
}

// called returns what was asked so far, and forgets it.
func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}
