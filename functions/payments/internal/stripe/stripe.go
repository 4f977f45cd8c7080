// Package stripe charges cards with Stripe.
//
// An order is one PaymentIntent. It is made first, under the order's idempotency
// key, and confirmed after; what it became is read from the intent itself, never
// from a repeated answer. That takes one request more than confirming it as it
// is made, and buys what package payments relies on:
//
//	Charge  make, confirm   a second confirmation of a paid intent is refused
//	Lookup  make, read      making it again finds it, strongly consistent, where
//	                        Stripe's search lags by a minute
//	Void    make, cancel    a cancelled intent refuses a confirmation that was
//	                        on its way
//
// Stripe forgets an idempotency key after 24 hours. An order that may have been
// charged longer ago, such as one whose message was redriven, is searched for
// before it is made.
//
// Stripe replays errors too, also a 500, for as long as it keeps the key. An
// order whose confirmation met one stays undecided until it times out, and is
// voided then: late, but never wrong.
//
// The requests are made with stripe-go's backend and types, not with its client,
// which would link every interface Stripe has. What Stripe says in words is kept
// out of errors, because it can hold what the customer typed; the request's id
// finds it in Stripe's own log.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "github.com/stripe/stripe-go/v82"

	"tradewind/events"
	"tradewind/functions/payments"
	"tradewind/shared/apperr"
)

// keyMemory is how long a key is relied on; Stripe promises 24 hours.
const keyMemory = 20 * time.Hour

// Provider is a payments.Provider.
type Provider struct {
	backend api.Backend
	key     string
	now     func() time.Time
}

var _ payments.Provider = (*Provider)(nil)

// New returns a provider that calls Stripe at an address with a secret key. Its
// caller bounds each call by the context.
func New(address, key string, now func() time.Time) *Provider {
	return &Provider{
		backend: api.GetBackendWithConfig(api.APIBackend, &api.BackendConfig{
			URL:        &address,
			HTTPClient: &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, TLSHandshakeTimeout: 2 * time.Second, IdleConnTimeout: 5 * time.Minute}},
			// Repeating is the caller's decision, and so is what is logged.
			MaxNetworkRetries: api.Int64(0),
			LeveledLogger:     &api.LeveledLogger{Level: api.LevelNull},
		}),
		key: key,
		now: now,
	}
}

const intents = "/v1/payment_intents"

// Charge implements payments.Provider.
func (p *Provider) Charge(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	id, err := p.intent(ctx, c)
	if err != nil {
		return refusal(err)
	}
	params := &api.PaymentIntentConfirmParams{PaymentMethod: &c.Method, ErrorOnRequiresAction: api.Bool(true)}
	params.Context = ctx
	params.SetIdempotencyKey("confirm-" + c.Key())
	var pi api.PaymentIntent
	err = p.backend.Call(http.MethodPost, intents+"/"+id+"/confirm", p.key, params, &pi)
	if unexpectedState(err) {
		return p.read(ctx, id)
	}
	if err != nil {
		return refusal(err)
	}
	return outcome(&pi), nil
}

// Lookup implements payments.Provider.
func (p *Provider) Lookup(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	id, err := p.intent(ctx, c)
	if err != nil {
		return payments.Outcome{}, classify(err)
	}
	return p.read(ctx, id)
}

// Void implements payments.Provider.
func (p *Provider) Void(ctx context.Context, c payments.Charge) (payments.Outcome, error) {
	id, err := p.intent(ctx, c)
	if err != nil {
		return payments.Outcome{}, classify(err)
	}
	params := &api.PaymentIntentCancelParams{CancellationReason: api.String("abandoned")}
	params.Context = ctx
	var pi api.PaymentIntent
	err = p.backend.Call(http.MethodPost, intents+"/"+id+"/cancel", p.key, params, &pi)
	if err == nil {
		return outcome(&pi), nil
	}
	if !unexpectedState(err) {
		return payments.Outcome{}, classify(err)
	}
	// It is decided, or about to be.
	o, err := p.read(ctx, id)
	if err == nil && o.Result == payments.Pending {
		err = apperr.New(apperr.Unavailable, "charge_in_progress", "The payment provider is working on the charge.")
	}
	return o, err
}

// Refund implements payments.Provider.
func (p *Provider) Refund(ctx context.Context, r payments.Return) (string, error) {
	params := &api.RefundParams{PaymentIntent: &r.Charge, Amount: api.Int64(minor(r.Amount))}
	params.Context = ctx
	params.SetIdempotencyKey(r.Key())
	var re api.Refund
	err := p.backend.Call(http.MethodPost, "/v1/refunds", p.key, params, &re)
	if err == nil && !stands(&re) {
		err = fmt.Errorf("stripe: refund %s is %s", re.ID, re.Status)
	}
	if err == nil {
		return re.ID, nil
	}
	// Whatever the answer was: if the money went back, it went back.
	list := &refundList{PaymentIntent: r.Charge, Limit: 10}
	list.Context = ctx
	var made api.RefundList
	if listErr := p.backend.Call(http.MethodGet, "/v1/refunds", p.key, list, &made); listErr != nil {
		return "", errors.Join(classify(err), classify(listErr))
	}
	for _, re := range made.Data {
		if stands(re) && re.Amount == minor(r.Amount) {
			return re.ID, nil
		}
	}
	return "", classify(err)
}

// stands reports whether a refund is made or on its way.
func stands(re *api.Refund) bool {
	return re.Status == api.RefundStatusSucceeded || re.Status == api.RefundStatusPending
}

// intent returns the id of the order's intent, which it makes if there is none.
// No state is read from it: a repeated answer holds that of the first.
func (p *Provider) intent(ctx context.Context, c payments.Charge) (string, error) {
	if p.now().Sub(c.Since) > keyMemory {
		if id, err := p.search(ctx, c.OrderID); err != nil || id != "" {
			return id, err
		}
	}
	params := &api.PaymentIntentParams{
		Amount:             api.Int64(minor(c.Amount)),
		Currency:           api.String(strings.ToLower(c.Amount.Currency)),
		PaymentMethodTypes: api.StringSlice([]string{"card"}),
		Metadata:           map[string]string{"order_id": c.OrderID},
	}
	params.Context = ctx
	params.SetIdempotencyKey(c.Key())
	var pi api.PaymentIntent
	err := p.backend.Call(http.MethodPost, intents, p.key, params, &pi)
	return pi.ID, err
}

// search returns the id of the order's intent, or "" where there is none. Were
// there several, the one that was paid would count.
func (p *Provider) search(ctx context.Context, orderID string) (string, error) {
	params := &searchParams{Query: "metadata['order_id']:'" + orderID + "'", Limit: 10}
	params.Context = ctx
	var found api.PaymentIntentSearchResult
	if err := p.backend.Call(http.MethodGet, intents+"/search", p.key, params, &found); err != nil {
		return "", err
	}
	id := ""
	for _, pi := range found.Data {
		if id == "" || pi.Status == api.PaymentIntentStatusSucceeded {
			id = pi.ID
		}
	}
	return id, nil
}

func (p *Provider) read(ctx context.Context, id string) (payments.Outcome, error) {
	params := &api.PaymentIntentParams{}
	params.Context = ctx
	var pi api.PaymentIntent
	if err := p.backend.Call(http.MethodGet, intents+"/"+id, p.key, params, &pi); err != nil {
		return payments.Outcome{}, classify(err)
	}
	return outcome(&pi), nil
}

// The parameters of stripe-go's own lists come with its iterators; one page is
// all that is needed here.
type searchParams struct {
	api.Params `form:"*"`
	Query      string `form:"query"`
	Limit      int64  `form:"limit"`
}

type refundList struct {
	api.Params    `form:"*"`
	PaymentIntent string `form:"payment_intent"`
	Limit         int64  `form:"limit"`
}

// outcome says what an intent's state means.
// https://docs.stripe.com/payments/paymentintents/lifecycle
func outcome(pi *api.PaymentIntent) payments.Outcome {
	switch pi.Status {
	case api.PaymentIntentStatusSucceeded:
		return payments.Outcome{Result: payments.Paid, Charge: pi.ID}
	case api.PaymentIntentStatusCanceled:
		return payments.Outcome{Result: payments.Refused, Code: "voided"}
	case api.PaymentIntentStatusRequiresAction:
		// Nobody is there to act: the customer has left with an answer.
		return payments.Outcome{Result: payments.Refused, Code: "authentication_required"}
	case api.PaymentIntentStatusRequiresPaymentMethod:
		// It is also the state before the first confirmation.
		if e := pi.LastPaymentError; e != nil {
			return payments.Outcome{Result: payments.Refused, Code: declineCode(e)}
		}
	}
	return payments.Outcome{}
}

func declineCode(e *api.Error) string {
	if e.DeclineCode != "" {
		return string(e.DeclineCode)
	}
	return string(e.Code)
}

// refusal says whether an error means that the order can never be charged.
// https://docs.stripe.com/error-codes
func refusal(err error) (payments.Outcome, error) {
	if e, ok := errors.AsType[*api.Error](err); ok {
		switch {
		case e.Type == api.ErrorTypeCard:
			return payments.Outcome{Result: payments.Refused, Code: declineCode(e)}, nil
		case e.Code == api.ErrorCodeResourceMissing && e.Param == "payment_method":
			return payments.Outcome{Result: payments.Refused, Code: "unknown_method"}, nil
		case e.Code == api.ErrorCodeAmountTooSmall || e.Code == api.ErrorCodeAmountTooLarge:
			return payments.Outcome{Result: payments.Refused, Code: string(e.Code)}, nil
		}
	}
	return payments.Outcome{}, classify(err)
}

func unexpectedState(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && e.Code == api.ErrorCodePaymentIntentUnexpectedState
}

// classify sorts errors by what is known after them: an Unavailable one was not
// taken up at all.
func classify(err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		said := fmt.Errorf("stripe: HTTP %d %s %s (request %s)", e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
		if e.HTTPStatusCode == http.StatusTooManyRequests || e.HTTPStatusCode == http.StatusConflict {
			return unavailable(said)
		}
		return said
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		said := fmt.Errorf("stripe: %w", ue.Err)
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
			return unavailable(said)
		}
		return said
	}
	return errors.New("stripe: the answer cannot be read")
}

func unavailable(err error) error {
	return apperr.Wrap(err, apperr.Unavailable, "provider_unavailable", "The payment provider does not take requests at the moment.")
}

// hundredfold holds the currencies without a minor unit whose amounts Stripe
// wants as if they had one (https://docs.stripe.com/currencies#special-cases).
var hundredfold = map[string]bool{"ISK": true, "UGX": true}

// minor returns an amount in Stripe's smallest unit.
func minor(m events.Money) int64 {
	if hundredfold[m.Currency] {
		return m.Amount * 100
	}
	return m.Amount
}
