package relay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/awsclient"
	"tradewind/shared/outbox"
	"tradewind/shared/quarantine"
	"tradewind/shared/relay"
)

// wire is EventBridge's side of the wire, which answers as it was recorded on AWS on
// 2025-01-08. It takes what is valid.
type wire struct {
	refused int // calls
	taken   []string
	buses   []string
}

type wireEntry struct{ EventBusName, Source, DetailType, Detail string }

// Do implements aws.HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	var in struct{ Entries []wireEntry }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	status, answer := w.put(in.Entries)
	if status != http.StatusOK {
		w.refused++
	}
	return &http.Response{
		StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(answer)),
	}, nil
}

func (w *wire) put(entries []wireEntry) (status int, answer string) {
	bytes := 0
	for _, e := range entries {
		bytes += len(e.Source) + len(e.DetailType) + len(e.Detail)
	}
	switch {
	case len(entries) > 10:
		return http.StatusBadRequest, `{"__type":"ValidationException","message":"1 validation error detected: Value '[…]' at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10"}`
	case bytes > 256<<10:
		return http.StatusBadRequest, `{"__type":"ValidationException","message":"Total size of the entries in the request is over the limit."}`
	}
	failed, results := 0, make([]string, len(entries))
	for i, e := range entries {
		w.buses = append(w.buses, e.EventBusName)
		code, message := refusal(e)
		if code != "" {
			failed++
			results[i] = fmt.Sprintf(`{"ErrorCode":%q,"ErrorMessage":%q}`, code, message)
			continue
		}
		w.taken = append(w.taken, idOf(e.Detail))
		results[i] = `{"EventId":"7a1c6c6e-11f4-4d3b-9b5c-0c8f3f6f2a11"}`
	}
	return http.StatusOK, fmt.Sprintf(`{"FailedEntryCount":%d,"Entries":[%s]}`, failed, strings.Join(results, ","))
}

// refusal is why EventBridge refuses an entry. A bus that is not there is no reason.
func refusal(e wireEntry) (code, message string) {
	for _, part := range []struct{ name, value string }{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if part.value == "" {
			return "InvalidArgument", "Parameter " + part.name + " is not valid. Reason: " + part.name + " is a required argument."
		}
	}
	var object map[string]any
	if json.Unmarshal([]byte(e.Detail), &object) != nil {
		return "MalformedDetail", "Detail is malformed."
	}
	return "", ""
}

func (w *wire) relay(q quarantine.Sender) *relay.Relay {
	vars := map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
	cfg := awsclient.Config(func(name string) string { return vars[name] }, "EVENTBRIDGE")
	cfg.HTTPClient = w
	return relay.New(config(eventbridge.NewFromConfig(cfg), q))
}

// TestRefusals: what AWS refuses for good is parked with AWS's reason, and holds nothing
// up that is beside it in the call.
func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		spoil func(image map[string]map[string]string)
		want  string // the cause
	}{
		"no source":      {func(image map[string]map[string]string) { delete(image, "source") }, "InvalidArgument: Parameter Source is not valid. Reason: Source is a required argument."},
		"no detail type": {func(image map[string]map[string]string) { delete(image, "detailType") }, "InvalidArgument: Parameter DetailType is not valid. Reason: DetailType is a required argument."},
		"no JSON":        {func(image map[string]map[string]string) { image["detail"]["S"] = `{"half":` }, "MalformedDetail: Detail is malformed."},
		"a text":         {func(image map[string]map[string]string) { image["detail"]["S"] = `"shipped"` }, "MalformedDetail: Detail is malformed."},
		"an array":       {func(image map[string]map[string]string) { image["detail"]["S"] = `[{"metadata":{}}]` }, "MalformedDetail: Detail is malformed."},
		"the bus's limit": {func(image map[string]map[string]string) {
			image["detail"]["S"] = `{"n":"` + strings.Repeat("x", 256<<10) + `"}`
		}, "ValidationException: Total size of the entries in the request is over the limit."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				payload, ids := stream(t, sizes(3)...)
				w := &wire{}
				var parked []string
				q := queueFunc(func(in *sqs.SendMessageInput) error {
					parked = append(parked, *in.MessageAttributes[quarantine.AttrEventID].StringValue, *in.MessageAttributes[quarantine.AttrCause].StringValue)
					return nil
				})
				mustInvoke(t, w.relay(q), spoiled(t, payload, 1, test.spoil))
				if diff := cmp.Diff([]string{ids[0], ids[2]}, w.taken); diff != "" {
					t.Errorf("published (-want +got):\n%s", diff)
				}
				if len(parked) != 2 || parked[0] != ids[1] || !strings.HasSuffix(parked[1], test.want) {
					t.Errorf("parked %q, want event %s with the cause %q", parked, ids[1], test.want)
				}
			})
		})
	}
}

// spoiled returns a stream's event with another image in one of its records.
func spoiled(t *testing.T, payload []byte, record int, spoil func(map[string]map[string]string)) []byte {
	t.Helper()
	var event struct {
		Records []struct {
			EventName string `json:"eventName"`
			DynamoDB  struct {
				NewImage       map[string]map[string]string
				SequenceNumber string
			} `json:"dynamodb"`
		}
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Fatal(err)
	}
	spoil(event.Records[record].DynamoDB.NewImage)
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// TestWithinLimits: what package outbox stores never meets the limits of a call, and
// every entry names the bus: AWS takes one without a name for the default bus, and
// answers for one whose bus is not there as if it had taken it.
func TestWithinLimits(t *testing.T) {
	largest := outbox.MaxDetail - 400
	payload, ids := stream(t, append(sizes(25), largest, largest, 0, 100<<10, 100<<10, 100<<10)...)
	w, q := &wire{}, &queue{}
	mustInvoke(t, w.relay(q), payload)
	if diff := cmp.Diff(ids, w.taken); diff != "" || len(q.parked) > 0 || w.refused > 0 {
		t.Errorf("%d calls were refused; parked %v; published (-want +got):\n%s", w.refused, q.ids(), diff)
	}
	for i, bus := range w.buses {
		if bus != "shop" {
			t.Errorf("entry %d is for the bus %q", i, bus)
		}
	}
}
