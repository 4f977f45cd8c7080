package compat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"tradewind/events"
	"tradewind/events/internal/schema"
)

// Verdict is what the gate found.
type Verdict struct {
	// Broken are the changes that may not be, each a text that names the event,
	// its consumers, every field, and the ways out.
	Broken []string
	// Files is what the folder of published schemas has to hold, by name.
	Files map[string][]byte
	// Stale are the names of files in which the folder differs from that.
	Stale []string
}

// envelope is the name of the schema of what every event travels in.
const envelope = "event.v1.json"

// File is where a contract's schema is in the folder of published schemas.
func File(c events.Contract) string { return path.Join(c.Publisher, c.File()+".json") }

// Judge compares contracts with what was published of them.
func Judge(contracts []events.Contract, docs *schema.Docs, published fs.FS) (Verdict, error) {
	v := Verdict{Files: map[string][]byte{}}
	around, err := schema.OfEnvelope(docs)
	if err != nil {
		return Verdict{}, err
	}
	if err := v.compare(published, envelope, around, change{name: "the envelope of every event", consumers: everyone(contracts)}); err != nil {
		return Verdict{}, err
	}
	for _, c := range contracts {
		data, err := schema.OfContract(c, docs)
		if err != nil {
			return Verdict{}, err
		}
		err = v.compare(published, File(c), data, change{
			name: fmt.Sprintf("%s, published by %s,", c.Name(), c.Publisher), pointer: "/data", consumers: c.Consumers.Services(),
			mend: successor(c),
		})
		if err != nil {
			return Verdict{}, err
		}
	}
	return v, v.removed(published)
}

func everyone(contracts []events.Contract) []string {
	found := map[string]bool{}
	for _, c := range contracts {
		for service := range c.Consumers {
			found[service] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// successor tells how to make the next version.
func successor(c events.Contract) string {
	typ := reflect.TypeOf(c.Event).String() // "orders.CreatedV1"
	next := strings.TrimSuffix(typ, fmt.Sprint("V", c.Version())) + fmt.Sprint("V", c.Version()+1)
	return fmt.Sprintf("declare version %d beside it (%s, with its Upcast from %s) and move its consumers there",
		c.Version()+1, next, typ)
}

// change is what a text about broken consumers is made of.
type change struct {
	name, pointer, mend string
	consumers           []string
}

func (v *Verdict) compare(published fs.FS, name string, present *schema.Schema, c change) error {
	want, err := present.File()
	if err != nil {
		return err
	}
	v.Files[name] = want
	have, err := fs.ReadFile(published, name)
	if errors.Is(err, fs.ErrNotExist) {
		v.Stale = append(v.Stale, name)
		return nil
	}
	if err != nil || bytes.Equal(have, want) {
		return err
	}
	v.Stale = append(v.Stale, name)
	var was, is map[string]any
	if err := json.Unmarshal(have, &was); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(want, &is); err != nil {
		return err
	}
	if breaks := Compare(c.pointer, was, is); len(breaks) > 0 {
		v.Broken = append(v.Broken, c.text(breaks))
	}
	return nil
}

func (c change) text(breaks []Break) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s would break %s:\n", c.name, those(c.consumers))
	for _, found := range breaks {
		fmt.Fprintf(&b, "    %s\n", found)
	}
	b.WriteString("  Either keep what is published and only add to it: an optional field, a known value, a comment;\n")
	if c.mend == "" {
		b.WriteString("  or publish beside it what is needed: nothing on the bus can do without it.")
		return b.String()
	}
	fmt.Fprintf(&b, "  or %s: the comment of package events has the steps.", c.mend)
	return b.String()
}

func those(consumers []string) string {
	switch n := len(consumers); n {
	case 0:
		return "whoever reads it (no service of the platform does, but the archive keeps it)"
	case 1:
		return "its consumer " + consumers[0]
	default:
		return "its consumers " + strings.Join(consumers[:n-1], ", ") + " and " + consumers[n-1]
	}
}

// removed finds what was published and is no contract any more.
func (v *Verdict) removed(published fs.FS) error {
	return fs.WalkDir(published, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || v.Files[name] != nil {
			return err
		}
		v.Stale = append(v.Stale, name)
		text, err := fs.ReadFile(published, name)
		if err != nil {
			return err
		}
		var was struct {
			Title     string   `json:"title"`
			Publisher string   `json:"x-publisher"`
			Consumers []string `json:"x-consumers"`
		}
		if err := json.Unmarshal(text, &was); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(was.Consumers) > 0 {
			v.Broken = append(v.Broken, fmt.Sprintf("%s, published by %s, is gone, which would break %s.\n"+
				"  Either keep it; or move its consumers off, to a newer version or to nothing, publish the contract without them, and remove it then.",
				was.Title, was.Publisher, those(was.Consumers)))
		}
		return nil
	})
}
