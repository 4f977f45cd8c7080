package catalog_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	event "tradewind/events/catalog"
	"tradewind/functions/catalog"
	"tradewind/shared/apperr"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Minute)
)

// mug is a change that makes a whole product, with alterations.
func mug(alter func(*catalog.Change)) catalog.Change {
	c := catalog.Change{
		SKU: new("MUG-1"), Name: new("Blue Mug"), Description: new("Holds tea."), Category: new("kitchen"),
		Amount: new(int64(1999)), Currency: new("EUR"),
	}
	if alter != nil {
		alter(&c)
	}
	return c
}

// faults returns the pointers of what was wrong.
func faults(err error) []string {
	var list []string
	if e, ok := errors.AsType[*apperr.Error](err); ok {
		for _, f := range e.Fields {
			list = append(list, f.Pointer)
		}
	}
	return list
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestNew(t *testing.T) {
	p, created, err := catalog.New("prd_1", mug(nil), noon)
	if err != nil {
		t.Fatal(err)
	}
	price := events.Money{Amount: 1999, Currency: "EUR"}
	same(t, "product", p, catalog.Product{
		ID: "prd_1", SKU: "MUG-1", Name: "Blue Mug", Description: "Holds tea.", Category: "kitchen", Price: price,
		Status: catalog.Active, Version: 1, CreatedAt: noon, UpdatedAt: noon,
	})
	same(t, "event", created, event.ProductCreatedV1{ProductID: "prd_1", SKU: "MUG-1", Name: "Blue Mug", Category: "kitchen", Price: price})
}

// The rules of each field, for a new product and for a change alike.
func TestFieldRules(t *testing.T) {
	tests := map[string]struct {
		alter func(*catalog.Change)
		want  []string
	}{
		"valid":                 {nil, nil},
		"no SKU":                {func(c *catalog.Change) { c.SKU = new("") }, []string{"/sku"}},
		"blank SKU":             {func(c *catalog.Change) { c.SKU = new(" \n") }, []string{"/sku"}},
		"longest SKU":           {func(c *catalog.Change) { c.SKU = new(strings.Repeat("ü", 200)) }, nil},
		"long SKU":              {func(c *catalog.Change) { c.SKU = new(strings.Repeat("ü", 201)) }, []string{"/sku"}},
		"no name":               {func(c *catalog.Change) { c.Name = new("") }, []string{"/name"}},
		"longest name":          {func(c *catalog.Change) { c.Name = new(strings.Repeat("ü", 200)) }, nil},
		"long name":             {func(c *catalog.Change) { c.Name = new(strings.Repeat("ü", 201)) }, []string{"/name"}},
		"no category":           {func(c *catalog.Change) { c.Category = new("") }, []string{"/category"}},
		"long category":         {func(c *catalog.Change) { c.Category = new(strings.Repeat("x", 201)) }, []string{"/category"}},
		"empty description":     {func(c *catalog.Change) { c.Description = new("") }, nil},
		"longest description":   {func(c *catalog.Change) { c.Description = new(strings.Repeat("ü", 2000)) }, nil},
		"long description":      {func(c *catalog.Change) { c.Description = new(strings.Repeat("ü", 2001)) }, []string{"/description"}},
		"for free":              {func(c *catalog.Change) { c.Amount = new(int64(0)) }, nil},
		"highest price":         {func(c *catalog.Change) { c.Amount = new(int64(100_000_000_000)) }, nil},
		"price below nothing":   {func(c *catalog.Change) { c.Amount = new(int64(-1)) }, []string{"/price/amount"}},
		"price above the most":  {func(c *catalog.Change) { c.Amount = new(int64(100_000_000_001)) }, []string{"/price/amount"}},
		"lower-case currency":   {func(c *catalog.Change) { c.Currency = new("eur") }, []string{"/price/currency"}},
		"short currency":        {func(c *catalog.Change) { c.Currency = new("EU") }, []string{"/price/currency"}},
		"long currency":         {func(c *catalog.Change) { c.Currency = new("EURO") }, []string{"/price/currency"}},
		"currency with a digit": {func(c *catalog.Change) { c.Currency = new("EU2") }, []string{"/price/currency"}},
		"said to be active":     {func(c *catalog.Change) { c.Status = new(catalog.Active) }, nil},
		"unknown status":        {func(c *catalog.Change) { c.Status = new(catalog.Status("sold")) }, []string{"/status"}},
		"all of it": {func(c *catalog.Change) {
			*c = catalog.Change{SKU: new(""), Name: new(""), Category: new(""), Amount: new(int64(-1)), Currency: new("")}
		}, []string{"/sku", "/name", "/category", "/price/amount", "/price/currency"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			change := mug(tt.alter)
			_, _, err := catalog.New("prd_1", change, noon)
			same(t, "faults of a new product", faults(err), tt.want)
			p := product(t)
			before := p
			_, err = p.Change(change, later)
			same(t, "faults of a change", faults(err), tt.want)
			if err != nil {
				same(t, "product after a refused change", p, before)
			}
		})
	}
}

func TestNewNeedsAllButTheDescription(t *testing.T) {
	_, _, err := catalog.New("prd_1", catalog.Change{}, noon)
	same(t, "faults", faults(err), []string{"/sku", "/name", "/category", "/price/amount", "/price/currency"})
	_, _, err = catalog.New("prd_1", mug(func(c *catalog.Change) { c.Status = new(catalog.Discontinued) }), noon)
	same(t, "faults of a product that ends before it began", faults(err), []string{"/status"})
	p, _, err := catalog.New("prd_1", mug(func(c *catalog.Change) { c.Description = nil }), noon)
	if err != nil || p.Description != "" {
		t.Errorf("%+v, %v", p, err)
	}
}

func product(t *testing.T) catalog.Product {
	t.Helper()
	p, _, err := catalog.New("prd_1", mug(nil), noon)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChange(t *testing.T) {
	const updated, ended = event.TypeProductUpdated, event.TypeProductDiscontinued
	gone := func(p *catalog.Product) { p.Status = catalog.Discontinued }
	tests := map[string]struct {
		from   func(*catalog.Product)
		change catalog.Change
		to     func(*catalog.Product) // nil: nothing changes
		events []string
	}{
		"nothing":            {nil, catalog.Change{}, nil, nil},
		"all to the same":    {nil, mug(nil), nil, nil},
		"SKU":                {nil, catalog.Change{SKU: new("MUG-2")}, func(p *catalog.Product) { p.SKU = "MUG-2" }, []string{updated}},
		"name":               {nil, catalog.Change{Name: new("Mug")}, func(p *catalog.Product) { p.Name = "Mug" }, []string{updated}},
		"description":        {nil, catalog.Change{Description: new("")}, func(p *catalog.Product) { p.Description = "" }, []string{updated}},
		"category":           {nil, catalog.Change{Category: new("gifts")}, func(p *catalog.Product) { p.Category = "gifts" }, []string{updated}},
		"amount":             {nil, catalog.Change{Amount: new(int64(5))}, func(p *catalog.Product) { p.Price.Amount = 5 }, []string{updated}},
		"currency":           {nil, catalog.Change{Currency: new("USD")}, func(p *catalog.Product) { p.Price.Currency = "USD" }, []string{updated}},
		"its end":            {nil, catalog.Change{Status: new(catalog.Discontinued)}, gone, []string{ended}},
		"its end, again":     {gone, catalog.Change{Status: new(catalog.Discontinued)}, nil, nil},
		"its end and a name": {nil, catalog.Change{Status: new(catalog.Discontinued), Name: new("Mug")}, func(p *catalog.Product) { gone(p); p.Name = "Mug" }, []string{updated, ended}},
		"its return":         {gone, catalog.Change{Status: new(catalog.Active)}, func(p *catalog.Product) { p.Status = catalog.Active }, []string{updated}},
		"name after its end": {gone, catalog.Change{Name: new("Mug")}, func(p *catalog.Product) { p.Name = "Mug" }, []string{updated}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := product(t)
			if tt.from != nil {
				tt.from(&p)
			}
			expected := p
			if tt.to != nil {
				tt.to(&expected)
				expected.Version, expected.UpdatedAt = 2, later
			}
			evs, err := p.Change(tt.change, later)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "product", p, expected)
			var types []string
			for _, ev := range evs {
				types = append(types, ev.EventType())
				if u, ok := ev.(event.ProductUpdatedV1); ok {
					same(t, "event", u, event.ProductUpdatedV1{
						ProductID: "prd_1", SKU: p.SKU, Name: p.Name, Category: p.Category, Price: p.Price, Version: 2,
					})
				}
			}
			same(t, "events", types, tt.events)
		})
	}
}

// What was stored under older rules can still be changed elsewhere.
func TestChangeJudgesOnlyWhatItChanges(t *testing.T) {
	p := product(t)
	p.Name = strings.Repeat("x", 500)
	if _, err := p.Change(catalog.Change{Amount: new(int64(5))}, later); err != nil {
		t.Errorf("a new price for a product with an overlong name: %v", err)
	}
}
