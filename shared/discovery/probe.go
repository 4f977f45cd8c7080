package discovery

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Live is a probe by the route that every service of the platform has for it, and
// that needs no token. It makes a connection of its own each time: one that was kept
// would say little of whether the next comes about.
func Live(ctx context.Context, at Instance) error {
	address := *at.Base
	address.Path, address.RawPath = strings.TrimSuffix(address.Path, "/")+"/health/live", ""
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	r.Host = at.Host
	r.Close = true
	res, err := (&http.Transport{}).RoundTrip(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", &address, res.Status)
	}
	return nil
}
