package trace_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tradewind/shared/trace"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestCorrelationID(t *testing.T) {
	tests := map[string]struct {
		sent string
		kept bool
	}{
		"letters, digits, marks": {"aZ09._-", true},
		"one":                    {"x", true},
		"longest":                {strings.Repeat("x", 128), true},
		"too long":               {strings.Repeat("x", 129), false},
		"none":                   {"", false},
		"space":                  {"a b", false},
		"line end":               {"a\nb", false},
		"quote":                  {`a"b`, false},
		"another alphabet":       {"ä", false},
		"slash":                  {"a/b", false},
		"not UTF-8":              {"\xff", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := trace.New(tt.sent, "").CorrelationID
			if (got == tt.sent) != tt.kept {
				t.Errorf("sent %q, got %q", tt.sent, got)
			}
			if !tt.kept && (len(got) != 32 || got == trace.New(tt.sent, "").CorrelationID) {
				t.Errorf("made %q", got)
			}
		})
	}
}

func TestParent(t *testing.T) {
	tests := map[string]struct {
		sent string
		kept bool
	}{
		"sampled":             {parent, true},
		"not sampled":         {strings.TrimSuffix(parent, "1") + "0", true},
		"none":                {"", true},
		"too short":           {parent[:54], false},
		"too long":            {parent + "0", false},
		"a later version":     {"01" + parent[2:], false},
		"upper case":          {strings.ToUpper(parent), false},
		"no trace":            {"00-" + strings.Repeat("0", 32) + parent[35:], false},
		"no span":             {parent[:36] + strings.Repeat("0", 16) + parent[52:], false},
		"letter g":            {strings.Replace(parent, "4bf", "4gf", 1), false},
		"flags are no digits": {parent[:53] + "0x", false},
		"first mark":          {strings.Replace(parent, "00-4", "00_4", 1), false},
		"second mark":         {strings.Replace(parent, "6-00", "6_00", 1), false},
		"third mark":          {strings.Replace(parent, "7-01", "7_01", 1), false},
	}
	for name, tt := range tests {
		want := tt.sent
		if !tt.kept {
			want = ""
		}
		if got := trace.New("c-1", tt.sent).Parent; got != want {
			t.Errorf("%s: sent %q, got %q", name, tt.sent, got)
		}
	}
}

func TestContext(t *testing.T) {
	if got := trace.From(context.Background()); got != (trace.Trace{}) {
		t.Errorf("of nothing: %+v", got)
	}
	want := trace.Trace{CorrelationID: "c-1", CausationID: "evt_1", Parent: parent}
	if got := trace.From(trace.With(context.Background(), want)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What a caller sent is carried on where it is well-formed, and replaced or left
// out where it is not.
func ExampleNew() {
	good := trace.New("checkout-42", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	fmt.Println(good.CorrelationID, good.Parent)
	bad := trace.New("<script>", "banana")
	fmt.Println(len(bad.CorrelationID), bad.Parent == "")

	// Output:
	// checkout-42 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
	// 32 true
}
