package compat

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parcel is a schema with everything that a contract's may have.
const parcel = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "parcel.sent v1", "description": "A parcel is on its way.",
  "x-publisher": "post", "x-consumers": ["billing"],
  "type": "object",
  "required": ["parcelId", "speed", "to", "parts"],
  "properties": {
    "parcelId": {"type": "string", "pattern": "^par_"},
    "speed": {"type": "string", "enum": ["normal", "express"]},
    "remark": {"type": "string", "maxLength": 200},
    "carrier": {"type": "string", "examples": ["post"]},
    "due": {"type": "string", "format": "date"},
    "to": {"type": "object", "required": ["name"], "properties": {
      "name": {"type": "string", "minLength": 1},
      "zone": {"type": "integer", "minimum": 1, "maximum": 9},
      "kind": {"type": "string", "enum": ["home", "shop"]}}},
    "parts": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["grams", "tags"], "properties": {
      "grams": {"type": "integer", "minimum": 1},
      "tags": {"type": "array", "items": {"type": "string", "enum": ["fragile", "cold"]}}}}}}}`

// Each change is of the text above. What breaks is said with the field's pointer.
func TestCompare(t *testing.T) {
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"nothing": {"", "", nil},

		"a field is gone":             {`"remark": {"type": "string", "maxLength": 200},`, ``, []string{"/data/remark is gone"}},
		"a required field is gone":    {`"parcelId": {"type": "string", "pattern": "^par_"},`, ``, []string{"/data/parcelId is gone"}},
		"a nested field is gone":      {`"zone": {"type": "integer", "minimum": 1, "maximum": 9},`, ``, []string{"/data/to/zone is gone"}},
		"an item's field is gone":     {`"grams": {"type": "integer", "minimum": 1},`, ``, []string{"/data/parts/*/grams is gone"}},
		"a field has another name":    {`"remark"`, `"note"`, []string{"/data/remark is gone"}},
		"another type":                {`"parcelId": {"type": "string"`, `"parcelId": {"type": "integer"`, []string{"/data/parcelId was of type string and is of type integer"}},
		"another type, nested":        {`"name": {"type": "string"`, `"name": {"type": "object"`, []string{"/data/to/name was of type string and is of type object"}},
		"another type of items":       {`"items": {"type": "string", "enum": ["fragile", "cold"]}`, `"items": {"type": "integer"}`, []string{"/data/parts/*/tags/* was of type string and is of type integer"}},
		"a list became one thing":     {`"parts": {"type": "array", "minItems": 1, "items": {`, `"parts": {"type": "object", "x": {`, []string{"/data/parts was of type array and is of type object"}},
		"optional became required":    {`["parcelId", "speed"`, `["parcelId", "due", "speed"`, []string{"/data/due was optional and is required"}},
		"required became optional":    {`["parcelId", "speed"`, `["speed"`, []string{"/data/parcelId was required and is optional"}},
		"the same, nested":            {`["name"]`, `["name", "zone"]`, []string{"/data/to/zone was optional and is required"}},
		"the same, in items":          {`["grams", "tags"]`, `["tags"]`, []string{"/data/parts/*/grams was required and is optional"}},
		"a new required field":        {`["name"], "properties": {`, `["name", "city"], "properties": {"city": {"type": "string"},`, []string{"/data/to/city is new and required"}},
		"an enum is narrower":         {`["normal", "express"]`, `["normal"]`, []string{"/data/speed lost the value express"}},
		"an enum is wider":            {`["normal", "express"]`, `["normal", "express", "slow"]`, []string{"/data/speed gained the value slow"}},
		"an enum has another value":   {`["home", "shop"]`, `["home", "office"]`, []string{"/data/to/kind lost the value shop", "/data/to/kind gained the value office"}},
		"an enum of items":            {`["fragile", "cold"]`, `["fragile", "cold", "tall"]`, []string{"/data/parts/*/tags/* gained the value tall"}},
		"an enum is opened":           {`, "enum": ["normal", "express"]`, ``, []string{"/data/speed was closed to [normal express] and takes any value"}},
		"a set is closed":             {`"examples": ["post"]`, `"enum": ["post"]`, []string{"/data/carrier took any value and is closed to [post]"}},
		"another pattern":             {`^par_`, `^prc_`, []string{`/data/parcelId had pattern "^par_" and has pattern "^prc_"`}},
		"a pattern is gone":           {`, "pattern": "^par_"`, ``, []string{`/data/parcelId had pattern "^par_" and has no pattern`}},
		"a new pattern":               {`"maxLength": 200`, `"maxLength": 200, "pattern": "\\S"`, []string{`/data/remark had no pattern and has pattern "\\S"`}},
		"another format":              {`"format": "date"`, `"format": "date-time"`, []string{`/data/due had format "date" and has format "date-time"`}},
		"a higher lower bound":        {`"minimum": 1}`, `"minimum": 2}`, []string{"/data/parts/*/grams had minimum 1 and has minimum 2"}},
		"a lower lower bound":         {`"minimum": 1}`, `"minimum": 0}`, []string{"/data/parts/*/grams had minimum 1 and has minimum 0"}},
		"a higher upper bound":        {`"maximum": 9`, `"maximum": 10`, []string{"/data/to/zone had maximum 9 and has maximum 10"}},
		"shorter":                     {`"maxLength": 200`, `"maxLength": 100`, []string{"/data/remark had maxLength 200 and has maxLength 100"}},
		"an empty list":               {`, "minItems": 1`, ``, []string{"/data/parts had minItems 1 and has no minItems"}},
		"a keyword nobody thought of": {`"format": "date"`, `"format": "date", "nullable": true`, []string{"/data/due had no nullable and has nullable true"}},

		"a new optional field":         {`"remark"`, `"colour": {"type": "string"}, "remark"`, nil},
		"a new optional nested field":  {`"zone"`, `"city": {"type": "string"}, "zone"`, nil},
		"a new optional field of item": {`"grams": {`, `"colour": {"type": "string"}, "grams": {`, nil},
		"a new optional object":        {`"remark"`, `"from": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}, "remark"`, nil},
		"another description":          {`A parcel is on its way.`, `A parcel has left.`, nil},
		"a description of a field":     {`"pattern": "^par_"`, `"pattern": "^par_", "description": "The parcel."`, nil},
		"a known value more":           {`["post"]`, `["post", "bicycle"]`, nil},
		"a consumer more":              {`["billing"]`, `["billing", "claims"]`, nil},
		"a consumer less":              {`["billing"]`, `[]`, nil},
		"another order":                {`["parcelId", "speed", "to", "parts"]`, `["parts", "to", "speed", "parcelId"]`, nil},
		"another order of an enum":     {`["home", "shop"]`, `["shop", "home"]`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed := parcel
			if test.old != "" {
				if changed = strings.Replace(parcel, test.old, test.new, 1); changed == parcel {
					t.Fatalf("%q is not in the schema", test.old)
				}
			}
			var got []string
			for _, b := range Compare("/data", decode(t, parcel), decode(t, changed)) {
				text := b.String()
				if len(got) < len(test.want) { // the reason behind the colon is for people
					text = text[:min(len(text), len(test.want[len(got)]))]
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("breaks (-want +got):\n%s", diff)
			}
		})
	}
}

// Names with the two characters that mean something in a pointer.
func TestPointerIsEscaped(t *testing.T) {
	was := decode(t, `{"type": "object", "properties": {"a/b~c": {"type": "string"}}}`)
	is := decode(t, `{"type": "object", "properties": {}}`)
	if got := Compare("", was, is); len(got) != 1 || got[0].Pointer != "/a~1b~0c" {
		t.Errorf("got %v", got)
	}
}

// What is compared with itself never breaks, whatever it is.
func TestPublishedBreaksNothing(t *testing.T) {
	text, err := os.ReadFile("../../published/orders/order.created.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := Compare("/data", decode(t, string(text)), decode(t, string(text))); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}
