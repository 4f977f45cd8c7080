package inventory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/functions/inventory"
	"tradewind/shared/apperr"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Minute)
)

const most = 1_000_000_000

// line returns a stock line as it may be stored.
func line(onHand, reserved int) inventory.Stock {
	return inventory.Stock{
		ProductID: "prd_1", OnHand: onHand, Reserved: reserved, Depleted: onHand == reserved,
		Version: 7, CreatedAt: noon, UpdatedAt: noon,
	}
}

// verdict is what became of a change: its refusal's code and the faulty field,
// or nothing.
func verdict(err error) string {
	if err == nil {
		return ""
	}
	e, _ := errors.AsType[*apperr.Error](err)
	if len(e.Fields) > 0 {
		return e.Code + " " + e.Fields[0].Pointer
	}
	return e.Code
}

func TestSet(t *testing.T) {
	tests := map[string]struct {
		from   inventory.Stock
		onHand int
		want   string
		delta  int
	}{
		"more":                {line(3, 0), 10, "", 7},
		"fewer":               {line(10, 3), 4, "", -6},
		"down to the reserve": {line(10, 3), 3, "", -7},
		"nothing":             {line(10, 0), 0, "", -10},
		"the most":            {line(0, 0), most, "", most},
		"the same":            {line(10, 3), 10, "", 0},
		"below the reserve":   {line(10, 3), 2, "insufficient_stock", 0},
		"below nothing":       {line(10, 0), -1, "invalid /onHand", 0},
		"above the most":      {line(10, 0), most + 1, "invalid /onHand", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := tt.from
			posting, err := s.Set(tt.onHand, later)
			expect(t, tt.from, s, posting, err, tt.want, tt.delta)
		})
	}
}

func TestAdjust(t *testing.T) {
	const why = "delivery"
	tests := map[string]struct {
		from   inventory.Stock
		delta  int
		reason string
		want   string
	}{
		"more":                  {line(3, 0), 7, why, ""},
		"fewer":                 {line(10, 3), -6, why, ""},
		"down to the reserve":   {line(10, 3), -7, why, ""},
		"up to the most":        {line(1, 0), most - 1, why, ""},
		"longest reason":        {line(1, 0), 1, strings.Repeat("ü", 200), ""},
		"below the reserve":     {line(10, 3), -8, why, "insufficient_stock"},
		"below nothing":         {line(0, 0), -1, why, "insufficient_stock"},
		"above the most":        {line(1, 0), most, why, "stock_limit_exceeded"},
		"by nothing":            {line(1, 0), 0, why, "invalid /delta"},
		"by more than there is": {line(1, 0), most + 1, why, "invalid /delta"},
		"by fewer than can be":  {line(1, 0), -most - 1, why, "invalid /delta"},
		"no reason":             {line(1, 0), 1, "", "invalid /reason"},
		"blank reason":          {line(1, 0), 1, " \t", "invalid /reason"},
		"long reason":           {line(1, 0), 1, strings.Repeat("ü", 201), "invalid /reason"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := tt.from
			posting, err := s.Adjust(tt.delta, tt.reason, later)
			delta := tt.delta
			if tt.want != "" {
				delta = 0
			}
			expect(t, tt.from, s, posting, err, tt.want, delta)
		})
	}
}

// expect compares a line after a change of its units on hand with the one
// before: changed by delta and one version on, or, where delta is zero, as it
// was.
func expect(t *testing.T, before, after inventory.Stock, posting inventory.Posting, err error, want string, delta int) {
	t.Helper()
	if got := verdict(err); got != want {
		t.Fatalf("refused with %q, want %q", got, want)
	}
	expected, expectedPosting := before, inventory.Posting{}
	if delta != 0 {
		expected.OnHand += delta
		expected.Version++
		expected.UpdatedAt = later
		expected.Depleted = before.Depleted && expected.OnHand == expected.Reserved
		expectedPosting = inventory.Posting{ProductID: "prd_1", Delta: delta, OnHand: expected.OnHand}
	}
	if diff := cmp.Diff(expected, after); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(expectedPosting, posting); diff != "" {
		t.Errorf("posting (-want +got):\n%s", diff)
	}
}

func TestOpen(t *testing.T) {
	want := inventory.Stock{ProductID: "prd_1", Depleted: true, Version: 1, CreatedAt: noon, UpdatedAt: noon}
	if diff := cmp.Diff(want, inventory.Open("prd_1", noon)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
