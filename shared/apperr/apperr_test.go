package apperr_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
)

func TestKindOf(t *testing.T) {
	conflict := apperr.New(apperr.Conflict, "sku_taken", "There is a product with this SKU already.")
	tests := map[string]struct {
		err  error
		want apperr.Kind
	}{
		"nothing":             {nil, apperr.Internal},
		"no kind":             {io.EOF, apperr.Internal},
		"a kind":              {conflict, apperr.Conflict},
		"wrapped":             {fmt.Errorf("save: %w", conflict), apperr.Conflict},
		"joined":              {errors.Join(io.EOF, conflict), apperr.Conflict},
		"with a cause":        {apperr.Wrap(io.EOF, apperr.Unavailable, "down", "Try again."), apperr.Unavailable},
		"outermost counts":    {apperr.Wrap(conflict, apperr.Unavailable, "down", "Try again."), apperr.Unavailable},
		"stale is a conflict": {fmt.Errorf("save: %w", apperr.ErrStale), apperr.Conflict},
	}
	for name, tt := range tests {
		if got := apperr.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := apperr.Wrap(io.ErrUnexpectedEOF, apperr.Unavailable, "down", "Try again.")
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if got := err.Error(); got != "down: Try again.: unexpected EOF" {
		t.Errorf("for the log: %q", got)
	}
	if got := apperr.New(apperr.Conflict, "taken", "It is taken.").Error(); got != "taken: It is taken." {
		t.Errorf("for the log: %q", got)
	}
}

func TestKindsHaveWords(t *testing.T) {
	want := []string{"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "unavailable", "internal"}
	var got []string
	for k := apperr.Internal; k <= apperr.Unavailable+1; k++ {
		got = append(got, k.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	var c apperr.Check
	c.That(true, "/a", "is never said")
	if err := c.Err(); err != nil {
		t.Fatalf("nothing failed: %v", err)
	}
	c.That(false, "/b", "must be so")
	c.Fail("/c/0", "is required")
	e, ok := errors.AsType[*apperr.Error](c.Err())
	if !ok || e.Kind != apperr.Invalid || e.Code != "invalid" || e.Message == "" {
		t.Fatalf("error %+v", e)
	}
	if diff := cmp.Diff([]apperr.Field{{Pointer: "/b", Message: "must be so"}, {Pointer: "/c/0", Message: "is required"}}, e.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// The domain collects what is wrong, so that a client learns all of it at once.
func ExampleCheck() {
	quantity, note := 0, ""
	var c apperr.Check
	c.That(quantity > 0, "/quantity", "must be at least 1")
	c.That(note != "", "/note", "is required")
	err := c.Err()
	e, _ := errors.AsType[*apperr.Error](err)
	fmt.Println(apperr.KindOf(err), e.Fields)

	// Output: invalid [{/quantity must be at least 1} {/note is required}]
}
