package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// The endpoints by name.
const (
	MiniStack  = "MiniStack"
	LocalStack = "LocalStack"
)

// Identity says which endpoint one is.
type Identity struct {
	Name    string // MiniStack or LocalStack
	Version string
}

func (i Identity) String() string { return i.Name + " " + i.Version }

// Identify asks an endpoint which one it is. Whoever runs LocalStack, package combined
// or its image, it answers for itself.
func Identify(ctx context.Context, url string) (Identity, error) {
	var errs []error
	for name, path := range map[string]string{MiniStack: "/_ministack/health", LocalStack: "/_localstack/info"} {
		version, err := versionAt(ctx, url+path)
		if err == nil {
			return Identity{name, version}, nil
		}
		errs = append(errs, err)
	}
	return Identity{}, errors.Join(errs...)
}

func versionAt(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ Version string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || answer.Version == "" {
		return "", errors.New(url + ": " + resp.Status)
	}
	version, _, _ := strings.Cut(answer.Version, ":") // LocalStack adds a build
	return version, nil
}
