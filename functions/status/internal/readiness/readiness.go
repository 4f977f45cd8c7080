// Package readiness asks a service of the platform whether it is ready, and puts what
// is wrong into words that anybody may read.
//
// It does not use the kit's client: what that does to bring a call through in spite of
// a failure (another try, a breaker that spares the service) is what a probe must not
// do. One request, on a connection of its own, is what tells of the service and of
// nothing before it.
//
// Callers must keep: Fault.Cause is for everybody, Fault.Err for the log alone.
package readiness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"tradewind/functions/status"
	"tradewind/shared/discovery"
	"tradewind/shared/trace"
)

const (
	// path is where every service says whether it is ready.
	path = "/health/ready"
	// maxReport bounds what is read of an answer, in bytes, maxChecks how many of its
	// checks are kept, and maxNamed how many that fail are named as the cause.
	maxReport = 64 << 10
	maxChecks = 10
	maxNamed  = 5
)

// Asker asks services.
type Asker struct {
	resolver discovery.Resolver
	timeout  time.Duration
	client   *http.Client
}

// New returns an asker that waits no longer than timeout for an answer.
func New(r discovery.Resolver, timeout time.Duration) *Asker {
	return &Asker{r, timeout, &http.Client{
		// A connection kept through the minute between two probes would be one that the
		// other end has closed.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Fault is what was wrong with a service.
type Fault struct {
	Cause string
	Err   error // nil where Cause says it all
}

func (f *Fault) Error() string {
	if f.Err == nil {
		return f.Cause
	}
	return f.Cause + ": " + f.Err.Error()
}

// Unwrap returns the underlying error.
func (f *Fault) Unwrap() error { return f.Err }

// Ask asks a service once. It returns what the service says of its checks, and no fault
// if it is ready.
func (a *Asker) Ask(ctx context.Context, service string) ([]status.Check, *Fault) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	address, err := a.resolver.Resolve(ctx, service)
	switch {
	case errors.Is(err, discovery.ErrNoInstance):
		return nil, &Fault{"not registered", err}
	case err != nil:
		return nil, &Fault{"its address was not found", err}
	}
	checks, fault := a.exchange(ctx, address)
	address.Done(fault == nil)
	return checks, fault
}

func (a *Asker) exchange(ctx context.Context, address discovery.Address) ([]status.Check, *Fault) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.Base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, &Fault{"its address was not found", err}
	}
	r.Host = address.Host
	r.Header.Set("Accept", "application/health+json")
	if t := trace.From(ctx); t.CorrelationID != "" {
		r.Header.Set(trace.CorrelationHeader, t.CorrelationID)
	}
	res, err := a.client.Do(r)
	if err != nil {
		return nil, a.unanswered("could not be reached", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxReport))
	if err != nil {
		return nil, a.unanswered("its answer broke off", err)
	}
	return judge(res.StatusCode, text)
}

// unanswered tells what came too late from what did not come.
func (a *Asker) unanswered(otherwise string, err error) *Fault {
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return &Fault{fmt.Sprintf("no answer within %v s", a.timeout.Seconds()), err}
	}
	return &Fault{otherwise, err}
}

// judge reads the report that a service, or something in front of it, answered with.
func judge(code int, text []byte) ([]status.Check, *Fault) {
	var report struct {
		Status string
		Checks map[string]struct {
			Status                               string
			Waiting, ObservedValue, ObservedUnit any // of other checks than a backlog it may be anything
		}
	}
	err := json.Unmarshal(text, &report)
	var checks []status.Check
	var failed []string
	for _, name := range slices.Sorted(maps.Keys(report.Checks)) {
		if !presentable(name) || len(checks) == maxChecks {
			continue
		}
		said := report.Checks[name]
		check := status.Check{Name: name, Status: status.Pass}
		switch said.Status {
		case "fail":
			check.Status = status.Fail
			failed = append(failed, name+": fail")
		case "warn":
			check.Status = status.Warn
		}
		waiting, counted := whole(said.Waiting)
		if seconds, measured := whole(said.ObservedValue); counted && measured && said.ObservedUnit == "s" {
			check.Backlog = &status.Backlog{Waiting: waiting, Oldest: time.Duration(seconds) * time.Second}
		}
		checks = append(checks, check)
	}
	switch {
	case len(failed) > 0:
		return checks, &Fault{Cause: strings.Join(failed[:min(len(failed), maxNamed)], ", ")}
	case code != http.StatusOK:
		return checks, &Fault{Cause: fmt.Sprintf("answered %d", code)}
	case err != nil || report.Status == "":
		return nil, &Fault{"answered without a report", err}
	case report.Status == "fail":
		return checks, &Fault{Cause: "says that it fails"}
	}
	return checks, nil
}

// whole returns a number of JSON as a count, and reports whether it is one.
func whole(v any) (int, bool) {
	const most = 1e9
	f, ok := v.(float64)
	return int(f), ok && f >= 0 && f <= most
}

// presentable reports whether a check's name is a word that may be passed on to
// anybody.
func presentable(name string) bool {
	const longest = 32
	return name != "" && len(name) <= longest && !strings.ContainsFunc(name, func(c rune) bool {
		return c != '-' && c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
}
