package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern string
		whole   bool
		want    claims
	}{
		{`^[a-z]+$`, false, claims{"pattern": `^[a-z]+$`}},
		{`[a-z]+`, true, claims{"pattern": `^[a-z]+$`}},
		{`[a-z]+`, false, claims{"pattern": `[a-z]+`}},
		{`a|b`, true, claims{"pattern": `^(?:a|b)$`}},
		{`[\u0020-\u00FF]+`, true, claims{"pattern": `^[\x{0020}-\x{00FF}]+$`}},
		{`^[a-z]{1,2048}$`, false, claims{"pattern": `^[a-z]{1,1000}[a-z]{0,1000}[a-z]{0,48}$`}},
		{`^a\Z`, false, claims{"pattern": `^a\z`}},
		{`.*`, true, claims{}},
		{`^((?![:*$])[\x00-\x7F]){1,255}`, false, claims{"pattern": `^[\x00-#%-)+-9;-\x7F]{1,255}$`}},
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, true, claims{"pattern": `^[a-zA-Z0-9-_]+$`, "not": `^[0-9]+$`}},
	}
	for _, test := range tests {
		got := claims{}
		if err := got.pattern(test.pattern, test.whole); err != nil {
			t.Errorf("%s: %v", test.pattern, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.pattern, diff)
		}
	}
	if err := (claims{}).pattern(`^(?=a)b`, false); err == nil || !strings.Contains(err.Error(), `(?=a)b`) {
		t.Errorf("a pattern that Go does not have: %v", err)
	}
}

func TestRepeated(t *testing.T) {
	for _, test := range []struct {
		pattern   string
		fits, not string
	}{
		{`^[a]{0,1500}$`, strings.Repeat("a", 1500), strings.Repeat("a", 1501)},
		{`^[a]{1200,1500}$`, strings.Repeat("a", 1200), strings.Repeat("a", 1199)},
	} {
		got := claims{}
		if err := got.pattern(test.pattern, false); err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(got["pattern"].(string))
		if !re.MatchString(test.fits) || re.MatchString(test.not) {
			t.Errorf("%s became %s", test.pattern, re)
		}
	}
}

func TestRename(t *testing.T) {
	tests := []struct {
		path    string
		renames []string
		want    string
	}{
		{"Name", nil, "Name"},
		{"SourceArn", []string{"SourceArn=EventSourceArn"}, "EventSourceArn"},
		{"Attributes/*/Key", []string{"Attributes=Settings"}, "Settings/*/Key"},
		{"Generate/Length", []string{"Generate="}, "Length"},
		{"Name", []string{"=Changes/*"}, "Changes/*/Name"},
		{"Other", []string{"Name=Title"}, "Other"},
	}
	for _, test := range tests {
		if got, _ := rename(test.path, test.renames); got != test.want {
			t.Errorf("%s by %v is %q, want %q", test.path, test.renames, got, test.want)
		}
	}
}

// An unknown word of a schema must not be dropped unseen.
func TestUnknownWord(t *testing.T) {
	s := &schema{name: "AWS::Test"}
	if _, err := s.claims(node{"type": "string", "maxWords": 5.0}); err == nil || !strings.Contains(err.Error(), "maxWords") {
		t.Errorf("got %v", err)
	}
	got, err := s.claims(node{"type": "array", "uniqueItems": false, "minItems": 0.0, "anyOf": []any{
		map[string]any{"required": []any{"A"}}, map[string]any{"required": []any{"B"}},
	}})
	if diff := cmp.Diff(claims{"type": "array", "atLeastOne": []any{"A", "B"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
