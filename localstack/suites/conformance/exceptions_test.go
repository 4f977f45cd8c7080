package conformance

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// Everything that the suite lets pass although the contract's words do not, and
// everything it cannot show, is in this file, each with its reason.

// unseen are rows that no request from outside can bring about.
var unseen = map[string]string{
	"429":         "the gateway throttles at its own rate, which the local endpoint does not enforce",
	"502/503/504": "no client can make a dependency fail; that answers of the kind are none of a healthy platform is the row 5xx",
}

// noConflict are writes that contradict no state, by operation id.
var noConflict = map[string]string{
	"placeOrder":         "whether there is stock is decided after the answer",
	"cancelOrder":        "an order can be cancelled in every state; cancelling it again changes nothing",
	"eraseUser":          "erasing an erased user changes nothing",
	"discontinueProduct": "discontinuing a discontinued product changes nothing",
}

// inTwoPlaces are operations whose effect cannot be one transaction, by operation id. A
// concurrent repeat may be told to wait, with 409 idempotency_in_progress.
var inTwoPlaces = map[string]string{
	"registerUser": "an account is in the service's table and in the user pool",
}

// onePage are lists that never have a second page, by operation id.
var onePage = map[string]string{
	"listPayments": "an order has at most one payment",
}

// longAgo are times that may be of another day, by their names.
var longAgo = map[string]string{
	"sinceAt": "a service is well for longer than that",
}

// byTheClock are services whose tables change although nobody asks for anything.
var byTheClock = map[string]string{
	"status": "what each round of probes saw is noted there",
}

// That the correlation id is on log lines, outgoing calls and events, and that an
// idempotent answer is kept for a day, is not seen from outside.

// serversOwn reports whether an HTTP server refused a request before the gateway had it.
// The front of the second endpoint is a net/http server, which answers a malformed escape
// in a path with 400 and calls no handler.
func serversOwn(r shop.Request, a *shop.Response) bool {
	path, _, _ := strings.Cut(r.Path, "?")
	_, err := url.PathUnescape(path)
	return err != nil && a.Status == http.StatusBadRequest && string(a.Body) == "400 Bad Request"
}

// gatewaysOwn says whether an answer is one that the gateway gives by itself, before
// any service is asked. Its body is AWS's own, {"message": …}: an HTTP API has no
// setting that would change it.
func gatewaysOwn(op *apidoc.Operation, r shop.Request, a *shop.Response) bool {
	if r.Method == http.MethodOptions || serversOwn(r, a) {
		return true // CORS is the gateway's alone
	}
	var body struct{ Message string }
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		return false
	}
	// The answer to a HEAD has only its type to tell by.
	if r.Method != http.MethodHead && (json.Unmarshal(a.Body, &body) != nil || body.Message == "") {
		return false
	}
	// By the authorizer of the route.
	return a.Status == http.StatusUnauthorized && op != nil && !op.Public()
}

// unauthorized checks a refusal for want of a good token, whoever gives it.
func unauthorized(t *testing.T, op *apidoc.Operation, r shop.Request, a *shop.Response) {
	t.Helper()
	if a.Status == http.StatusUnauthorized && gatewaysOwn(op, r, a) {
		return
	}
	refused(t, r, a, http.StatusUnauthorized)
}
