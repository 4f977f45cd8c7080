package up

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestBacklog(t *testing.T) {
	var b backlog
	var told []string
	began := time.Now()
	for i, seen := range []struct {
		waiting, oldest int // orders, seconds
	}{
		{0, 0},
		{200, 3}, // just placed
		{1, 40},  // one whose payment is never answered
		{212, 11}, {230, 21}, {190, 31},
		{150, 41}, // half a minute after the first
		{9, 41},   // neither here nor there
		{4, 41},
		{0, 0},
		{50, 12},
		{50, 4},
	} {
		if line := b.line(began.Add(time.Duration(i)*10*time.Second), seen.waiting, time.Duration(seen.oldest)*time.Second); line != "" {
			told = append(told, fmt.Sprint(i, " ", line))
		}
	}
	want := []string{
		"3 orders: 212 pending, the oldest for 11 s", "6 orders: 150 pending, the oldest for 41 s", "8 orders: the backlog is gone",
		"10 orders: 50 pending, the oldest for 12 s", "11 orders: the backlog is gone",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}
