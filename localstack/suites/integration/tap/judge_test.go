package tap_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/events/contracts"
	"tradewind/localstack/suites/integration/tap"
)

// examples are the contracts' own, as they would pass: a whole story, of which each
// event names its cause.
func examples(t *testing.T) []tap.Event {
	t.Helper()
	var all []tap.Event
	for _, c := range contracts.All() {
		files, err := filepath.Glob("../../../../events/" + c.Publisher + "/examples/" + c.File() + "*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("no examples of %s: %v", c.Name(), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, tap.Event{Source: c.Publisher, Type: c.Type(), Detail: text})
		}
	}
	return all
}

func judge(t *testing.T, heard []tap.Event) tap.Report {
	t.Helper()
	report, err := tap.Judge(heard, contracts.All(), os.DirFS("../../../../events/published"))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestExamplesAreFaultless(t *testing.T) {
	heard := examples(t)
	report := judge(t, heard)
	if len(report.Faults) > 0 || report.Heard != len(heard) {
		t.Errorf("%d heard, faults: %s", report.Heard, strings.Join(report.Faults, "\n"))
	}
	if !slices.Contains(report.Missing, "payment.refunded v1 upon stock.reserved") || slices.Contains(report.Missing, "order.created v1 upon request") {
		t.Errorf("missing: %v", report.Missing)
	}
}

// TestFaults plants one fault into one event of the story.
func TestFaults(t *testing.T) {
	tests := map[string]struct {
		change func(*tap.Event)
		want   string
	}{
		"a field is missing":    {replace(`"paymentMethod": "pm_card_ok"`, `"method": "pm_card_ok"`), "its data is not valid"},
		"a number as text":      {replace(`"quantity": 2`, `"quantity": "2"`), "its data is not valid"},
		"null for a list":       {func(e *tap.Event) { e.Detail = without(e.Detail, "items") }, "its data is not valid"},
		"another publisher":     {func(e *tap.Event) { e.Source = "inventory" }, "it is published by orders"},
		"an unknown type":       {func(e *tap.Event) { e.Type = "order.crated" }, "there is no contract of order.crated v1"},
		"an unknown version":    {replace(`"schemaVersion": 1`, `"schemaVersion": 2`), "there is no contract of order.created v2"},
		"no event id":           {replace(`"eventId"`, `"id"`), "its envelope is not valid"},
		"no JSON":               {func(e *tap.Event) { e.Detail = json.RawMessage("hello") }, "its envelope is not valid"},
		"a cause that is none":  {replace(`"causationId": ""`, `"causationId": "evt_01K9ZX3V5T8Q2M4N6P7R8S9T33"`), "it was caused by payment.captured, and its contract declares [request]"},
		"more than is promised": {replace(`"total":`, `"colour": "blue", "total":`), ""},
		"an unknown cause":      {replace(`"causationId": ""`, `"causationId": "evt_01K9ZX3V5T8Q2M4N6P7R8S9T99"`), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			heard := examples(t)
			i := slices.IndexFunc(heard, func(e tap.Event) bool { return e.Type == "order.created" })
			was := string(heard[i].Detail) + heard[i].Source + heard[i].Type
			test.change(&heard[i])
			if string(heard[i].Detail)+heard[i].Source+heard[i].Type == was {
				t.Fatal("nothing was changed")
			}
			var got []string
			for _, fault := range judge(t, heard).Faults {
				if strings.HasPrefix(fault, heard[i].Type) {
					got = append(got, fault)
				}
			}
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("faults %q, want one with %q", got, test.want)
			}
		})
	}
}

// Without its cause heard, nothing can be said of it; without a request declared,
// nothing but an event may be.
func TestCauseIsNeeded(t *testing.T) {
	heard := examples(t)
	i := slices.IndexFunc(heard, func(e tap.Event) bool { return e.Type == "stock.reserved" })
	replace(`"causationId": "evt_01K9ZX3V5T8Q2M4N6P7R8S9T26"`, `"causationId": ""`)(&heard[i])
	got := judge(t, heard).Faults
	want := []string{"stock.reserved of inventory, evt_01K9ZX3V5T8Q2M4N6P7R8S9T29: it was caused by no event, and its contract declares [order.created]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func replace(old, with string) func(*tap.Event) {
	return func(e *tap.Event) { e.Detail = json.RawMessage(strings.Replace(string(e.Detail), old, with, 1)) }
}

func without(detail []byte, field string) []byte {
	var whole map[string]map[string]any
	if json.Unmarshal(detail, &whole) != nil {
		return detail
	}
	whole["data"][field] = nil
	text, _ := json.Marshal(whole)
	return text
}
