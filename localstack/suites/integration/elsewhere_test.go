package integration

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/tier"
)

// Everything in which the suite bends to an endpoint is in this file, each with its
// reason; localstack/differences.md says what the endpoints do otherwise.

// cannot are the tests that an endpoint cannot run, by its name and theirs.
var cannot = map[string]map[string]string{
	endpoint.LocalStack: {
		"TestBurst":         "it takes about 8 orders a second, and its gateway gives up before it has taken 200",
		"TestDiscovery/dns": "the zone and who asks it are the same beside every endpoint, and no part of one",
		"TestPlatform/operated/a_replay_of_the_day_changes_nothing,_and_fills_what_is_new": noReplay,
		"TestPlatform/operated/a_replay_reaches_whom_it_names":                             noReplay,
	},
}

const noReplay = "its StartReplay ends with an InternalError, see replay in localstack/differences.md"

// poisonedStream is how many events a publisher that makes some of them wrong sends, if not
// 2,000. LocalStack brings 25 a second to a consumer, and they show no more by their number.
var poisonedStream = map[string]int{endpoint.LocalStack: 600}

// fallbacks are the resource types of the templates that LocalStack's CloudFormation
// calls created and does not make, each with the reason why that does no harm.
var fallbacks = map[string]string{
	"AWS::Logs::MetricFilter": "it counts for an alarm, which is not in the local templates",
}

// whoAnswers is the name of the endpoint under test; none, if there is none.
func whoAnswers() string {
	o, err := shop.ReadOutputs(os.Getenv("TRADEWIND_OUTPUTS"))
	if err != nil || o.Endpoint == "" {
		return ""
	}
	who, err := endpoint.Identify(context.Background(), o.Endpoint)
	if err != nil {
		return "" // connect says so, to a test
	}
	return who.Name
}

// possible skips a test that the platform's endpoint cannot run.
func (p *platform) possible(t *testing.T) {
	t.Helper()
	if reason := cannot[p.kind.Name][t.Name()]; reason != "" {
		t.Skipf("not on %s: %s", p.kind.Name, reason)
	}
}

// short are the parts that an endpoint runs in the short tier; an endpoint that is not
// listed runs all of them. The second endpoint is there for what the first emulates
// wrongly, and the flows of the contract show that.
var short = map[string][]string{
	endpoint.LocalStack: {"TestPlatform/contract", "TestPlatform/events_keep_their_contracts", "TestPlatform/invariants"},
}

// whole is how long all parts together run on the second endpoint.
const whole = 250 * time.Second

// inTier skips a part that the platform's endpoint runs in the long tier only.
func (p *platform) inTier(t *testing.T) {
	t.Helper()
	if parts, ok := short[p.kind.Name]; ok && !slices.Contains(parts, t.Name()) {
		tier.Full(t, whole)
	}
}

// TestEveryResourceIsMade looks for resources that were called created and not made. A
// stack's status does not tell; the events of its resources do.
func TestEveryResourceIsMade(t *testing.T) {
	p := connect(t)
	if p.outputs.Endpoint == "" {
		t.Skip("CloudFormation on AWS makes what it says")
	}
	var stacks struct {
		Names []string `xml:"ListStacksResult>StackSummaries>member>StackName"`
	}
	p.cloudFormation(t, &stacks, "ListStacks")
	looked := 0
	var found []string
	for _, name := range stacks.Names {
		if !strings.HasPrefix(name, "tradewind-local-") {
			continue
		}
		var events struct {
			Members []struct {
				LogicalResourceID    string `xml:"LogicalResourceId"`
				ResourceType         string
				ResourceStatusReason string
			} `xml:"DescribeStackEventsResult>StackEvents>member"`
		}
		p.cloudFormation(t, &events, "DescribeStackEvents", "StackName", name)
		looked += len(events.Members)
		for _, e := range events.Members {
			if !strings.Contains(e.ResourceStatusReason, "deployed as a fallback") {
				continue
			}
			found = append(found, e.ResourceType)
			if fallbacks[e.ResourceType] == "" {
				t.Errorf("%s: %s, a %s, is not made: %s", name, e.LogicalResourceID, e.ResourceType, e.ResourceStatusReason)
			}
		}
	}
	if looked < 100 {
		t.Errorf("%d events of stacks %v: too few to have seen all", looked, stacks.Names)
	}
	if p.kind.Name != endpoint.LocalStack {
		return
	}
	for known := range fallbacks {
		if !slices.Contains(found, known) {
			t.Errorf("%s is made by now; take it off the list", known)
		}
	}
}

// cloudFormation calls an operation of CloudFormation's; parameters are name, value,
// name, value…
func (p *platform) cloudFormation(t *testing.T, out any, operation string, parameters ...string) {
	t.Helper()
	form := url.Values{"Action": {operation}, "Version": {"2010-05-15"}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.outputs.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/"+p.outputs.Region+"/cloudformation/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", operation, resp.Status, text, err)
	}
	if err := xml.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}
