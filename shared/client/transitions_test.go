package client

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTransitions takes a breaker through what may happen to it, a letter each: g, b and
// n are tries that end well, badly and for a reason of their own; s is one that begins,
// and G, B and N end the first of those that have begun. In h half the time passes for
// which an open circuit stays open.
func TestTransitions(t *testing.T) {
	many := strings.Repeat
	opened := many("b", 10)
	tests := map[string]struct {
		script  string
		state   string
		changes string
		refused int
	}{
		"none":                      {"", closed, "", 0},
		"nine failures":             {many("b", 9), closed, "", 0},
		"ten failures":              {opened, open, "open", 0},
		"ten after a good time":     {many("g", 1000) + opened, open, "open", 0},
		"every second of nineteen":  {many("gb", 9) + "g", closed, "", 0},
		"every second of twenty":    {many("gb", 10), open, "open", 0},
		"two of five":               {many("gbgbg", 100), closed, "", 0},
		"nine of every twenty":      {many(many("b", 9)+many("g", 11), 50), closed, "", 0},
		"ten of twenty":             {many("b", 9) + many("g", 10) + "b", open, "open", 0},
		"ten of twenty-one":         {many("b", 9) + many("g", 11) + "b", closed, "", 0},
		"reasons of their own":      {many("n", 100), closed, "", 0},
		"which count for nothing":   {many("b", 9) + many("n", 100) + "b", open, "open", 0},
		"open":                      {opened + "ggg", open, "open", 3},
		"open, half the time":       {opened + "hg", open, "open", 1},
		"open, all the time":        {opened + "hh", halfOpen, "open half-open", 0},
		"open for long":             {opened + many("h", 1000), halfOpen, "open half-open", 0},
		"probing":                   {opened + "hhsss", halfOpen, "open half-open", 2},
		"the probe is good":         {opened + "hhg", closed, "open half-open closed", 0},
		"the probe is bad":          {opened + "hhb", open, "open half-open open", 0},
		"the probe is nothing":      {opened + "hhn", halfOpen, "open half-open", 0},
		"many probes":               {opened + many("hhb", 5) + "hhg", closed, many("open half-open ", 6) + "closed", 0},
		"a bad probe's time":        {opened + "hhbhg", open, "open half-open open", 1},
		"the next probe":            {opened + "hhnsg", halfOpen, "open half-open", 1},
		"the next probe is good":    {opened + "hhng", closed, "open half-open closed", 0},
		"the probe takes long":      {opened + "hhs" + many("h", 9) + "gG", closed, "open half-open closed", 1},
		"closed, nine failures":     {opened + "hhg" + many("b", 9), closed, "open half-open closed", 0},
		"closed, ten failures":      {opened + "hhg" + opened, open, "open half-open closed open", 0},
		"late and good, open":       {"s" + opened + "G", open, "open", 0},
		"late and bad, open":        {"s" + opened + "hBh", halfOpen, "open half-open", 0},
		"late and good, half-open":  {"s" + opened + "hhG", halfOpen, "open half-open", 0},
		"late and bad, half-open":   {"s" + opened + "hhB", halfOpen, "open half-open", 0},
		"late and good, probing":    {"s" + opened + "hhsGs", halfOpen, "open half-open", 1},
		"late and bad, probing":     {"s" + opened + "hhsBs", halfOpen, "open half-open", 1},
		"late and nothing, probing": {"s" + opened + "hhsNs", halfOpen, "open half-open", 1},
		"late and bad, closed":      {many("s", 9) + opened + "hhg" + many("B", 9) + "b", closed, "open half-open closed", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var changes []string
				b := breaker{state: closed, openFor: 10 * time.Second, changed: func(from, to string) {
					if len(changes) == 0 && from != closed || len(changes) > 0 && from != changes[len(changes)-1] {
						t.Errorf("from %s to %s after %q", from, to, changes)
					}
					changes = append(changes, to)
				}}
				var begun []int
				refused := 0
				begin := func() {
					if turn, ok := b.allow(time.Now()); ok {
						begun = append(begun, turn)
					} else {
						refused++
					}
				}
				end := func(at int, v verdict) {
					b.done(begun[at], v)
					begun = slices.Delete(begun, at, at+1)
				}
				verdicts := map[rune]verdict{'g': good, 'b': bad, 'n': nothing, 'G': good, 'B': bad, 'N': nothing}
				for _, what := range test.script {
					switch what {
					case 'h':
						time.Sleep(b.openFor / 2)
					case 's':
						begin()
					case 'G', 'B', 'N':
						end(0, verdicts[what])
					default:
						before := len(begun)
						if begin(); len(begun) > before {
							end(before, verdicts[what])
						}
					}
				}
				state, _ := b.look(time.Now())
				if state != test.state || strings.Join(changes, " ") != test.changes || refused != test.refused {
					t.Errorf("%s by %q with %d refused, want %s by %q with %d", state, changes, refused, test.state, test.changes, test.refused)
				}
			})
		})
	}
}
