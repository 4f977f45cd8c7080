// Package cloudmap tells AWS Cloud Map which services are well, so that callers who
// ask it for instances find those only.
//
// The health it sets is the custom one (HealthCheckCustomConfig), which nobody but
// this platform knows. Cloud Map takes a while to act on it, half a minute by its
// documentation, and until then still answers with the former: so every mark is set
// again each time, whatever the registry says is there.
package cloudmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery/types"

	"tradewind/functions/status"
)

// Registry is a status.Registry.
type Registry struct {
	client    *servicediscovery.Client
	namespace string
	log       *slog.Logger
}

var _ status.Registry = (*Registry)(nil)

// New returns the registry of the namespace with an id.
func New(client *servicediscovery.Client, namespaceID string, log *slog.Logger) *Registry {
	return &Registry{client, namespaceID, log}
}

// Mark implements status.Registry. One service that cannot be marked holds up no
// other.
func (r *Registry) Mark(ctx context.Context, healthy map[string]bool) error {
	ids, err := r.services(ctx)
	if err != nil {
		return err
	}
	var missing []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(healthy)) {
		id, registered := ids[name]
		if !registered {
			missing = append(missing, name)
			continue
		}
		if err := r.mark(ctx, id, healthy[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if len(missing) > 0 {
		r.log.WarnContext(ctx, "services are not in the registry", "targets", missing)
	}
	return errors.Join(errs...)
}

// services returns the ids of the namespace's services, by name.
func (r *Registry) services(ctx context.Context) (map[string]string, error) {
	ids := map[string]string{}
	pages := servicediscovery.NewListServicesPaginator(r.client, &servicediscovery.ListServicesInput{
		Filters: []types.ServiceFilter{{Name: types.ServiceFilterNameNamespaceId, Values: []string{r.namespace}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range page.Services {
			ids[aws.ToString(s.Name)] = aws.ToString(s.Id)
		}
	}
	return ids, nil
}

// mark sets the health of each instance of a service. One that is gone by then needs
// none.
func (r *Registry) mark(ctx context.Context, serviceID string, healthy bool) error {
	health := types.CustomHealthStatusUnhealthy
	if healthy {
		health = types.CustomHealthStatusHealthy
	}
	pages := servicediscovery.NewListInstancesPaginator(r.client, &servicediscovery.ListInstancesInput{ServiceId: &serviceID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, instance := range page.Instances {
			_, err := r.client.UpdateInstanceCustomHealthStatus(ctx, &servicediscovery.UpdateInstanceCustomHealthStatusInput{
				ServiceId: &serviceID, InstanceId: instance.Id, Status: health,
			})
			if _, gone := errors.AsType[*types.InstanceNotFound](err); err != nil && !gone {
				return err
			}
		}
	}
	return nil
}
