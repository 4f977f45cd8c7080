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

// UnmarshalText reads a filter such as "type=order.*,cause=event_malformed": in each
// value a * stands for any text; a cause need only contain its value.
func (f *Filter) UnmarshalText(text []byte) error {
	*f = nil
	for part := range strings.SplitSeq(string(text), ",") {
		key, value, ok := strings.Cut(part, "=")
		of := keys[key]
		if !ok || of == nil || value == "" {
			return fmt.Errorf("%q is not a term: give type=, cause=, subject= or eventId= and a value, with commas between terms", part)
		}
		if key == "cause" {
			value = "*" + value + "*"
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(value), `\*`, ".*")
		*f = append(*f, term{of, regexp.MustCompile("(?s)^" + pattern + "$")})
	}
	return nil
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
