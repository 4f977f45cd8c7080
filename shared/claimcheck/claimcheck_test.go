package claimcheck_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"tradewind/events"
	"tradewind/shared/apperr"
	"tradewind/shared/claimcheck"
)

// shelf is a store that holds one thing for every key.
type shelf struct {
	body  []byte
	err   error
	limit int
}

func (s *shelf) Put(_ context.Context, _ string, body []byte) error {
	s.body = body
	return s.err
}

func (s *shelf) Get(_ context.Context, _ string, limit int) ([]byte, error) {
	s.limit = limit
	return s.body, s.err
}

// A claim is what another wrote: each of its parts may be wrong.
func TestFetchRefuses(t *testing.T) {
	data := []byte(`{"parcelId":"7"}`)
	tests := map[string]struct {
		change func(*events.Claim, *shelf)
		kind   apperr.Kind
		code   string
	}{
		"another's object":    {func(c *events.Claim, _ *shelf) { c.Key = claimcheck.Key("evt_2") }, apperr.Invalid, "claim_malformed"},
		"some other object":   {func(c *events.Claim, _ *shelf) { c.Key = "secrets.json" }, apperr.Invalid, "claim_malformed"},
		"too large":           {func(c *events.Claim, _ *shelf) { c.Bytes = 1001 }, apperr.Invalid, "claim_too_large"},
		"less than nothing":   {func(c *events.Claim, _ *shelf) { c.Bytes = -1 }, apperr.Invalid, "claim_too_large"},
		"another size":        {func(c *events.Claim, _ *shelf) { c.Bytes++ }, apperr.Invalid, "claim_damaged"},
		"another sum":         {func(c *events.Claim, _ *shelf) { c.SHA256 = "0" + c.SHA256[1:] }, apperr.Invalid, "claim_damaged"},
		"other data":          {func(_ *events.Claim, s *shelf) { s.body = []byte(`{"parcelId":"8"}`) }, apperr.Invalid, "claim_damaged"},
		"gone":                {func(_ *events.Claim, s *shelf) { s.err = apperr.New(apperr.NotFound, "x", "") }, apperr.NotFound, "claim_expired"},
		"away for the moment": {func(_ *events.Claim, s *shelf) { s.err = apperr.New(apperr.Unavailable, "x", "") }, apperr.Unavailable, "x"},
		"forbidden":           {func(_ *events.Claim, s *shelf) { s.err = errors.New("403") }, apperr.Internal, "internal"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			claims := claimcheck.New(claimcheck.Config{Store: s, Threshold: 1, Limit: 1000})
			claim, err := claims.Leave(t.Context(), "evt_1", data)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := claims.Fetch(t.Context(), "evt_1", *claim); err != nil || string(got) != string(data) || s.limit != len(data) {
				t.Fatalf("got %s, %v, limit %d", got, err, s.limit)
			}
			test.change(claim, s)
			_, err = claims.Fetch(t.Context(), "evt_1", *claim)
			if apperr.KindOf(err) != test.kind || apperr.CodeOf(err) != test.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNoClaims(t *testing.T) {
	var none *claimcheck.Claims
	if claim, err := none.Leave(t.Context(), "evt_1", make([]byte, 1<<20)); claim != nil || err != nil {
		t.Errorf("got %v, %v", claim, err)
	}
	if _, err := none.Fetch(t.Context(), "evt_1", events.Claim{}); apperr.CodeOf(err) != "claim_unexpected" {
		t.Errorf("got %v", err)
	}
}

// Data stay with the event while they are small.
func ExampleClaims_Leave() {
	claims := claimcheck.New(claimcheck.Config{Store: &shelf{}, Threshold: 20})
	for _, data := range []string{`{"parcelId":"7"}`, `{"parcelId":"7","contents":["lamp","rope"]}`} {
		claim, err := claims.Leave(context.Background(), "evt_1", []byte(data))
		if claim == nil {
			fmt.Println("carried", err)
			continue
		}
		fmt.Println("left as", claim.Key, claim.Bytes, err)
	}
	// Output:
	// carried <nil>
	// left as claims/evt_1.json 43 <nil>
}
