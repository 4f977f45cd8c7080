package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
)

// hosts are the services' names behind the balancer.
var hosts = map[string]string{
	"users": "user-service", "catalog": "catalog-service", "inventory": "inventory-service",
	"orders": "order-service", "payments": "payment-service", "notifications": "notification-service",
}

// balancer asks what it must be able to tell apart, and what it passes on in a way of
// its own. That every operation answers there as it does at the gateway, the suite of
// package conformance shows.
func balancer(t *testing.T, p *platform) {
	if p.inside == nil {
		t.Skip("the load balancer is reached from inside its network only")
	}
	for _, collection := range []string{"users", "products", "stock", "orders", "payments", "notifications"} {
		if resp := ask(t, p.inside, http.MethodGet, "/api/"+collection+"/openapi.json", nil, nil); resp.Status != http.StatusOK {
			t.Errorf("%s: %d %s", collection, resp.Status, resp.Body)
		}
	}
	for _, host := range hosts {
		name := host + ".local.internal"
		for _, path := range []string{"/health/live", "/health/ready"} {
			resp := ask(t, p.inside, http.MethodGet, path, shop.Header("Host", name), nil)
			if resp.Status != http.StatusOK || resp.Header.Get("Content-Type") != "application/health+json" || !strings.Contains(string(resp.Body), `"pass"`) {
				t.Errorf("%s%s: %d %v %s", name, path, resp.Status, resp.Header, resp.Body)
			}
		}
	}
	if resp := ask(t, p.inside, http.MethodGet, "/nothing", nil, nil); resp.Status != http.StatusNotFound {
		t.Errorf("nobody's path: %d", resp.Status)
	}
	c := p.customer(t)
	for name, body := range map[string][]byte{
		"a little too large":            bytes.Repeat([]byte(" "), 256<<10+1),
		"as large as the balancer lets": bytes.Repeat([]byte(" "), 1<<20),
	} {
		resp := ask(t, p.inside.As(c.tokens.Access), http.MethodPost, "/api/orders", shop.Header("Idempotency-Key", rand.Text()), body)
		if resp.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", name, resp.Status)
			continue
		}
		refused(t, resp, http.StatusRequestEntityTooLarge)
	}
}

// headerModes goes through the two ways in which a balancer tells a function of headers
// and parameters: each with its last value, or with all of them. The platform asks for
// the second; a target group that somebody has set to the first must not let anybody in,
// or keep anybody out.
func headerModes(t *testing.T, p *platform, lb *loadBalancer) {
	c, product := p.customer(t), p.product(t, 20)
	inside := p.inside.As(c.tokens.Access)
	for _, multi := range []bool{false, true} {
		t.Run("multi-value "+strconv.FormatBool(multi), func(t *testing.T) {
			for service := range hosts {
				lb.multiValue(t, service, multi)
			}
			good := order(product.ID, 1, shop.CardOK)
			key := shop.Header("Idempotency-Key", rand.Text(), "X-Correlation-Id", "modes")
			first := ask(t, inside, http.MethodPost, "/api/orders", key, good)
			again := ask(t, c.Client, http.MethodPost, "/api/orders", key, good)
			if first.Status != http.StatusCreated || !bytes.Equal(first.Body, again.Body) || first.Header.Get("Location") != again.Header.Get("Location") ||
				first.Header.Get("Etag") != `"1"` || again.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("placed behind the balancer %d %v %s\nrepeated at the gateway %d %v %s",
					first.Status, first.Header, first.Body, again.Status, again.Header, again.Body)
			}
			for name, token := range map[string]string{"none": "", "forged": tampered(t, c.tokens.Access), "of id": c.tokens.ID} {
				resp := ask(t, p.inside.As(token), http.MethodGet, "/api/orders", nil, nil)
				if resp.Status != http.StatusUnauthorized {
					t.Errorf("token %s: %d", name, resp.Status)
				}
			}
			// Bytes that are no text come to the function in base64.
			odd := []byte("{\"items\": \"\xff\xfe\"}")
			if got, want := ask(t, inside, http.MethodPost, "/api/orders", key, odd), ask(t, c.Client, http.MethodPost, "/api/orders", key, odd); got.Status != want.Status ||
				!bytes.Equal(got.Body, want.Body) {
				t.Errorf("no text: %d %s behind the balancer, %d %s at the gateway", got.Status, got.Body, want.Status, want.Body)
			}
			same := func(path, atGateway string) {
				t.Helper()
				got, want := ask(t, p.inside, http.MethodGet, path, nil, nil), ask(t, p.anyone, http.MethodGet, atGateway, nil, nil)
				if got.Status != want.Status || want.Status == http.StatusOK && !bytes.Equal(got.Body, want.Body) {
					t.Errorf("%s: %d %s behind the balancer, %d %s at the gateway", path, got.Status, got.Body, want.Status, want.Body)
				}
			}
			same("/api/products?category=none%20such", "/api/products?category=none%20such")
			if multi {
				same("/api/products?limit=0&limit=1&category=none", "/api/products?limit=0&limit=1&category=none")
				return
			}
			// The first value is lost, as the balancer's documentation says. Only here does
			// the local one keep what is escaped as it is.
			same("/api/products?limit=0&limit=1&category=none", "/api/products?limit=1&category=none")
			same("/api/products?category="+url.QueryEscape("none&limit=0"), "/api/products?category="+url.QueryEscape("none&limit=0"))
		})
	}
}

// loadBalancer is the internal one, whose rules and targets a test may change for a
// while.
type loadBalancer struct {
	client   *elb.Client
	listener string
}

func findBalancer(t *testing.T, p *platform) *loadBalancer {
	t.Helper()
	client := elb.NewFromConfig(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))
	found, err := client.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{Names: []string{"tradewind-local"}})
	if err != nil || len(found.LoadBalancers) != 1 {
		t.Fatalf("load balancers: %+v, %v", found, err)
	}
	listeners, err := client.DescribeListeners(t.Context(), &elb.DescribeListenersInput{LoadBalancerArn: found.LoadBalancers[0].LoadBalancerArn})
	if err != nil || len(listeners.Listeners) != 1 {
		t.Fatalf("listeners: %+v, %v", listeners, err)
	}
	return &loadBalancer{client, aws.ToString(listeners.Listeners[0].ListenerArn)}
}

// group is the target group of a service.
func (b *loadBalancer) group(t *testing.T, service string) string {
	t.Helper()
	groups, err := b.client.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{"tw-local-" + service}})
	if err != nil || len(groups.TargetGroups) != 1 {
		t.Fatalf("target groups of %s: %+v, %v", service, groups, err)
	}
	return aws.ToString(groups.TargetGroups[0].TargetGroupArn)
}

// multiValue sets a service's mode of headers until the test's end, when it is as the
// platform's stacks set it.
func (b *loadBalancer) multiValue(t *testing.T, service string, on bool) {
	t.Helper()
	group := b.group(t, service)
	set := func(ctx context.Context, on bool) {
		_, err := b.client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
			TargetGroupArn: aws.String(group),
			Attributes: []elbtypes.TargetGroupAttribute{{
				Key: aws.String("lambda.multi_value_headers.enabled"), Value: aws.String(strconv.FormatBool(on)),
			}},
		})
		if err != nil {
			t.Error(err)
		}
	}
	set(t.Context(), on)
	t.Cleanup(func() { set(context.Background(), true) })
}

// detour sends what the balancer gets for a service to a handler of the test's, until
// back is called, or the test ends.
func (b *loadBalancer) detour(t *testing.T, service string, to http.Handler) (back func()) {
	t.Helper()
	server := httptest.NewServer(to)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	name := "detour-" + strings.ToLower(rand.Text()[:12])
	_, err = b.client.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
		Name: &name, TargetType: elbtypes.TargetTypeEnumIp,
		Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(int32(port)),
	})
	// The name is new: if it is taken, an answer was lost and the client has asked again.
	if _, made := errors.AsType[*elbtypes.DuplicateTargetGroupNameException](err); err != nil && !made {
		t.Fatal(err)
	}
	made, err := b.client.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	aside := aws.ToString(made.TargetGroups[0].TargetGroupArn)
	_, err = b.client.RegisterTargets(t.Context(), &elb.RegisterTargetsInput{
		TargetGroupArn: aws.String(aside), Targets: []elbtypes.TargetDescription{{Id: aws.String("127.0.0.1"), Port: aws.Int32(int32(port))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	own := b.group(t, service)
	back = sync.OnceFunc(func() {
		ctx := context.Background()
		if n := b.forward(ctx, t, aside, own); n != 2 {
			t.Errorf("%d rules led back to %s, want those for its host and its path", n, service)
		}
		if _, err := b.client.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: aws.String(aside)}); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	t.Cleanup(back)
	if n := b.forward(t.Context(), t, own, aside); n != 2 {
		t.Fatalf("%d rules led to %s, want those for its host and its path", n, service)
	}
	return back
}

// forward changes the rules that lead to one target group so that they lead to another,
// and returns how many there are.
func (b *loadBalancer) forward(ctx context.Context, t *testing.T, from, to string) int {
	t.Helper()
	rules, err := b.client.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: aws.String(b.listener)})
	if err != nil {
		t.Error(err)
		return 0
	}
	n := 0
	for _, rule := range rules.Rules {
		if len(rule.Actions) != 1 || aws.ToString(rule.Actions[0].TargetGroupArn) != from {
			continue
		}
		_, err := b.client.ModifyRule(ctx, &elb.ModifyRuleInput{
			RuleArn: rule.RuleArn, Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: aws.String(to)}},
		})
		if err != nil {
			t.Error(err)
			continue
		}
		n++
	}
	return n
}
