package badbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/suites/integration/badbus"
)

// behind is the bus behind: it takes everything, and refuses what it is told to.
func behind(t *testing.T, refuse string) (url string, taken *[]string) {
	t.Helper()
	taken = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Entries []struct{ DetailType string } }
		_ = json.NewDecoder(r.Body).Decode(&in)
		out := map[string]any{"FailedEntryCount": 0}
		var entries []map[string]string
		for i, e := range in.Entries {
			if e.DetailType == refuse {
				entries = append(entries, map[string]string{"ErrorCode": "MalformedDetail"})
				out["FailedEntryCount"] = 1
				continue
			}
			*taken = append(*taken, e.DetailType)
			entries = append(entries, map[string]string{"EventId": fmt.Sprint("bus-", i)})
		}
		out["Entries"] = entries
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(server.Close)
	return server.URL, taken
}

func open(t *testing.T, b *badbus.Bus, upstream string) *eventbridge.Client {
	t.Helper()
	if err := b.Open(upstream); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return eventbridge.NewFromConfig(endpoint.AWS(b.URL(), "us-east-1"))
}

func put(t *testing.T, client *eventbridge.Client, eventTypes ...string) *eventbridge.PutEventsOutput {
	t.Helper()
	in := &eventbridge.PutEventsInput{}
	for _, eventType := range eventTypes {
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			Source: aws.String("test"), DetailType: aws.String(eventType), Detail: aws.String(`{"metadata":{"eventId":"id-` + eventType + `"}}`),
		})
	}
	out, err := client.PutEvents(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFates(t *testing.T) {
	url, taken := behind(t, "e")
	answered := false
	b := &badbus.Bus{
		Fate: func(e badbus.Event) badbus.Fate {
			return map[string]badbus.Fate{"id-b": badbus.Lose, "id-c": badbus.Refuse, "id-f": badbus.Spoil}[e.ID]
		},
		Taken: func(called []badbus.Event) { answered = len(*taken) == 2 && len(called) == 6 && called[1].Type == "b" },
	}
	client := open(t, b, url)
	out := put(t, client, "a", "b", "c", "d", "e", "f")
	var got []string
	for _, e := range out.Entries {
		got = append(got, aws.ToString(e.EventId)+aws.ToString(e.ErrorCode))
	}
	if diff := cmp.Diff([]string{"bus-0", "lost-1", "ThrottlingException", "bus-1", "MalformedDetail", "MalformedDetail"}, got); diff != "" || out.FailedEntryCount != 3 {
		t.Errorf("%d failed, answered (-want +got):\n%s", out.FailedEntryCount, diff)
	}
	if diff := cmp.Diff([]string{"a", "d"}, *taken); diff != "" || !answered {
		t.Errorf("told before the answer: %v; taken (-want +got):\n%s", answered, diff)
	}
	for fate, want := range map[badbus.Fate][]string{badbus.Pass: {"id-a", "id-d", "id-e"}, badbus.Lose: {"id-b"}, badbus.Refuse: {"id-c"}} {
		if diff := cmp.Diff(want, b.Events(fate)); diff != "" {
			t.Errorf("fate %d (-want +got):\n%s", fate, diff)
		}
	}
	b.Taken = nil
	out = put(t, client, "b")
	if out.FailedEntryCount != 0 || len(*taken) != 2 {
		t.Errorf("all of a call lost: answered %+v, taken %v", out.Entries, *taken)
	}
}

// TestBehaves: one that is told nothing is not noticed.
func TestBehaves(t *testing.T) {
	url, taken := behind(t, "")
	b := &badbus.Bus{}
	out := put(t, open(t, b, url), "a", "b")
	if out.FailedEntryCount != 0 || len(*taken) != 2 || *out.Entries[1].EventId != "bus-1" {
		t.Errorf("answered %+v, taken %v", out.Entries, *taken)
	}
}
