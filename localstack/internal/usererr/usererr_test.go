package usererr_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"tradewind/localstack/internal/usererr"
)

func TestFrom(t *testing.T) {
	advised := usererr.New(fs.ErrPermission, "free the port", "port %d is taken", 4566)
	tests := map[string]struct {
		err      error
		what, do string
	}{
		"advised":            {advised, "port 4566 is taken", "free the port"},
		"wrapped":            {fmt.Errorf("start: %w", advised), "port 4566 is taken", "free the port"},
		"without any":        {errors.New("odd"), "odd", ""},
		"advice is optional": {usererr.New(nil, "", "odd"), "odd", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := usererr.From(tt.err)
			if got.What != tt.what || got.Do != tt.do {
				t.Errorf("From(%v) = %q, %q", tt.err, got.What, got.Do)
			}
		})
	}
	if !errors.Is(advised, fs.ErrPermission) {
		t.Error("the cause is lost")
	}
	if got, want := advised.Error(), "port 4566 is taken; free the port"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
