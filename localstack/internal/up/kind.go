package up

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/endpoint/localstack"
	"tradewind/localstack/internal/endpoint/ministack"
	"tradewind/localstack/internal/usererr"
)

// kind is what differs between the endpoints.
type kind struct {
	// config says how it is started.
	config func(w *workspace, log string, port int) (endpoint.Config, error)
	// forgets says that it has an HTTP API without the cross-origin rules of its template.
	forgets bool
}

// DefaultEndpoint is the endpoint when nobody asks for another.
const DefaultEndpoint = "ministack"

var kinds = map[string]kind{
	DefaultEndpoint: {
		config: func(w *workspace, log string, port int) (endpoint.Config, error) {
			return ministack.Config(w.Root, w.EndpointDir(), log, port)
		},
		forgets: true,
	},
	"localstack": {
		config: func(w *workspace, log string, port int) (endpoint.Config, error) {
			return localstack.Config(w.Root, w.Root+"/"+app, w.EndpointDir(), log, port)
		},
	},
	// LocalStack's image, which nobody here could run: see the compose file.
	"localstack-image": {
		config: func(w *workspace, log string, port int) (endpoint.Config, error) {
			env := []string{"PORT=" + strconv.Itoa(port)}
			for _, name := range []string{"PATH", "HOME", "DOCKER_HOST", "LOCALSTACK_AUTH_TOKEN"} {
				env = append(env, name+"="+os.Getenv(name))
			}
			return endpoint.Config{
				Command: []string{"docker", "compose", "-f", w.Root + "/localstack/internal/endpoint/localstack/compose.yaml", "up"},
				Env:     env, Dir: w.EndpointDir(), Log: log, Port: port, Ready: "/_localstack/health",
				Patience: 10 * time.Minute, // the image has to come first
			}, nil
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
		return k, usererr.New(nil, fmt.Sprintf("make it %s, localstack or localstack-image", DefaultEndpoint), "there is no endpoint %q", name)
	}
	return k, nil
}
