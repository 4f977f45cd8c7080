package tap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tradewind/events"
)

// Report is what was learned of the events that passed.
type Report struct {
	Heard int
	// Faults are breaches of the contracts.
	Faults []string
	// Missing are contracts, and causes of contracts, that were not seen. They are no
	// fault: a suite need not cause everything.
	Missing []string
}

// Judge holds events to the contracts and to their published schemas.
func Judge(heard []Event, contracts []events.Contract, schemas fs.FS) (Report, error) {
	j := judge{byName: map[string]*contract{}, types: map[string]string{}}
	var err error
	if j.envelope, err = compile(schemas, "event.v1.json"); err != nil {
		return Report{}, err
	}
	for _, c := range contracts {
		schema, err := compile(schemas, path.Join(c.Publisher, c.File()+".json"))
		if err != nil {
			return Report{}, err
		}
		j.byName[c.Name()] = &contract{c, schema, map[string]bool{}}
	}
	parsed := make([]events.Envelope, len(heard))
	for i, e := range heard {
		_ = json.Unmarshal(e.Detail, &parsed[i]) // the envelope's schema tells what is wrong
		j.types[parsed[i].Metadata.EventID] = e.Type
	}
	report := Report{Heard: len(heard)}
	for i, e := range heard {
		for _, fault := range j.faults(e, parsed[i]) {
			report.Faults = append(report.Faults, fmt.Sprintf("%s of %s, %s: %s", e.Type, e.Source, parsed[i].Metadata.EventID, fault))
		}
	}
	for _, c := range contracts {
		seen := j.byName[c.Name()].seen
		for _, cause := range c.Causes {
			if !seen[kind(cause)] {
				report.Missing = append(report.Missing, c.Name()+" upon "+cause)
			}
		}
	}
	return report, nil
}

type judge struct {
	envelope *jsonschema.Schema
	byName   map[string]*contract
	types    map[string]string // of events, by their id
}

type contract struct {
	events.Contract
	schema *jsonschema.Schema
	seen   map[string]bool // causes
}

// outside is what causes an event that no event does. Which of a request and the
// clock it was cannot be seen from the bus.
const outside = "no event"

func kind(cause string) string {
	if cause == events.Request || cause == events.Clock {
		return outside
	}
	return cause
}

func (j judge) faults(e Event, envelope events.Envelope) []string {
	var found []string
	if err := validate(j.envelope, e.Detail); err != nil {
		return []string{fmt.Sprintf("its envelope is not valid: %v", err)}
	}
	name := fmt.Sprintf("%s v%d", e.Type, envelope.Metadata.SchemaVersion)
	c := j.byName[name]
	if c == nil {
		return []string{fmt.Sprintf("there is no contract of %s among %v", name, slices.Sorted(maps.Keys(j.byName)))}
	}
	if e.Source != c.Publisher {
		found = append(found, "it is published by "+c.Publisher)
	}
	if envelope.Metadata.Claim == nil { // or its data are elsewhere
		if err := validate(c.schema, envelope.Data); err != nil {
			found = append(found, fmt.Sprintf("its data is not valid: %v", err))
		}
	}
	cause := outside
	if id := envelope.Metadata.CausationID; id != "" {
		if cause = j.types[id]; cause == "" {
			return found // by one that passed before the tap was open
		}
	}
	if !slices.ContainsFunc(c.Causes, func(declared string) bool { return kind(declared) == cause }) {
		found = append(found, fmt.Sprintf("it was caused by %s, and its contract declares %v", cause, c.Causes))
	}
	c.seen[cause] = true
	return found
}

func validate(schema *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

func compile(schemas fs.FS, name string) (*jsonschema.Schema, error) {
	text, err := fs.ReadFile(schemas, name)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}
