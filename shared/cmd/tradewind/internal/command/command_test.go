package command

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tradewind/shared/cmd/tradewind/internal/stage"
)

func TestMoment(t *testing.T) {
	now := time.Now()
	tests := map[string]struct {
		text string
		want time.Time
		err  string
	}{
		"time":        {"2026-11-11T10:00:00Z", time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC), ""},
		"other zone":  {"2026-11-11T12:00:00+01:00", time.Date(2026, 11, 11, 11, 0, 0, 0, time.UTC), ""},
		"how long":    {"1h30m", now.Add(-90 * time.Minute), ""},
		"to come":     {"-1h", time.Time{}, "such as 2h"},
		"day":         {"2026-11-11", time.Time{}, "such as 2026-11-12T14:00:00Z"},
		"no unit":     {"90", time.Time{}, "such as 2h"},
		"not a time":  {"soon", time.Time{}, `"soon" is not a time`},
		"not in time": {"2026-13-11T10:00:00Z", time.Time{}, "is not a time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var m Moment
			err := m.UnmarshalText([]byte(test.text))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, %v; want an error with %q", m, err, test.err)
				}
				return
			}
			if off := m.Sub(test.want).Abs(); err != nil || off > time.Minute || m.Location() != time.UTC {
				t.Errorf("got %v, %v; want %v", m, err, test.want)
			}
		})
	}
}

// TestWindow: AWS wants the beginning of a replay before its end (recorded on 2025-03-12).
func TestWindow(t *testing.T) {
	now := Moment{time.Now().Add(-time.Hour).UTC()}
	ago := func(d time.Duration) Moment { return Moment{time.Now().Add(-d).UTC()} }
	tests := map[string]struct {
		window WindowFlags
		err    string
	}{
		"from and to":  {WindowFlags{ago(2 * time.Hour), ago(time.Hour)}, ""},
		"until now":    {WindowFlags{From: ago(time.Hour)}, ""},
		"no beginning": {WindowFlags{To: ago(time.Hour)}, "--from is missing"},
		"one moment":   {WindowFlags{now, now}, "is empty"},
		"backwards":    {WindowFlags{ago(time.Hour), ago(2 * time.Hour)}, "is empty"},
		"to come":      {WindowFlags{From: ago(-time.Hour)}, "is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.window.Validate()
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
	if to := (WindowFlags{From: ago(time.Hour)}).Span().To; time.Since(to).Abs() > time.Minute {
		t.Errorf("a window without an end ends at %v", to)
	}
}

func TestKnown(t *testing.T) {
	s, known := &stage.Stage{Name: "dev"}, []string{"inventory", "orders"}
	if err := Known("--consumer", s, []string{"orders"}, known); err != nil {
		t.Error(err)
	}
	err := Known("--consumer", s, []string{"orders", "order"}, known)
	if want := "--consumer=order: stage dev has no order; it has inventory, orders"; err == nil || err.Error() != want || !errors.As(err, new(*UsageError)) {
		t.Errorf("got %v, want %s", err, want)
	}
}
