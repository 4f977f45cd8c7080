package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tradewind/events/contracts"
	"tradewind/infra/awslimits"
	"tradewind/infra/awslimits/eventruler"
)

// trial is a pattern of a template with the events that it must match.
type trial struct {
	eventruler.Case
	name string
	what []string // of each event, for people
	want []bool
}

func (tr *trial) try(what string, event map[string]any, want bool) {
	tr.what, tr.Events, tr.want = append(tr.what, what), append(tr.Events, event), append(tr.want, want)
}

// Every rule passes the events that its service consumes and no other, and every stream
// filter the records of new outbox items and no other, as EventBridge's own matcher says.
func TestPatterns(t *testing.T) {
	const tool = "../../.local/tools/event-ruler"
	if !eventruler.Installed(tool) {
		t.Skip("event-ruler is not installed: make test does that where it finds a JDK 17 and Maven")
	}
	published := examples(t)
	var trials []trial
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		for stack, tpl := range modes[mode]() {
			trials = append(trials, ruleTrials(mode, stack, tpl, published)...)
			trials = append(trials, filterTrials(t, mode, stack, tpl)...)
		}
	}
	cases := make([]eventruler.Case, len(trials))
	for i, tr := range trials {
		cases[i] = tr.Case
	}
	verdicts, err := eventruler.Judge(t.Context(), tool, cases)
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	for i, tr := range trials {
		if verdicts[i].Refused != "" {
			t.Errorf("%s: %v is refused: %s", tr.name, tr.Pattern, verdicts[i].Refused)
			continue
		}
		events += len(tr.Events)
		for j, matches := range verdicts[i].Matches {
			if matches != tr.want[j] {
				t.Errorf("%s: %s passes: %v, want %v", tr.name, tr.what[j], matches, tr.want[j])
			}
		}
	}
	if len(trials) == 0 || events == 0 {
		t.Errorf("%d patterns tried on %d events", len(trials), events)
	}
	t.Logf("%d patterns tried on %d events", len(trials), events)
}

// example is a published event as it comes onto the bus.
type example struct {
	name, source, kind string
	event              map[string]any
}

func examples(t *testing.T) []example {
	t.Helper()
	var all []example
	for _, c := range contracts.All() {
		files, err := filepath.Glob(filepath.Join("../../events", c.Publisher, "examples", c.File()+"*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no example: %v", c.Name(), err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var detail map[string]any
			if err := json.Unmarshal(raw, &detail); err != nil {
				t.Fatal(err)
			}
			all = append(all, example{filepath.Base(file), c.Publisher, c.Type(), onBus(c.Publisher, c.Type(), detail)})
		}
	}
	return all
}

// onBus is an event with the fields that EventBridge adds.
func onBus(source, kind string, detail map[string]any) map[string]any {
	return map[string]any{
		"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "time": "2026-11-12T14:00:06Z", "region": "eu-central-1",
		"account": "111122223333", "resources": []any{}, "source": source, "detail-type": kind, "detail": detail,
	}
}

// changed is a copy of an event with another value.
func changed(event map[string]any, name string, value any) map[string]any {
	event = maps.Clone(event)
	event[name] = value
	return event
}

// ruleTrials try the consumers' rules, and the archive, on every example: as it is
// published, replayed, and from elsewhere.
func ruleTrials(mode, stack string, tpl template, published []example) []trial {
	consumed := map[string]bool{}
	for _, c := range contracts.ConsumedBy(stack) {
		consumed[c.Publisher+" "+c.Type()] = true
	}
	var trials []trial
	for _, kind := range []string{"AWS::Events::Rule", "AWS::Events::Archive"} {
		for id, r := range tpl.of(kind) {
			pattern, ok := r.at("EventPattern").(map[string]any)
			if !ok {
				continue // a schedule
			}
			archive := kind == "AWS::Events::Archive"
			tr := trial{Case: eventruler.Case{Pattern: awslimits.Estimated(pattern)}, name: fmt.Sprint(mode, ": ", stack, "/", id)}
			for _, e := range published {
				tr.try(e.name, e.event, archive || consumed[e.source+" "+e.kind])
				tr.try(e.name+", replayed", changed(e.event, "replay-name", "tradewind-test-replay"), archive)
				tr.try(e.name+" from elsewhere", changed(e.event, "source", "elsewhere"), archive)
				tr.try(e.name+" as another type", changed(e.event, "detail-type", e.kind+".other"), archive)
			}
			tr.try("an event of another account", changed(published[0].event, "account", "444455556666"), !archive && consumed[published[0].source+" "+published[0].kind])
			trials = append(trials, tr)
		}
	}
	return trials
}

// filterTrials try the stream filters on the records that a service's table makes.
func filterTrials(t *testing.T, mode, stack string, tpl template) []trial {
	t.Helper()
	var trials []trial
	for id, m := range tpl.of("AWS::Lambda::EventSourceMapping") {
		filters, _ := m.at("FilterCriteria", "Filters").([]any)
		for i := range filters {
			var pattern map[string]any
			if err := json.Unmarshal([]byte(m.at("FilterCriteria", "Filters", i, "Pattern").(string)), &pattern); err != nil {
				t.Errorf("%s: %s/%s: filter %d: %v", mode, stack, id, i, err)
				continue
			}
			tr := trial{Case: eventruler.Case{Pattern: pattern}, name: fmt.Sprint(mode, ": ", stack, "/", id)}
			for _, entity := range []string{"outbox", "inbox", "once", strings.TrimSuffix(stack, "s"), ""} {
				tr.try("INSERT of "+entity, record("INSERT", entity), entity == "outbox")
				tr.try("MODIFY of "+entity, record("MODIFY", entity), false)
				tr.try("REMOVE of "+entity, record("REMOVE", entity), false)
			}
			expired := record("REMOVE", "outbox")
			expired["userIdentity"] = map[string]any{"type": "Service", "principalId": "dynamodb.amazonaws.com"}
			tr.try("an outbox item that has expired", expired, false)
			trials = append(trials, tr)
		}
	}
	return trials
}

// record is one of a stream with new images.
func record(event, entity string) map[string]any {
	keys := map[string]any{"PK": map[string]any{"S": "ORDER#ord_1"}, "SK": map[string]any{"S": "OUTBOX#evt_1"}}
	change := map[string]any{
		"ApproximateCreationDateTime": 1794492006.0, "Keys": keys, "SequenceNumber": "111", "SizeBytes": 26.0, "StreamViewType": "NEW_IMAGE",
	}
	if event != "REMOVE" {
		image := maps.Clone(keys)
		if entity != "" {
			image["entity"] = map[string]any{"S": entity}
		}
		change["NewImage"] = image
	}
	return map[string]any{
		"eventID": "1", "eventName": event, "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "eu-central-1", "dynamodb": change,
		"eventSourceARN": "arn:aws:dynamodb:eu-central-1:111122223333:table/orders/stream/2026-11-12T14:00:00.000",
	}
}
