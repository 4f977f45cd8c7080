package integration

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery/types"

	"tradewind/localstack/internal/endpoint"
)

// registry is the stage's namespace in Cloud Map. What is done is done to each of its
// services alike.
type registry struct {
	client   *servicediscovery.Client
	services []string // ids
}

func connectRegistry(t *testing.T, p *platform) registry {
	t.Helper()
	r := registry{client: servicediscovery.NewFromConfig(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))}
	namespaces, err := r.client.ListNamespaces(t.Context(), &servicediscovery.ListNamespacesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range namespaces.Namespaces {
		if aws.ToString(n.Name) != namespace {
			continue
		}
		// The endpoint knows no filter, nor do we need one: it has one stage.
		services, err := r.client.ListServices(t.Context(), &servicediscovery.ListServicesInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range services.Services {
			r.services = append(r.services, aws.ToString(s.Id))
		}
	}
	if len(r.services) == 0 {
		t.Fatalf("%s holds no service", namespace)
	}
	return r
}

// add registers an instance until the test's end, in the place of another of that id.
func (r registry) add(t *testing.T, id, address string) {
	t.Helper()
	for _, service := range r.services {
		_, err := r.client.RegisterInstance(t.Context(), &servicediscovery.RegisterInstanceInput{
			ServiceId: aws.String(service), InstanceId: aws.String(id), Attributes: map[string]string{"url": address},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, service := range r.services {
			// Another of this id may have been taken away before.
			_, _ = r.client.DeregisterInstance(context.WithoutCancel(t.Context()), &servicediscovery.DeregisterInstanceInput{
				ServiceId: aws.String(service), InstanceId: aws.String(id),
			})
		}
	})
}

func (r registry) isUnhealthy(t *testing.T, id string) {
	t.Helper()
	for _, service := range r.services {
		_, err := r.client.UpdateInstanceCustomHealthStatus(t.Context(), &servicediscovery.UpdateInstanceCustomHealthStatusInput{
			ServiceId: aws.String(service), InstanceId: aws.String(id), Status: types.CustomHealthStatusUnhealthy,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
