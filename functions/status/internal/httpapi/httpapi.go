// Package httpapi is the status service's HTTP interface: what the platform is like,
// for anybody, and the answer of the whole public API where it has no route.
//
// GET /health says it for all services, each by the last probe of it; it asks none of
// them. The service's own /health/live and /health/ready are the load balancer's and
// the prober's business and are not there for who comes through the gateway.
//
// Below /docs it serves what the platform publishes for people and tools to read.
package httpapi

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"tradewind/events"
	"tradewind/functions/status"
	"tradewind/shared/health"
	"tradewind/shared/httpkit"
	"tradewind/shared/lambdahttp"
)

// again is when the next probes will have been made.
const again = time.Minute

// Routes returns the service's public routes.
func Routes(m *status.Monitor, log *slog.Logger) *httpkit.Router {
	rt := httpkit.NewRouter(log)
	rt.Handle("GET /health", report(m))
	rt.Handle("GET /health/openapi.json", httpkit.Document(status.OpenAPI))
	rt.Page("/docs/events", "text/html", events.Catalogue())
	rt.Page("/docs/events/asyncapi.json", "application/json", events.AsyncAPI())
	return rt
}

// Handler returns the public routes for the gateway, and for the load balancer the
// health of this service by its own checks beside them.
func Handler(m *status.Monitor, log *slog.Logger, checks ...health.Check) http.Handler {
	public, inside := Routes(m, log), health.Handle(Routes(m, log), checks...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lambdahttp.ViaBalancer(r.Context()) {
			inside.ServeHTTP(w, r)
			return
		}
		public.ServeHTTP(w, r)
	})
}

// report is the platform on the wire.
func report(m *status.Monitor) httpkit.Handler {
	type change struct {
		State   string           `json:"state"`
		SinceAt events.Timestamp `json:"sinceAt"`
		Cause   string           `json:"cause,omitempty"`
	}
	type check struct {
		Status        string `json:"status"`
		Waiting       *int   `json:"waiting,omitempty"`
		ObservedValue *int   `json:"observedValue,omitempty"`
		ObservedUnit  string `json:"observedUnit,omitempty"`
	}
	type service struct {
		Name        string            `json:"name"`
		Status      string            `json:"status"`
		State       string            `json:"state"`
		SinceAt     *events.Timestamp `json:"sinceAt,omitempty"`
		LastProbeAt *events.Timestamp `json:"lastProbeAt,omitempty"`
		LatencyMs   *int64            `json:"latencyMs,omitempty"`
		Cause       string            `json:"cause,omitempty"`
		Checks      map[string]check  `json:"checks,omitempty"`
		History     []change          `json:"history"`
	}
	type response struct {
		Status   string    `json:"status"`
		Services []service `json:"services"`
	}
	render := func(c status.Condition) service {
		s := service{Name: c.Name, Status: string(c.Status), State: string(c.State), Cause: c.Cause, History: []change{}}
		if !c.Since.IsZero() {
			s.SinceAt = new(events.Timestamp(c.Since))
		}
		if !c.LastProbe.IsZero() {
			s.LastProbeAt, s.LatencyMs = new(events.Timestamp(c.LastProbe)), new(c.Latency.Milliseconds())
		}
		for _, said := range c.Checks {
			if s.Checks == nil {
				s.Checks = map[string]check{}
			}
			shown := check{Status: string(said.Status)}
			if b := said.Backlog; b != nil {
				shown.Waiting, shown.ObservedValue, shown.ObservedUnit = &b.Waiting, new(int(b.Oldest.Seconds())), "s"
			}
			s.Checks[said.Name] = shown
		}
		for _, past := range c.Changes {
			s.History = append(s.History, change{string(past.State), events.Timestamp(past.Since), past.Cause})
		}
		return s
	}
	return func(r *http.Request) (httpkit.Answer, error) {
		platform, err := m.Report(r.Context())
		if err != nil {
			return httpkit.Answer{}, err
		}
		out := response{Status: string(platform.Status), Services: make([]service, 0, len(platform.Services))}
		for _, c := range platform.Services {
			out.Services = append(out.Services, render(c))
		}
		if platform.Status == status.Fail {
			return answer(http.StatusServiceUnavailable, out).With("Retry-After", strconv.Itoa(int(again.Seconds()))), nil
		}
		return answer(http.StatusOK, out), nil
	}
}

func answer(code int, body any) httpkit.Answer {
	return httpkit.JSON(code, body).With("Content-Type", "application/health+json").With("Cache-Control", "no-store")
}
