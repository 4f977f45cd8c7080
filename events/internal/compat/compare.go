// Package compat decides whether a contract may change as it was changed: it
// compares the JSON Schemas that were published with those of the types as they
// are.
//
// The rule is that both directions must hold, for events outlive deployments:
// what will be published must fit the consumers of today, and what was published,
// and waits in queues, dead-letter queues and the archive, must fit the consumers
// of tomorrow. So an optional field may be added anywhere and nothing else that
// says what data looks like may change; descriptions, known values and who
// consumes are free.
package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Break is a change that breaks somebody. Its pointer is a JSON Pointer to the
// field in the event, with * for every item of an array.
type Break struct{ Pointer, What string }

func (b Break) String() string { return b.Pointer + " " + b.What }

// annotations say nothing of what data looks like.
var annotations = []string{"$schema", "title", "description", "examples", "x-publisher", "x-consumers"}

// Compare returns what breaks between two schemas of the value at a pointer.
func Compare(pointer string, published, present map[string]any) []Break {
	was, is := published["type"], present["type"]
	if was != is {
		return []Break{{pointer, fmt.Sprintf("was of type %v and is of type %v", was, is)}}
	}
	breaks := properties(pointer, published, present)
	if items, ok := published["items"].(map[string]any); ok {
		now, _ := present["items"].(map[string]any)
		breaks = append(breaks, Compare(pointer+"/*", items, now)...)
	}
	breaks = append(breaks, enum(pointer, published["enum"], present["enum"])...)
	return append(breaks, others(pointer, published, present)...)
}

// properties compares what an object has.
func properties(pointer string, published, present map[string]any) []Break {
	was, _ := published["properties"].(map[string]any)
	is, _ := present["properties"].(map[string]any)
	var breaks []Break
	found := func(name, what string) {
		breaks = append(breaks, Break{pointer + "/" + escape(name), what})
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		now, there := is[name].(map[string]any)
		if !there {
			found(name, "is gone")
			continue
		}
		switch before, after := required(published, name), required(present, name); {
		case before && !after:
			found(name, "was required and is optional: consumers of today rely on it")
		case !before && after:
			found(name, "was optional and is required: events published so far lack it")
		}
		breaks = append(breaks, Compare(pointer+"/"+escape(name), was[name].(map[string]any), now)...)
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, known := was[name]; !known && required(present, name) {
			found(name, "is new and required: events published so far lack it (omitempty makes it optional)")
		}
	}
	return breaks
}

func required(object map[string]any, name string) bool {
	names, _ := object["required"].([]any)
	return slices.Contains(names, any(name))
}

// enum compares the values of a closed set.
func enum(pointer string, published, present any) []Break {
	was, closed := published.([]any)
	is, stays := present.([]any)
	switch {
	case !closed && !stays:
		return nil
	case !closed:
		return []Break{{pointer, fmt.Sprintf("took any value and is closed to %v: events published so far have others", is)}}
	case !stays:
		return []Break{{pointer, fmt.Sprintf("was closed to %v and takes any value: consumers of today know these only", was)}}
	}
	var breaks []Break
	for _, value := range was {
		if !slices.Contains(is, value) {
			breaks = append(breaks, Break{pointer, fmt.Sprintf("lost the value %v: events published so far have it", value)})
		}
	}
	for _, value := range is {
		if !slices.Contains(was, value) {
			breaks = append(breaks, Break{pointer, fmt.Sprintf("gained the value %v: consumers of today do not know it", value)})
		}
	}
	return breaks
}

// others compares the rest: bounds, patterns, formats, and whatever else a schema
// may say. None can be both narrower and wider, so any difference breaks someone.
func others(pointer string, published, present map[string]any) []Break {
	keywords := map[string]bool{}
	for _, schema := range []map[string]any{published, present} {
		for keyword := range schema {
			keywords[keyword] = true
		}
	}
	for _, judged := range append([]string{"type", "properties", "required", "items", "enum"}, annotations...) {
		delete(keywords, judged)
	}
	var breaks []Break
	for _, keyword := range slices.Sorted(maps.Keys(keywords)) {
		was, is := published[keyword], present[keyword]
		if reflect.DeepEqual(was, is) {
			continue
		}
		breaks = append(breaks, Break{pointer, fmt.Sprintf("had %s and has %s", limit(keyword, was), limit(keyword, is))})
	}
	return breaks
}

func limit(keyword string, value any) string {
	if value == nil {
		return "no " + keyword
	}
	text, _ := json.Marshal(value) // it was read from JSON
	return keyword + " " + string(text)
}

// escape makes a reference token of a name (RFC 6901).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }
