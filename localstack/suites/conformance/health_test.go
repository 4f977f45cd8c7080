package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/shop"
)

// hosts are the services' names by the contract.
var hosts = []string{
	"catalog-service", "inventory-service", "notification-service", "order-service", "payment-service", "status-service", "user-service",
}

// platform is what GET /health answers.
type platform struct {
	Status   string
	Services []struct {
		Name, Status, State, SinceAt, LastProbeAt string
		LatencyMs                                 *int
	}
}

// probed waits until every service has been probed, which is a minute after the
// platform was deployed.
func (s *suite) probed(t *testing.T) {
	t.Helper()
	eventually(t, "the first round of probes", func() error {
		p := decoded[platform](t, ask(t, s.Anyone, shop.Request{Method: http.MethodGet, Path: "/health"}))
		for _, service := range p.Services {
			if service.LastProbeAt == "" {
				return fmt.Errorf("%s was not probed", service.Name)
			}
		}
		return nil
	})
}

// everyService checks that the platform tells of each of its services, and nothing of
// how it is built. That they are well is for a quieter suite to say.
func everyService(t *testing.T, _ *suite, _ *world, _ shop.Request, answer *shop.Response) {
	p := decoded[platform](t, answer)
	var names []string
	for _, s := range p.Services {
		names = append(names, s.Name)
		if s.Status == "unknown" || s.SinceAt == "" || s.LatencyMs == nil {
			t.Errorf("%+v", s)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(hosts, names); diff != "" {
		t.Error(diff)
	}
	if text := inside.FindString(string(answer.Body)); text != "" {
		t.Errorf("%q is told to clients: %s", text, answer.Body)
	}
}
