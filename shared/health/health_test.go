package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/logs"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

func get(h http.Handler, path string) (*httptest.ResponseRecorder, health.Report) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	var r health.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		panic(err)
	}
	return w, r
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken error
		var logged bytes.Buffer
		h := health.Handle(httpkit.NewRouter(slog.New(slog.NewTextHandler(&logged, nil))),
			health.Check{Name: "table", Ask: func(context.Context) error { return broken }},
			health.Check{Name: "events", Ask: func(context.Context) error { return nil }})
		w, r := get(h, "/health/ready")
		if w.Code != http.StatusOK || r.Status != "pass" || len(r.Checks) != 2 || w.Header().Get("Content-Type") != "application/health+json" {
			t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		broken = errors.New("dial tcp 10.0.0.1: refused")
		if w, _ := get(h, "/health/ready"); w.Code != http.StatusOK {
			t.Error("an answer is given again for a moment")
		}
		time.Sleep(3 * time.Second)
		w, r = get(h, "/health/ready")
		if w.Code != http.StatusServiceUnavailable || r.Status != "fail" || r.Checks["table"].Status != "fail" || r.Checks["events"].Status != "pass" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "10.0.0.1") || !strings.Contains(logged.String(), "10.0.0.1") {
			t.Errorf("the cause belongs into the log: %s", w.Body)
		}
		if w, r := get(h, "/health/live"); w.Code != http.StatusOK || r.Status != "pass" {
			t.Errorf("alive, and not ready: %d %s", w.Code, w.Body)
		}
	})
}

// Work that waits is no failure, however long it does.
func TestBacklog(t *testing.T) {
	for name, tt := range map[string]struct {
		waiting int
		oldest  time.Duration
		err     error
		want    string
	}{
		"nothing waits":   {0, 0, nil, `{"status":"pass","observedValue":0,"observedUnit":"s","waiting":0}`},
		"not for long":    {3, time.Minute, nil, `{"status":"pass","observedValue":60,"observedUnit":"s","waiting":3}`},
		"for too long":    {212, 90 * time.Second, nil, `{"status":"warn","observedValue":90,"observedUnit":"s","waiting":212}`},
		"it is not known": {0, 0, errors.New("no answer"), `{"status":"warn"}`},
	} {
		t.Run(name, func(t *testing.T) {
			check := health.Backlog("orders", time.Minute, func(context.Context) (int, time.Duration, error) { return tt.waiting, tt.oldest, tt.err })
			w, _ := get(health.Handle(httpkit.NewRouter(logs.Discard()), check), "/health/ready")
			if want := `{"status":"pass","checks":{"orders":` + tt.want + `}}`; w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != want {
				t.Errorf("%d %s, want %s", w.Code, w.Body, want)
			}
		})
	}
}

// A check that hangs costs one answer its time, whoever asks meanwhile.
func TestHangingCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		h := health.Handle(httpkit.NewRouter(logs.Discard()), health.Check{Name: "table", Ask: func(ctx context.Context) error {
			asked.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}})
		start := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if w, _ := get(h, "/health/ready"); w.Code != http.StatusServiceUnavailable {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > 3*time.Second || asked.Load() != 1 {
			t.Errorf("%d checks, %v for all", asked.Load(), took)
		}
	})
}

func TestTable(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		w, _ := get(health.Handle(httpkit.NewRouter(logs.Discard()), health.Table(tbl)...), "/health/ready")
		if w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func ExampleHandle() {
	routes := httpkit.NewRouter(logs.Discard())
	health.Handle(routes, health.Check{Name: "table", Ask: func(context.Context) error { return nil }})
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, httptest.NewRequest("GET", "/health/ready", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"status":"pass","checks":{"table":{"status":"pass"}}}
}
