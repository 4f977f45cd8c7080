package main

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/process"
)

func TestMain(m *testing.M) {
	process.Main()
	os.Exit(m.Run())
}

var short = plan{
	environments: 2, every: time.Second, takes: 5 * time.Second, deadline: 4 * time.Second,
	healthy: 10 * time.Second, slow: 40 * time.Second, recovered: 40 * time.Second,
}

// good returns what is seen when all bounds are kept: two environments with an order each
// second.
func good() *record {
	r := &record{}
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for second := range 90 {
		for i := range short.environments {
			s := float64(second) + 0.1*float64(i+1)
			a := answer{environment: i, took: 20 * time.Millisecond, status: http.StatusCreated}
			called := second < 10 || second >= 55
			switch {
			case second >= 10 && second < 20:
				a.took, a.status, called = 3*time.Second, http.StatusServiceUnavailable, true
			case second >= 20 && second < 55:
				a.status = http.StatusServiceUnavailable
			}
			a.at = at(s) + a.took
			r.answers = append(r.answers, a)
			if called {
				r.calls = append(r.calls, call{i, at(s)})
			}
		}
	}
	for i := range short.environments {
		r.changes = append(r.changes, change{i, at(21), open}, change{i, at(31), halfOpen}, change{i, at(33), open}, change{i, at(54.5), halfOpen}, change{i, at(54.6 + float64(i)/10), closed})
	}
	slices.SortStableFunc(r.changes, func(a, b change) int { return int(a.at - b.at) })
	return r
}

func TestJudge(t *testing.T) {
	until := func(d time.Duration) func(change) bool { return func(c change) bool { return c.at > d } }
	tests := map[string]struct {
		change func(r *record)
		broken string // part of the bound's name; "" is none
	}{
		"kept":                    {func(*record) {}, ""},
		"refused at first":        {func(r *record) { r.answers[0].status = 503 }, "accepted before"},
		"nothing at first":        {func(r *record) { r.answers = r.answers[20:] }, "accepted before"},
		"a late answer of eighty": {func(r *record) { r.answers[20].took += time.Second; r.answers[20].at += time.Second }, "99 of 100"},
		"three tries":             {func(r *record) { r.calls = append(r.calls, r.calls[:20]...) }, "at any second"},
		"many while it is slow":   {func(r *record) { r.calls = append(r.calls, slices.Repeat([]call{{0, 41 * time.Second}}, 80)...) }, "while it is slow"},
		"opens late":              {func(r *record) { r.calls = append(r.calls, slices.Repeat([]call{{1, 20 * time.Second}}, 11)...) }, "until a circuit opens"},
		"does not open": {func(r *record) {
			r.changes = slices.DeleteFunc(r.changes, func(c change) bool { return c.environment == 1 })
		}, "until a circuit opens"},
		"does not probe": {func(r *record) {
			r.changes = slices.DeleteFunc(r.changes, func(c change) bool { return c.environment == 0 && c.at == 31*time.Second })
		}, "probes"},
		"closes late":        {func(r *record) { r.changes[len(r.changes)-1].at = 81 * time.Second }, "closes after"},
		"does not close":     {func(r *record) { r.changes = slices.DeleteFunc(r.changes, until(54550*time.Millisecond)) }, "closes after"},
		"refused afterwards": {func(r *record) { r.answers[len(r.answers)-1].status = 503 }, "refused after that"},
		"a defect":           {func(r *record) { r.answers[25].status = 500 }, "201 and 503"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := good()
			test.change(r)
			bounds := judge(short, r)
			err := broken(bounds)
			if (err == nil) != (test.broken == "") {
				t.Fatalf("%v\n%s", err, render(bounds))
			}
			if err != nil && !strings.Contains(err.Error(), test.broken) {
				t.Errorf("%v, want one about %q", err, test.broken)
			}
			if got := strings.Contains(render(bounds), "**broken**"); got != (err != nil) {
				t.Errorf("the table says broken %v:\n%s", got, render(bounds))
			}
		})
	}
}

func TestSeconds(t *testing.T) {
	seconds := good().seconds(short)
	if len(seconds) != 90 {
		t.Fatalf("%d seconds", len(seconds))
	}
	tests := map[int]second{
		0:  {orders: 2, calls: 2, median: 20 * time.Millisecond, p99: 20 * time.Millisecond, closed: 2},
		11: {orders: 2, calls: 2, closed: 2}, // nobody was answered
		14: {orders: 2, calls: 2, median: 3 * time.Second, p99: 3 * time.Second, closed: 2},
		22: {orders: 2, median: 3 * time.Second, p99: 3 * time.Second, open: 2},
		31: {orders: 2, median: 20 * time.Millisecond, p99: 20 * time.Millisecond, halfOpen: 2},
		89: {orders: 2, calls: 2, median: 20 * time.Millisecond, p99: 20 * time.Millisecond, closed: 2},
	}
	for i, want := range tests {
		if seconds[i] != want {
			t.Errorf("second %d: %+v, want %+v", i, seconds[i], want)
		}
	}
	if got := (&record{}).seconds(short); len(got) != 90 || got[0] != (second{closed: 2}) {
		t.Errorf("of nothing: %+v", got[0])
	}
}

func TestLog(t *testing.T) {
	var log bytes.Buffer
	r := &record{log: &log}
	r.line(0)([]byte(`{"msg":"breaker","target":"catalog-service","from":"closed","to":"open"}`))
	r.begin()
	for _, line := range []string{
		`{"msg":"breaker","target":"user-service","from":"closed","to":"open"}`,
		`{"msg":"call","target":"catalog-service","outcome":"timed out"}`,
		`not JSON`,
		`{"msg":"breaker","target":"catalog-service","from":"open","to":"half-open"}`,
	} {
		r.line(7)([]byte(line))
	}
	if len(r.changes) != 1 || r.changes[0].environment != 7 || r.changes[0].to != halfOpen {
		t.Errorf("changes %+v", r.changes)
	}
	if n := strings.Count(log.String(), "\n"); n != 5 {
		t.Errorf("%d lines are kept of 5", n)
	}
}

func TestPlot(t *testing.T) {
	for name, r := range map[string]*record{"good": good(), "nothing": {}} {
		drawn := plot(short, r.seconds(short))
		elements := map[string]int{}
		for decoder := xml.NewDecoder(bytes.NewReader(drawn)); ; {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				elements[start.Name.Local]++
				for _, attribute := range start.Attr {
					if strings.Contains(attribute.Value, "NaN") || strings.Contains(attribute.Value, "Inf") {
						t.Errorf("%s: %s=%q", name, attribute.Name.Local, attribute.Value)
					}
				}
			}
		}
		if elements["path"] != 4 || elements["rect"] < 90 {
			t.Errorf("%s: drawn %v", name, elements)
		}
	}
}

// TestDependency: what goes to the catalog while it is slow waits, and nothing else.
func TestDependency(t *testing.T) {
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.URL)
	}))
	defer balancer.Close()
	var called []int
	d := &dependency{balancer: balancer.URL + "/_alb/x", host: "catalog-service.", takes: 100 * time.Millisecond, called: func(i int) { called = append(called, i) }}
	defer d.close()
	address, err := d.listen(3)
	if err != nil {
		t.Fatal(err)
	}
	get := func(host string) time.Duration {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", address+"/api/products/a%2Fb?x=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		start := time.Now()
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if want := host + " /_alb/x/api/products/a%2Fb?x=1"; err != nil || string(body) != want {
			t.Errorf("got %q, %v; want %q", body, err, want)
		}
		return time.Since(start)
	}
	get("catalog-service.local.internal")
	d.slow.Store(true)
	if took := get("catalog-service.local.internal"); took < d.takes {
		t.Errorf("the slow one took %v", took)
	}
	get("user-service.local.internal")
	if !slices.Equal(called, []int{3, 3}) {
		t.Errorf("called by %v", called)
	}
}

func TestClaims(t *testing.T) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	got, err := claimsOf("x." + part(`{"username":"usr_1","token_use":"access","exp":1,"cognito:groups":["a"]}`) + ".y")
	if err != nil || len(got) != 2 || got["username"] != "usr_1" || got["token_use"] != "access" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, token := range []string{"", "x.y", "x.!.y", "x." + part("[") + ".y"} {
		if _, err := claimsOf(token); err == nil {
			t.Errorf("%q has claims", token)
		}
	}
}

func TestPublish(t *testing.T) {
	page := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(page, []byte("before\n"+tableBegin+"old\n"+tableEnd+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := publish(page, "new\n", []byte("<svg/>")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if want := "before\n" + tableBegin + "new\n" + tableEnd + "\nafter\n"; err != nil || string(got) != want {
		t.Errorf("page %q, want %q (%v)", got, want, err)
	}
	if plotted, err := os.ReadFile(filepath.Join(filepath.Dir(page), "slow.svg")); err != nil || string(plotted) != "<svg/>" {
		t.Errorf("plot %q, %v", plotted, err)
	}
	if err := os.WriteFile(page, []byte("no place\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publish(page, "new\n", nil); err == nil {
		t.Error("a page without a place for the table is accepted")
	}
}

// TestNoPlatform: who runs it alone is told what to do.
func TestNoPlatform(t *testing.T) {
	t.Setenv("TRADEWIND_OUTPUTS", "")
	if err := run(t.Context(), short, t.TempDir(), "", io.Discard); err == nil || !strings.Contains(err.Error(), "make slow") {
		t.Errorf("got %v", err)
	}
}
