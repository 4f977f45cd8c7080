package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/servicediscovery"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"tradewind/events"
	"tradewind/events/status"
	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
)

// The service that is taken away is one that no other calls.
const (
	missed       = "notification-service"
	missedGroup  = "tw-local-notifications"
	statusEvents = "test-status-events"
)

// aService is a service in the answer of GET /health.
type aService struct {
	Name, Status, State, Cause string
	SinceAt, LastProbeAt       time.Time
	History                    []struct{ State, Cause string }
	Checks                     map[string]struct {
		Status, ObservedUnit   string
		Waiting, ObservedValue *int
	}
}

// waitingOrders looks whether the platform's health tells of an order that is not decided
// yet, and no more when it is.
func waitingOrders(t *testing.T, p *platform) {
	const name = "order-service"
	c, product := p.customer(t), p.product(t, 1)
	o := c.place(t, order(product.ID, 1, shop.CardSlow))
	p.probe(t)
	_, s := p.health(t, name)
	said := s.Checks["orders"]
	if s.Status != "pass" || said.Status != "pass" || said.Waiting == nil || *said.Waiting < 1 || said.ObservedValue == nil || said.ObservedUnit != "s" {
		t.Errorf("with an order pending: %+v", s)
	}
	if _, err := c.CancelOrder(t.Context(), o.ID, "seen"); err != nil {
		t.Fatal(err)
	}
	// A service gives the same answer for two seconds.
	err := await.Until(within(t, soon), time.Second, "no order to be pending", func(context.Context) error {
		p.probe(t)
		if _, s := p.health(t, name); s.Checks["orders"].Waiting == nil || *s.Checks["orders"].Waiting != 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// lostService takes a service's function away from the load balancer and gives it back,
// with a round of probes after each, and looks at all that must tell of it.
func lostService(t *testing.T, p *platform) {
	bus := p.subscribe(t)
	began := time.Now()
	p.probe(t)
	if status, s := p.health(t, missed); status == "fail" || s.Status != "pass" {
		t.Fatalf("before: the platform is %s, and %+v", status, s)
	}

	giveBack := p.takeAway(t)
	lost := time.Now()
	p.probe(t)
	if status, s := p.health(t, missed); status != "warn" || s.Status != "fail" || s.Cause != "answered 503" {
		t.Errorf("after one probe: the platform is %s, and %+v", status, s)
	}
	p.probe(t)
	_, s := p.health(t, missed)
	if s.State != "degraded" || s.SinceAt.Before(began) || s.LastProbeAt.Before(lost.Truncate(time.Millisecond)) || len(s.History) == 0 || s.History[0].Cause != "answered 503" {
		t.Errorf("after two probes: %+v", s)
	}
	var degraded status.DegradedV1
	bus.await(t, status.TypeDegraded, &degraded)
	if degraded.Service != missed || degraded.Cause != "answered 503" || degraded.SinceAt.String() != events.Timestamp(s.SinceAt).String() {
		t.Errorf("the event says %+v, GET /health %+v", degraded, s)
	}
	p.registered(t, "UNHEALTHY")
	p.measured(t, lost, 0)

	giveBack()
	found := time.Now()
	p.probe(t) // finds it, though the registry has it for unhealthy
	if status, s := p.health(t, missed); status != "warn" || s.Status != "pass" || s.State != "degraded" {
		t.Errorf("after one good probe: the platform is %s, and %+v", status, s)
	}
	p.probe(t)
	if _, s := p.health(t, missed); s.State != "healthy" || s.Cause != "" {
		t.Errorf("after two good probes: %+v", s)
	}
	var recovered status.RecoveredV1
	bus.await(t, status.TypeRecovered, &recovered)
	if recovered.Service != missed || recovered.DegradedAt.String() != degraded.SinceAt.String() || recovered.Cause != degraded.Cause {
		t.Errorf("the event says %+v after %+v", recovered, degraded)
	}
	p.registered(t, "HEALTHY")
	p.measured(t, found, 1)
	p.scheduled(t)
}

// health asks what the platform is like, and one of its services.
func (p *platform) health(t *testing.T, service string) (string, aService) {
	t.Helper()
	resp := ask(t, p.anyone, http.MethodGet, "/health", nil, nil)
	var answer struct {
		Status   string
		Services []aService
	}
	if err := resp.Decode(&answer); err != nil || resp.Status != http.StatusOK || resp.Header.Get("Content-Type") != "application/health+json" {
		t.Fatalf("GET /health: %d %v %s", resp.Status, resp.Header, resp.Body)
	}
	for _, s := range answer.Services {
		if s.Name == service {
			return answer.Status, s
		}
	}
	t.Fatalf("%s is not among %s", service, resp.Body)
	return "", aService{}
}

// probe runs the prober, which its schedule does once a minute, now.
func (p *platform) probe(t *testing.T) {
	t.Helper()
	p.call(t, "/2015-03-31/functions/"+p.function("status", "prober")+"/invocations", "", struct{}{}, nil)
}

// call makes a call of the endpoint's own API that no client here is linked for. It
// asks for no signature.
func (p *platform) call(t *testing.T, path, operation string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.outputs.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", operation)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("X-Amz-Function-Error") != "" {
		t.Fatalf("%s %s: %s %s %v", path, operation, res.Status, text, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

// takeAway leaves a service's host at the load balancer without a function, until the
// returned function is called or the test ends.
func (p *platform) takeAway(t *testing.T) (giveBack func()) {
	t.Helper()
	client := elb.NewFromConfig(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))
	groups, err := client.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{missedGroup}})
	if err != nil {
		t.Fatal(err)
	}
	group := groups.TargetGroups[0].TargetGroupArn
	health, err := client.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: group})
	if err != nil || len(health.TargetHealthDescriptions) != 1 {
		t.Fatalf("the targets: %+v, %v", health, err)
	}
	targets := []elbtypes.TargetDescription{{Id: health.TargetHealthDescriptions[0].Target.Id}}
	if _, err := client.DeregisterTargets(t.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: group, Targets: targets}); err != nil {
		t.Fatal(err)
	}
	giveBack = func() {
		_, err := client.RegisterTargets(context.WithoutCancel(t.Context()), &elb.RegisterTargetsInput{TargetGroupArn: group, Targets: targets})
		if err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(giveBack)
	return giveBack
}

// subscription is a queue of the events that the status service publishes.
type subscription struct {
	client *sqs.Client
	url    *string
}

func (p *platform) subscribe(t *testing.T) subscription {
	t.Helper()
	cfg := endpoint.AWS(p.outputs.Endpoint, p.outputs.Region)
	s := subscription{client: sqs.NewFromConfig(cfg)}
	queue, err := s.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(statusEvents)})
	if err != nil {
		t.Fatal(err)
	}
	s.url = queue.QueueUrl
	bus, name := eventbridge.NewFromConfig(cfg), aws.String("tradewind-local")
	_, err = bus.PutRule(t.Context(), &eventbridge.PutRuleInput{
		Name: aws.String(statusEvents), EventBusName: name, EventPattern: aws.String(`{"source":["` + status.Source + `"]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{
		Rule: aws.String(statusEvents), EventBusName: name,
		Targets: []bustypes.Target{{Id: aws.String("queue"), Arn: aws.String("arn:aws:sqs:" + p.outputs.Region + ":000000000000:" + statusEvents)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = bus.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String(statusEvents), EventBusName: name, Ids: []string{"queue"}})
		_, _ = bus.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String(statusEvents), EventBusName: name})
		_, _ = s.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: s.url})
	})
	return s
}

// await waits for an event of a type about the service and reads its data. Those of
// other services, which a busy machine may make, are passed over; one of this service
// and another type is too many.
func (s subscription) await(t *testing.T, detailType string, data any) {
	t.Helper()
	err := await.Until(within(t, soon), look, "the event "+detailType, func(ctx context.Context) error {
		out, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: s.url, WaitTimeSeconds: 1})
		if err != nil || len(out.Messages) == 0 {
			return fmt.Errorf("no event: %w", err)
		}
		message := out.Messages[0]
		if _, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: s.url, ReceiptHandle: message.ReceiptHandle}); err != nil {
			return err
		}
		var ev struct {
			DetailType string `json:"detail-type"`
			Detail     events.Envelope
		}
		if err := json.Unmarshal([]byte(aws.ToString(message.Body)), &ev); err != nil {
			return err
		}
		switch {
		case ev.Detail.Metadata.Subject != missed:
			return fmt.Errorf("an event of %s", ev.Detail.Metadata.Subject)
		case ev.DetailType != detailType:
			t.Errorf("a %s", ev.DetailType)
		}
		return json.Unmarshal(ev.Detail.Data, data)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// registered waits until the registry has the service's one instance with a health.
func (p *platform) registered(t *testing.T, want string) {
	t.Helper()
	client := servicediscovery.NewFromConfig(endpoint.AWS(p.outputs.Endpoint, p.outputs.Region))
	services, err := client.ListServices(t.Context(), &servicediscovery.ListServicesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services.Services {
		if aws.ToString(s.Name) != missed {
			continue
		}
		err := await.Until(within(t, soon), look, "the registry to have it "+want, func(ctx context.Context) error {
			out, err := client.GetInstancesHealthStatus(ctx, &servicediscovery.GetInstancesHealthStatusInput{ServiceId: s.Id})
			if err != nil {
				return err
			}
			for id, got := range out.Status {
				if string(got) == want && len(out.Status) == 1 {
					return nil
				}
				return fmt.Errorf("%s is %s, of %d", id, got, len(out.Status))
			}
			return fmt.Errorf("no instance of %s is registered", missed)
		})
		if err != nil {
			t.Error(err)
		}
		return
	}
	t.Errorf("%s is not in the registry", missed)
}

// measured looks for the metric that the service's alarm is on.
func (p *platform) measured(t *testing.T, since time.Time, want int) {
	t.Helper()
	err := await.Until(within(t, soon), look, fmt.Sprint("a metric of ", want), func(context.Context) error {
		for _, line := range p.logged(t, since) {
			var m struct {
				Service, Target string
				ServiceHealthy  *int
				ProbeLatency    []float64
			}
			if !strings.Contains(line, `"Namespace":"Tradewind"`) || json.Unmarshal([]byte(line), &m) != nil || m.Target != missed {
				continue
			}
			if m.Service == "status" && m.ServiceHealthy != nil && *m.ServiceHealthy == want && len(m.ProbeLatency) == 1 {
				return nil
			}
		}
		return fmt.Errorf("there is none")
	})
	if err != nil {
		t.Error(err)
	}
}

// scheduled waits for a run that nobody here asked for: its id is the schedule's event.
func (p *platform) scheduled(t *testing.T) {
	t.Helper()
	err := await.Until(within(t, soon), time.Second, "the schedule to run the prober", func(context.Context) error {
		for _, line := range p.logged(t, time.Unix(0, 0)) {
			var run struct{ Msg, Run, CorrelationID string }
			if json.Unmarshal([]byte(line), &run) == nil && run.Msg == "probed" && run.Run != run.CorrelationID {
				return nil
			}
		}
		return fmt.Errorf("only runs of this test")
	})
	if err != nil {
		t.Error(err)
	}
}

// logged returns what the prober wrote since then.
func (p *platform) logged(t *testing.T, since time.Time) []string {
	t.Helper()
	var out struct{ Events []struct{ Message string } }
	p.call(t, "/", "Logs_20140328.FilterLogEvents", map[string]any{
		"logGroupName": "/aws/lambda/" + p.function("status", "prober"), "startTime": since.UnixMilli(),
	}, &out)
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, e.Message)
	}
	return lines
}
