// Package book gathers what the documents tell of the contracts: the declaration,
// the schema made from the type, and the examples.
//
// It exists so that the AsyncAPI document and the catalogue page cannot say
// different things.
package book

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"tradewind/events"
	"tradewind/events/internal/schema"
)

// Book is all contracts.
type Book struct {
	Envelope *schema.Schema
	Entries  []Entry
	// Publishers are in the order of the contracts, Services are these and whoever
	// else consumes.
	Publishers []Publisher
	Services   []string
}

// Publisher is a service that publishes.
type Publisher struct {
	Name string
	// About is what its package's comment adds.
	About   string
	Entries []Entry
}

// Entry is one contract.
type Entry struct {
	events.Contract
	Schema   *schema.Schema
	Examples []Example
}

// Example is a whole event.
type Example struct {
	// Title tells it from others of the contract; empty for the first.
	Title  string
	Detail json.RawMessage // as it stands in its file
}

// Read gathers from the folder of package events.
func Read(home fs.FS, contracts []events.Contract, docs *schema.Docs) (*Book, error) {
	envelope, err := schema.OfEnvelope(docs)
	if err != nil {
		return nil, err
	}
	b := &Book{Envelope: envelope}
	for _, c := range contracts {
		e := Entry{Contract: c}
		if e.Schema, err = schema.OfContract(c, docs); err != nil {
			return nil, err
		}
		if e.Examples, err = examples(home, c); err != nil {
			return nil, err
		}
		b.Entries = append(b.Entries, e)
		if err := b.addPublisher(e, docs); err != nil {
			return nil, err
		}
	}
	for _, p := range b.Publishers {
		b.Services = append(b.Services, p.Name)
	}
	for _, e := range b.Entries {
		for _, service := range e.Consumers.Services() {
			if !slices.Contains(b.Services, service) {
				b.Services = append(b.Services, service)
			}
		}
	}
	return b, nil
}

func (b *Book) addPublisher(e Entry, docs *schema.Docs) error {
	i := slices.IndexFunc(b.Publishers, func(p Publisher) bool { return p.Name == e.Publisher })
	if i < 0 {
		about, err := docs.Publisher(reflect.TypeOf(e.Event))
		if err != nil {
			return err
		}
		i = len(b.Publishers)
		b.Publishers = append(b.Publishers, Publisher{Name: e.Publisher, About: about})
	}
	b.Publishers[i].Entries = append(b.Publishers[i].Entries, e)
	return nil
}

// examples reads those of a contract: the file of its name first, and those with a
// word behind it.
func examples(home fs.FS, c events.Contract) ([]Example, error) {
	stem := path.Join(c.Publisher, "examples", c.File())
	more, err := fs.Glob(home, stem+".*.json")
	if err != nil {
		return nil, err
	}
	var found []Example
	for _, name := range append([]string{stem + ".json"}, more...) {
		text, err := fs.ReadFile(home, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s has no example: write a whole event to events/%s", c.Name(), name)
		}
		if err != nil {
			return nil, err
		}
		title := strings.Trim(strings.TrimSuffix(strings.TrimPrefix(name, stem), ".json"), ".")
		found = append(found, Example{strings.ReplaceAll(title, "-", " "), text})
	}
	return found, nil
}

// Upon tells upon what an entry is published besides other events, and upon which of
// them.
func (e Entry) Upon() (others, types []string) {
	for _, cause := range e.Contract.Causes {
		if cause == events.Request || cause == events.Clock {
			others = append(others, cause)
		} else {
			types = append(types, cause)
		}
	}
	return others, types
}
