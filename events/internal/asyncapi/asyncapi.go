// Package asyncapi writes the contracts as an AsyncAPI 3 document, which other
// teams' tools read: each type of event is a channel, each version a message,
// and each publisher and consumer an operation.
//
// The application of the document is the platform as a whole: it sends and receives
// every event. Operations are tagged with the service that does.
package asyncapi

import (
	"fmt"
	"slices"
	"strings"

	"tradewind/events/internal/book"
	"tradewind/events/internal/schema"
)

// Version is that of the specification.
const Version = "3.0.0"

type object = map[string]any

func ref(parts ...string) object { return object{"$ref": "#/" + strings.Join(parts, "/")} }

func tags(names ...string) []object {
	list := make([]object, len(names))
	for i, name := range names {
		list[i] = object{"name": name}
	}
	return list
}

// Document returns the document as JSON.
func Document(b *book.Book) ([]byte, error) {
	channels, operations, messages, schemas := object{}, object{}, object{}, object{}
	for _, property := range b.Envelope.Properties {
		if property.Name == "metadata" {
			schemas["metadata"] = property.Schema
		}
	}
	for _, e := range b.Entries {
		channel, ok := channels[e.Type()].(object)
		if !ok {
			channel = object{
				"address":  e.Type(),
				"title":    e.Type(),
				"servers":  []object{ref("servers", "bus")},
				"messages": object{},
				"tags":     tags(e.Publisher),
			}
			channels[e.Type()] = channel
		}
		channel["description"] = e.Schema.Description // of the newest version, which comes last
		key := fmt.Sprintf("v%d", e.Version())
		channel["messages"].(object)[key] = ref("components", "messages", e.File())
		messages[e.File()] = message(e)
		data := *e.Schema
		data.Draft = "" // AsyncAPI's own dialect has all that is used
		schemas[e.File()] = &data
		if len(e.Causes) > 0 {
			operation(operations, e, "send", e.Publisher+".publishes."+e.Type(), e.Publisher,
				upper(e.Publisher)+" publishes it upon "+strings.Join(e.Causes, ", ")+".")
		}
		for _, service := range e.Consumers.Services() {
			operation(operations, e, "receive", service+".consumes."+e.Type(), service,
				upper(service)+" "+e.Consumers[service]+".")
		}
	}
	return schema.File(document{
		AsyncAPI: Version,
		Info: object{
			"title":   "Tradewind events",
			"version": "1.0.0",
			"description": "The domain events of the platform. Each is an EventBridge entry: the source is the publisher, the detail type the event's, " +
				"the detail the message here. Delivery is at least once and in no order; metadata.eventId tells repeats apart. " +
				"Optional fields and known values may be added to a version; readers pass over what they do not know.",
			"license": object{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
			"tags":    tags(b.Services...),
		},
		DefaultContentType: "application/json",
		Servers: object{"bus": object{
			"host":        "events.{region}.amazonaws.com",
			"pathname":    "/event-bus/tradewind-{stage}",
			"protocol":    "eventbridge",
			"description": "The event bus tradewind-{stage} of a stage. A rule for each consumer brings its events to its queue.",
			"variables": object{
				"region": object{"description": "The AWS region of the stage.", "default": "eu-central-1"},
				"stage":  object{"description": "The stage, which is part of every name.", "default": "dev"},
			},
		}},
		Channels:   channels,
		Operations: operations,
		Components: object{"messages": messages, "schemas": schemas},
	})
}

type document struct {
	AsyncAPI           string `json:"asyncapi"`
	Info               object `json:"info"`
	DefaultContentType string `json:"defaultContentType"`
	Servers            object `json:"servers"`
	Channels           object `json:"channels"`
	Operations         object `json:"operations"`
	Components         object `json:"components"`
}

func message(e book.Entry) object {
	var examples []object
	for _, x := range e.Examples {
		title := x.Title
		if title == "" {
			title = "example"
		}
		examples = append(examples, object{"name": title, "payload": x.Detail})
	}
	return object{
		"name":          e.Type(),
		"title":         e.Name(),
		"summary":       e.Schema.Description,
		"contentType":   "application/json",
		"correlationId": object{"location": "$message.payload#/metadata/correlationId"},
		"tags":          tags(e.Publisher),
		"payload": object{
			"type":       "object",
			"required":   []string{"metadata", "data"},
			"properties": object{"metadata": ref("components", "schemas", "metadata"), "data": ref("components", "schemas", e.File())},
		},
		"examples": examples,
	}
}

// operation adds a message to what a service does with a type, which may be several
// versions.
func operation(operations object, e book.Entry, action, id, service, summary string) {
	m := ref("channels", e.Type(), "messages", fmt.Sprintf("v%d", e.Version()))
	if known, ok := operations[id].(object); ok {
		known["messages"] = append(slices.Clone(known["messages"].([]object)), m)
		return
	}
	operations[id] = object{
		"action": action, "channel": ref("channels", e.Type()), "messages": []object{m}, "summary": summary, "tags": tags(service),
	}
}

func upper(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
