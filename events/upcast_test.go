package events_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
)

// A parcel's journey in three versions: V2 renamed the weight, which V1 had without
// its unit, and V3 made the name of the addressee a part of the address. The files
// in testdata are what was on the bus.
type (
	SentV1 struct {
		ParcelID string `json:"parcelId"`
		Weight   int    `json:"weight"`
		To       string `json:"to"`
	}
	SentV2 struct {
		ParcelID string `json:"parcelId"`
		Grams    int    `json:"grams"`
		To       string `json:"to"`
	}
	SentV3 struct {
		ParcelID string  `json:"parcelId"`
		Grams    int     `json:"grams"`
		Address  Address `json:"address"`
		Express  bool    `json:"express,omitempty"`
	}
	Address struct {
		Name string `json:"name"`
		City string `json:"city,omitempty"`
	}
)

func (SentV1) EventType() string  { return "parcel.sent" }
func (SentV2) EventType() string  { return "parcel.sent" }
func (SentV3) EventType() string  { return "parcel.sent" }
func (SentV1) SchemaVersion() int { return 1 }
func (SentV2) SchemaVersion() int { return 2 }
func (SentV3) SchemaVersion() int { return 3 }
func (e SentV1) Subject() string  { return e.ParcelID }
func (e SentV2) Subject() string  { return e.ParcelID }
func (e SentV3) Subject() string  { return e.ParcelID }

func (SentV2) Upcast() events.Upcast {
	return events.From(func(old SentV1) SentV2 { return SentV2{old.ParcelID, old.Weight, old.To} })
}

func (SentV3) Upcast() events.Upcast {
	return events.From(func(old SentV2) SentV3 {
		return SentV3{ParcelID: old.ParcelID, Grams: old.Grams, Address: Address{Name: old.To}}
	})
}

func payload(t *testing.T, file string) (version int, data json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var envelope events.Envelope
	if err := json.Unmarshal(text, &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Metadata.SchemaVersion, envelope.Data
}

func TestReadLiftsOldPayloads(t *testing.T) {
	version, data := payload(t, "parcel.sent.v1.json")
	v1, err := events.Read[SentV1](version, data)
	if want := (SentV1{"par_1", 500, "Ada Lovelace"}); err != nil || v1 != want {
		t.Errorf("v1 as v1: %+v, %v", v1, err)
	}
	v2, err := events.Read[SentV2](version, data)
	if want := (SentV2{"par_1", 500, "Ada Lovelace"}); err != nil || v2 != want {
		t.Errorf("v1 as v2: %+v, %v", v2, err)
	}
	v3, err := events.Read[SentV3](version, data)
	if want := (SentV3{ParcelID: "par_1", Grams: 500, Address: Address{Name: "Ada Lovelace"}}); err != nil || v3 != want {
		t.Errorf("v1 as v3: %+v, %v", v3, err)
	}

	version, data = payload(t, "parcel.sent.v2.json")
	v3, err = events.Read[SentV3](version, data)
	if want := (SentV3{ParcelID: "par_2", Grams: 700, Address: Address{Name: "Grace Hopper"}}); err != nil || v3 != want {
		t.Errorf("v2 as v3: %+v, %v", v3, err)
	}

	// A field that the type does not know, and one that it lacks.
	version, data = payload(t, "parcel.sent.v3.json")
	v3, err = events.Read[SentV3](version, data)
	if want := (SentV3{ParcelID: "par_3", Grams: 900, Address: Address{"Alan Turing", "Wilmslow"}}); err != nil || v3 != want {
		t.Errorf("v3 as v3: %+v, %v", v3, err)
	}
}

func TestReadRefusesWhatItCannotKnow(t *testing.T) {
	_, data := payload(t, "parcel.sent.v3.json")
	if _, err := events.Read[SentV1](3, data); err == nil || !strings.Contains(err.Error(), "parcel.sent v3 cannot be read as v1") {
		t.Errorf("v3 as v1: %v", err)
	}
	if _, err := events.Read[SentV2](3, data); err == nil {
		t.Error("v3 was read as v2")
	}
	for _, version := range []int{0, -1, 4} {
		if _, err := events.Read[SentV3](version, data); err == nil {
			t.Errorf("version %d was read", version)
		}
	}
	for _, malformed := range []string{`{"parcelId": 7}`, `[]`, ``} {
		if _, err := events.Read[SentV3](1, json.RawMessage(malformed)); err == nil {
			t.Errorf("%q was read as v1 and lifted", malformed)
		}
	}
}

// ConfusedV2 makes of the version before something else than itself.
type ConfusedV2 struct{ SentV2 }

func (ConfusedV2) Upcast() events.Upcast {
	return events.From(func(old SentV1) SentV2 { return SentV2{} })
}

// The way of an event through a change of version, as the comment of the package
// has it, each step with what may not be.
func TestTwoVersionsSideBySide(t *testing.T) {
	const cause = events.Request
	v1 := func(causes []string, consumers ...string) events.Contract {
		return events.Contract{Event: SentV1{}, Publisher: "post", Causes: causes, Consumers: who(consumers)}
	}
	v2 := func(causes []string, consumers ...string) events.Contract {
		return events.Contract{Event: SentV2{}, Publisher: "post", Causes: causes, Consumers: who(consumers)}
	}
	published := []string{cause}
	tests := map[string]struct {
		contracts []events.Contract
		want      string
	}{
		"before":                              {[]events.Contract{v1(published, "billing", "claims")}, ""},
		"1 the new version is declared":       {[]events.Contract{v1(published, "billing", "claims"), v2(nil)}, ""},
		"2 one consumer has moved":            {[]events.Contract{v1(published, "billing"), v2(nil, "claims")}, ""},
		"2 both have":                         {[]events.Contract{v1(published), v2(nil, "billing", "claims")}, ""},
		"3 the new one is published":          {[]events.Contract{v1(nil), v2(published, "billing", "claims")}, ""},
		"after":                               {[]events.Contract{v2(published, "billing", "claims")}, ""},
		"published too early":                 {[]events.Contract{v1(nil, "billing"), v2(published, "claims")}, "it is published while [billing] still take version 1"},
		"both published too early":            {[]events.Contract{v1(published, "billing"), v2(published, "claims")}, "it is published while [billing] still take version 1"},
		"a consumer of both":                  {[]events.Contract{v1(published, "billing"), v2(nil, "billing")}, "billing is a consumer of version 1 too"},
		"no way from the old to the new":      {[]events.Contract{{Event: bareV2{}, Publisher: "post"}}, "it has no Upcast"},
		"a way from somewhere else":           {[]events.Contract{{Event: strayV3{}, Publisher: "post"}}, "its Upcast is from parcel.sent v1"},
		"two publishers":                      {[]events.Contract{v1(published), {Event: SentV1{}, Publisher: "couriers", Causes: published}}, "both publish it"},
		"a cause that is none":                {[]events.Contract{v1([]string{"parcel.packed"})}, "its cause parcel.packed is no event"},
		"a cause the publisher does not hear": {[]events.Contract{v1([]string{"parcel.sent"})}, "which it does not consume"},
		"a consumer without an effect":        {[]events.Contract{{Event: SentV1{}, Publisher: "post", Consumers: events.Consumers{"billing": ""}}}, "what does billing do with it?"},
		"a name of another version":           {[]events.Contract{{Event: misnamedV2{}, Publisher: "post"}}, "ends with V1"},
		"a type in capitals":                  {[]events.Contract{{Event: loudV1{}, Publisher: "post"}}, "words in lower case"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found := faults(test.contracts)
			if test.want == "" && len(found) > 0 || test.want != "" && !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, test.want) }) {
				t.Errorf("faults %q, want one with %q", found, test.want)
			}
		})
	}
	if _, err := events.Read[ConfusedV2](1, json.RawMessage(`{}`)); err == nil || !strings.Contains(err.Error(), "makes a events_test.SentV2") {
		t.Errorf("an upcast to something else: %v", err)
	}
}

func who(consumers []string) events.Consumers {
	effects := events.Consumers{}
	for _, c := range consumers {
		effects[c] = "notes it"
	}
	return effects
}

type (
	bareV2     struct{ SentV1 }
	strayV3    struct{ SentV2 }
	misnamedV2 struct{ SentV1 }
	loudV1     struct{ SentV1 }
)

func (bareV2) SchemaVersion() int  { return 2 }
func (strayV3) SchemaVersion() int { return 3 }
func (loudV1) EventType() string   { return "Parcel" }

// A new version says how it is made of the one before. Who takes it reads both.
func ExampleFrom() {
	for _, on := range []struct {
		version int
		data    string
	}{
		{1, `{"parcelId": "par_7", "weight": 500, "to": "Ada"}`},
		{2, `{"parcelId": "par_8", "grams": 700, "to": "Grace"}`},
	} {
		ev, err := events.Read[SentV2](on.version, json.RawMessage(on.data))
		fmt.Println(ev.ParcelID, ev.Grams, err)
	}
	// Output:
	// par_7 500 <nil>
	// par_8 700 <nil>
}

func TestFile(t *testing.T) {
	c := events.Publishes("post", events.Contract{Event: SentV2{}, Consumers: who([]string{"claims", "billing"})})[0]
	got := []string{c.Publisher, c.Name(), c.File(), strings.Join(c.Consumers.Services(), " ")}
	if diff := cmp.Diff([]string{"post", "parcel.sent v2", "parcel.sent.v2", "billing claims"}, got); diff != "" {
		t.Error(diff)
	}
}
