package redrive

import (
	"fmt"
	"regexp"
	"strings"
)

// Filter picks letters: those for which all its terms hold.
type Filter []term

type term struct {
	of    func(Letter) string
	match *regexp.Regexp
}

// keys are what a filter can speak of.
var keys = map[string]func(Letter) string{
	"type":    func(l Letter) string { return l.Note.EventType },
	"cause":   func(l Letter) string { return l.Note.Cause },
	"subject": func(l Letter) string { return l.Note.Subject },
	"eventId": func(l Letter) string { return l.Note.EventID },
}

// ParseFilter reads a filter such as "type=order.*,cause=event_malformed": in each
// value a * stands for any text; a cause need only hold its value.
func ParseFilter(text string) (Filter, error) {
	var f Filter
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		of := keys[strings.TrimSpace(key)]
		if !ok || of == nil {
			return nil, fmt.Errorf("FILTER=%s: %q is none of type=, cause=, subject= and eventId=", text, part)
		}
		if key == "cause" {
			value = "*" + value + "*"
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(value), `\*`, ".*")
		f = append(f, term{of, regexp.MustCompile("(?s)^" + pattern + "$")})
	}
	return f, nil
}

// Match reports whether a letter is meant.
func (f Filter) Match(l Letter) bool {
	for _, t := range f {
		if !t.match.MatchString(t.of(l)) {
			return false
		}
	}
	return true
}
