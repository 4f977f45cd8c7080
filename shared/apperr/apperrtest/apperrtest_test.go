package apperrtest_test

import (
	"fmt"
	"io"
	"testing"

	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
)

func TestCode(t *testing.T) {
	conflict := apperr.New(apperr.Conflict, "sku_taken", "There is a product with this SKU already.")
	tests := map[string]struct {
		err  error
		want string
	}{
		"nothing":          {nil, "internal"},
		"no code":          {io.EOF, "internal"},
		"wrapped":          {fmt.Errorf("save: %w", conflict), "sku_taken"},
		"outermost counts": {apperr.Wrap(conflict, apperr.Unavailable, "down", "Try again."), "down"},
		"a predefined one": {fmt.Errorf("save: %w", apperr.ErrStale), "stale_version"},
	}
	for name, test := range tests {
		if got := apperrtest.Code(test.err); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
