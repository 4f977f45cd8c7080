package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// mostFaults is how many faults are told of an operation's answers with a status; one
// cause makes many.
const mostFaults = 2

// witness sees every answer of the suite and holds it to what all answers must be.
type witness struct {
	docs atomic.Pointer[apidoc.Documents] // once they are read

	mu      sync.Mutex
	answers map[string]map[int]int // how many, by operation and status
	faults  map[string][]error     // by the same, as text
}

func newWitness() *witness {
	return &witness{answers: map[string]map[int]int{}, faults: map[string][]error{}}
}

// unrouted counts the answers to requests for what no document describes.
const unrouted = "(no operation)"

func (w *witness) see(r shop.Request, a *shop.Response) {
	docs := w.docs.Load()
	if docs == nil {
		return
	}
	path, _, _ := strings.Cut(r.Path, "?")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op := docs.Find(method, path)
	name := unrouted
	if op != nil {
		name = op.Name()
	}
	fault := w.judge(docs, op, path, r, a)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answers[name] == nil {
		w.answers[name] = map[int]int{}
	}
	w.answers[name][a.Status]++
	if fault != nil {
		key := fmt.Sprintf("%s %d", name, a.Status)
		w.faults[key] = append(w.faults[key], fault)
	}
}

func (w *witness) judge(docs *apidoc.Documents, op *apidoc.Operation, path string, r shop.Request, a *shop.Response) error {
	if gatewaysOwn(op, r, a) {
		return nil
	}
	if a.Status >= http.StatusInternalServerError {
		return fmt.Errorf("%s %.200s answers %d %.300s", r.Method, r.Path, a.Status, a.Body)
	}
	if err := traced(r, a); err != nil {
		return err
	}
	if a.Status >= http.StatusBadRequest && r.Method != http.MethodHead {
		if _, err := proper(path, a); err != nil {
			return fmt.Errorf("%s %.200s: %w", r.Method, r.Path, err)
		}
	}
	return docs.Judge(r, a)
}

// traced checks the correlation id of an answer.
func traced(r shop.Request, a *shop.Response) error {
	got := a.Header.Get("X-Correlation-Id")
	if !correlationID.MatchString(got) {
		return fmt.Errorf("%s %.200s answers with the correlation id %q", r.Method, r.Path, got)
	}
	if sent := r.Header.Get("X-Correlation-Id"); correlationID.MatchString(sent) && got != sent {
		return fmt.Errorf("%s %.200s answers with the correlation id %q, not %q", r.Method, r.Path, got, sent)
	}
	return nil
}

var (
	correlationID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	snakeCase     = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)*$`)

	// What is none of a client's business: where the platform runs, and on what.
	inside = regexp.MustCompile(`(?i)\b(aws|amazon|arn|dynamodb|lambda|cognito|eventbridge|sqs|goroutine|panic|runtime|localhost|127\.0\.0\.1)\b|\.go:\d|exception`)
)

// proper returns the problem document that a refusal is, or what it lacks.
func proper(path string, a *shop.Response) (*shop.Problem, error) {
	p, err := a.Problem()
	if err != nil {
		return nil, err
	}
	text := p.Title + " " + p.Detail + " " + p.Code
	for _, e := range p.Errors {
		text += " " + e.Message
		if e.Message == "" || e.Pointer != "" && !strings.HasPrefix(e.Pointer, "/") {
			return nil, fmt.Errorf("the error %+v says nothing: %s", e, a.Body)
		}
	}
	instance, err := url.PathUnescape(path)
	switch {
	case !snakeCase.MatchString(p.Code):
		return nil, fmt.Errorf("the code %q is no stable word: %s", p.Code, a.Body)
	case p.Detail == "" || p.Title == p.Detail:
		return nil, fmt.Errorf("there is no detail: %s", a.Body)
	case p.CorrelationID != a.Header.Get("X-Correlation-Id"):
		return nil, fmt.Errorf("the correlation id is another in the header, %q: %s", a.Header.Get("X-Correlation-Id"), a.Body)
	case err == nil && !strings.Contains(path, "%") && p.Instance != instance:
		return nil, fmt.Errorf("the instance is not %s: %s", instance, a.Body)
	case p.Status == http.StatusUnprocessableEntity && p.Code == "invalid" && len(p.Errors) == 0:
		return nil, fmt.Errorf("nothing says what is invalid: %s", a.Body)
	case inside.MatchString(text):
		return nil, fmt.Errorf("%q is told to clients: %s", inside.FindString(text), a.Body)
	}
	return p, nil
}

// refused checks that an answer is a proper refusal with a status.
func refused(t *testing.T, r shop.Request, a *shop.Response, status int) shop.Problem {
	t.Helper()
	path, _, _ := strings.Cut(r.Path, "?")
	p, err := proper(path, a)
	if err != nil {
		t.Errorf("%s %.200s, want %d: %v", r.Method, r.Path, status, err)
		return shop.Problem{}
	}
	if p.Status != status {
		t.Errorf("%s %.200s: %d (%s: %s), want %d", r.Method, r.Path, p.Status, p.Code, p.Detail, status)
	}
	return *p
}

// serverErrors returns how many answers of an operation were of status 500 or more,
// and how many there were in all.
func (w *witness) serverErrors(operation string) (bad, all int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for status, n := range w.answers[operation] {
		all += n
		if status >= http.StatusInternalServerError {
			bad += n
		}
	}
	return bad, all
}

// everyAnswer tells what was wrong with any answer of the suite.
func (s *suite) everyAnswer(t *testing.T) {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.seen.faults)) {
		faults := s.seen.faults[key]
		for _, fault := range faults[:min(len(faults), mostFaults)] {
			t.Error(fault)
		}
		if more := len(faults) - mostFaults; more > 0 {
			t.Errorf("%s: and %d more", key, more)
		}
	}
	total, byStatus := 0, map[int]int{}
	for _, statuses := range s.seen.answers {
		for status, n := range statuses {
			total += n
			byStatus[status] += n
		}
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		parts = append(parts, fmt.Sprintf("%d: %d", status, byStatus[status]))
	}
	t.Logf("%d answers held to their documents; %s", total, strings.Join(parts, ", "))
	for _, op := range s.docs.Operations {
		served := false
		for status := range s.seen.answers[op.Name()] {
			served = served || status < http.StatusBadRequest
		}
		if !served && s.walked {
			t.Errorf("%s was never a success", op.Name())
		}
	}
}
