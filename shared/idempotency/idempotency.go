// Package idempotency makes a POST with an Idempotency-Key happen once: a
// repeat, also a concurrent one, gets the first one's answer.
//
// It exists without a lock. The record of the request, answer included, is part
// of the transaction that makes the effect, so there is no state in between that
// could be left behind by a crash and no time to wait for it to expire. A
// duplicate does its reads, fails to commit, and answers with what the winner
// stored. Powertools' idempotency keeps an in-progress record instead, because
// it cannot know what the handler commits; here the handler's commit is the
// record.
//
// Callers must keep: the effect commits at most once, and what it does outside
// of the table it does under a natural key. Answers with an error are never
// stored.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tradewind/shared/apperr"
	"tradewind/shared/httpkit"
	"tradewind/shared/identity"
	"tradewind/shared/table"
)

// Header is the request header that names a request.
const Header = "Idempotency-Key"

// replayed is set on answers that were stored before.
const replayed = "Idempotency-Replayed"

// lifetime is how long an answer is kept.
const lifetime = 24 * time.Hour

// Keeper keeps the records of requests in a service's table.
type Keeper struct {
	table *table.Table
	now   func() time.Time
	about func(result any) string
}

// New returns a keeper.
func New(t *table.Table, now func() time.Time) *Keeper { return &Keeper{table: t, now: now} }

// About returns a keeper whose answers hold personal data of the user whose id
// subject returns for an effect's result. Forget finds them by it.
func (k *Keeper) About(subject func(result any) string) *Keeper {
	return &Keeper{k.table, k.now, subject}
}

// Required refuses a request without a key with 400.
func Required(r *http.Request) error {
	if r.Header.Get(Header) == "" {
		return httpkit.BadRequest("idempotency_key_required", "Send an Idempotency-Key that is unique to this request, such as a UUID.")
	}
	return nil
}

// Do runs effect at most once per caller, route, key and payload, and renders
// what it returned. Without a key it just runs it. The effect runs again from
// its start when its commit was refused as stale.
func Do[T any](k *Keeper, r *http.Request, render func(T) httpkit.Answer, effect func(context.Context) (T, error)) (httpkit.Answer, error) {
	g, err := k.guard(r, func(result any) httpkit.Answer { return render(result.(T)) })
	if err != nil {
		return httpkit.Answer{}, err
	}
	ctx := r.Context()
	if g != nil {
		ctx = table.WithGuard(ctx, g)
	}
	var result T
	err = table.Again(ctx, func() (err error) {
		result, err = effect(ctx)
		return err
	})
	if err == nil && g != nil && !g.committed {
		// The effect changed nothing, but its key is used all the same.
		err = k.table.Commit(ctx, result)
	}
	switch {
	case err == nil && g == nil:
		return render(result), nil
	case err == nil:
		return g.answer, nil
	case g == nil:
		return httpkit.Answer{}, err
	}
	// Whatever went wrong: if this request was answered before, that is its
	// answer. A duplicate may fail on anything that has changed since.
	stored, lookupErr := k.stored(r.Context(), g)
	switch {
	case lookupErr != nil:
		return httpkit.Answer{}, lookupErr
	case stored == nil || stored.ExpiresAt < k.now().Unix() && !errors.Is(err, table.ErrDone):
		return httpkit.Answer{}, err
	case stored.PayloadHash != g.payloadHash:
		return httpkit.Answer{}, apperr.New(apperr.Invalid, "idempotency_key_reused", "This Idempotency-Key was used for another request; use a new one.")
	case stored.Erased:
		return httpkit.Answer{}, apperr.New(apperr.Conflict, "idempotency_answer_erased", "This request was answered before, and the answer has been erased with the user's personal data.")
	}
	return stored.answer(), nil
}

// forgetPage is how many records are looked up at a time.
const forgetPage = 50

// Forget erases the answers that hold personal data of a user, in the table of a
// service whose keeper says so with About. The requests stay done: a repeat is
// refused and has no effect. It may be repeated.
func Forget(ctx context.Context, t *table.Table, userID string) error {
	ctx = table.WithGuard(ctx, nil) // a step, not the effect
	after := ""
	for {
		records, next, err := table.List[record](ctx, t, table.Query{Index: table.GSI1, PK: subjectKey(userID), Limit: forgetPage, After: after})
		if err != nil {
			return fmt.Errorf("answers about %s: %w", userID, err)
		}
		for _, rec := range records {
			seen := rec.Version
			rec.Index, rec.Header, rec.Body, rec.Erased = table.Index{}, nil, nil, true
			rec.Version++
			// One that is not the same any more has expired and made room for
			// another request, or was erased by a repeat of this.
			if err := t.Commit(ctx, nil, table.Replace(rec, seen)); err != nil && !errors.Is(err, apperr.ErrStale) {
				return fmt.Errorf("erase an answer about %s: %w", userID, err)
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func subjectKey(userID string) string { return table.Prefixed("ANSWERS", userID) }

// record is a request that was answered.
type record struct {
	table.Key
	table.Index
	PayloadHash string            `dynamodbav:"payloadHash"`
	Status      int               `dynamodbav:"status"`
	Header      map[string]string `dynamodbav:"header"`
	Body        []byte            `dynamodbav:"body"`
	Erased      bool              `dynamodbav:"erased,omitempty"`
	Version     int               `dynamodbav:"version"`
	ExpiresAt   int64             `dynamodbav:"expiresAt"`
}

func (rec *record) answer() httpkit.Answer {
	a := httpkit.Answer{Status: rec.Status, Body: rec.Body}
	for name, value := range rec.Header {
		a = a.With(name, value)
	}
	return a.With(replayed, "true")
}

// guard is the table.Guard of one request.
type guard struct {
	key         table.Key
	payloadHash string
	render      func(any) httpkit.Answer
	about       func(any) string
	now         func() time.Time
	answer      httpkit.Answer // what the record holds
	committed   bool
}

// guard returns nil for a request without a key.
func (k *Keeper) guard(r *http.Request, render func(any) httpkit.Answer) (*guard, error) {
	sent := r.Header.Values(Header)
	if len(sent) == 0 {
		return nil, nil
	}
	// A header without a value is a client that has lost its key, not one that
	// wants none: it would repeat and not know that it had two effects.
	key := strings.Join(sent, ",")
	if !visibleASCII(key) {
		return nil, httpkit.BadRequest("idempotency_key_malformed", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
	}
	body, err := httpkit.Body(r)
	if err != nil {
		return nil, err
	}
	// White space is the encoder's choice, not part of the request.
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		body = compact.Bytes()
	}
	caller := "anonymous"
	if who, err := identity.Caller(r.Context()); err == nil {
		caller = who.UserID
	}
	return &guard{
		key: table.Key{PK: table.Prefixed("IDEMPOTENCY", hash(caller, r.Method, r.URL.Path, key)), SK: "IDEMPOTENCY"},
		// With the key, which is stored nowhere: a payload may hold a password,
		// and its bare hash could be searched for.
		payloadHash: hash(key, string(body)),
		render:      render,
		about:       k.about,
		now:         k.now,
	}, nil
}

// Record implements table.Guard.
func (g *guard) Record(result any) (table.Op, error) {
	g.answer = g.render(result)
	now := g.now()
	rec := record{
		Key:         g.key,
		PayloadHash: g.payloadHash,
		Status:      g.answer.Status,
		Header:      make(map[string]string, len(g.answer.Header)),
		Body:        g.answer.Body,
		Version:     1,
		ExpiresAt:   now.Add(lifetime).Unix(),
	}
	for name := range g.answer.Header {
		rec.Header[name] = g.answer.Header.Get(name)
	}
	if g.about != nil {
		rec.Index = table.Index{PK: subjectKey(g.about(result)), SK: g.key.PK}
	}
	return table.CreateOrRenew(rec, now, table.ErrDone), nil
}

// Committed implements table.Guard.
func (g *guard) Committed() { g.committed = true }

// stored returns the record of a request; nil where there is none. It may have
// expired and wait to be deleted.
func (k *Keeper) stored(ctx context.Context, g *guard) (*record, error) {
	var rec record
	found, err := k.table.Get(ctx, g.key, &rec)
	if err != nil {
		return nil, fmt.Errorf("stored answer: %w", err)
	}
	if !found {
		return nil, nil
	}
	return &rec, nil
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// hash joins parts by a byte that at most one of them holds.
func hash(parts ...string) string {
	h := sha256.New()
	for i, part := range parts {
		if i > 0 {
			h.Write([]byte{0})
		}
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
