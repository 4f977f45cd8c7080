package up

import (
	"fmt"

	"tradewind/localstack/internal/combined"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fault"
	"tradewind/localstack/internal/ministack"
	"tradewind/localstack/internal/workspace"
)

// kind is what differs between the endpoints.
type kind struct {
	// config says how it is started.
	config func(w *workspace.Workspace, log string, port int) (endpoint.Config, error)
	// forgets says that it has an HTTP API without the cross-origin rules of its template.
	forgets bool
}

// DefaultEndpoint is the endpoint when nobody asks for another.
const DefaultEndpoint = "ministack"

var kinds = map[string]kind{
	DefaultEndpoint: {
		config: func(w *workspace.Workspace, log string, port int) (endpoint.Config, error) {
			return ministack.Config(w.Root, w.EndpointDir(), log, port)
		},
		forgets: true,
	},
	"localstack": {
		config: func(w *workspace.Workspace, log string, port int) (endpoint.Config, error) {
			return combined.Config(w.Root, w.Root+"/"+app, w.EndpointDir(), log, port)
		},
	},
}

// kindOf finds an endpoint by its name; none means the default one.
func kindOf(name string) (kind, error) {
	if name == "" {
		name = DefaultEndpoint
	}
	k, ok := kinds[name]
	if !ok {
		return k, fault.New(nil, fmt.Sprintf("make it %s or localstack", DefaultEndpoint), "there is no endpoint %q", name)
	}
	return k, nil
}
