package awslimits

import (
	"encoding/json"
	"strings"
	"testing"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPatternFaults(t *testing.T) {
	tests := map[string]string{ // pattern: a part of the fault, or none
		`{"source": ["orders", 1, null, true]}`:                               "",
		`{"detail": {"data": {"total": [{"numeric": [">=", 0, "<", 100]}]}}}`: "",
		`{"detail": {"a": [{"numeric": ["=", 5]}]}}`:                          "",
		`{"a": [{"prefix": {"equals-ignore-case": "x"}}]}`:                    "",
		`{"a": [{"suffix": "x"}, {"exists": false}, {"cidr": "10.0.0.0/8"}]}`: "",
		`{"a": [{"anything-but": ["x", "y"]}]}`:                               "",
		`{"a": [{"anything-but": {"prefix": ["x", "y"]}}]}`:                   "",
		`{"a": [{"wildcard": "*:*:*:*"}]}`:                                    "",
		`{"a": [{"wildcard": "\\\\*"}]}`:                                      "",
		`{"$or": [{"a": ["x"]}, {"b": ["y"]}]}`:                               "",
		`{"$or": ["a field of that name"]}`:                                   "",
		`{"$or": [{"a": ["x"]}, {"b": "y"}]}`:                                 `at "$or/1/b" is y`,
		`{}`:                                                                  "is an empty object",
		`{"a": {}}`:                                                           "is an empty object",
		`{"a": "x"}`:                                                          "a value stands in a list",
		`{"a": []}`:                                                           "is an empty list",
		`{"a": [["x"]]}`:                                                      "a list in a list",
		`{"a": [{"begins-with": "x"}]}`:                                       "has the operator begins-with",
		`{"a": [{"prefix": "x", "suffix": "y"}]}`:                             "has 2 operators",
		`{"a": [{"equals-ignore-case": 5}]}`:                                  "give a text",
		`{"a": [{"exists": "true"}]}`:                                         "give true or false",
		`{"a": [{"cidr": "10.0.0.1"}]}`:                                       "give a range of addresses",
		`{"a": [{"numeric": ["<", 5, ">", 1]}]}`:                              "bounds such as",
		`{"a": [{"numeric": [">", 5, "<", 5]}]}`:                              "no number between",
		`{"a": [{"numeric": [">"]}]}`:                                         "bounds such as",
		`{"a": [{"numeric": ["~", 5]}]}`:                                      "bounds such as",
		`{"a": [{"anything-but": []}]}`:                                       "has no value",
		`{"a": [{"anything-but": ["x", 5]}]}`:                                 "not both",
		`{"a": [{"anything-but": {"prefix": ""}}]}`:                           "for its prefix",
		`{"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]}`:  "for its prefix",
		`{"a": [{"anything-but": {"prefix": []}}]}`:                           "wrong operator",
		`{"a": [{"anything-but": {"wildcard": "**"}}]}`:                       "write one *",
		`{"a": [{"wildcard": "a**b"}]}`:                                       "write one *",
		`{"a": [{"wildcard": "*:*:*:*:*"}]}`:                                  "at most 4 stars",
		`{"a": [{"wildcard": "a\\b"}]}`:                                       "stands before",
		`{"a": [{"wildcard": 5}]}`:                                            "give a text",
	}
	for pattern, want := range tests {
		got := strings.Join(PatternFaults(decode(t, pattern)), "\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func TestText(t *testing.T) {
	tests := map[string]struct {
		want  string
		exact bool
	}{
		`"a"`: {"a", true}, `5`: {"5", true}, `true`: {"true", true},
		`{"Ref": "AWS::Region"}`:                                {"eu-central-1", true},
		`{"Ref": "Table"}`:                                      {"", false},
		`{"Fn::GetAtt": ["Table", "Arn"]}`:                      {"", false},
		`{"Fn::Join": ["-", ["a", {"Ref": "AWS::Partition"}]]}`: {"a-aws", true},
		`{"Fn::Join": ["/", [{"Ref": "Table"}, "index"]]}`:      {"/index", false},
		`{"Fn::Join": ["", ["{{resolve:ssm:", "/a", "}}"]]}`:    {"/a}}", false},
		`{"Fn::Join": "a"}`:                                     {"", false},
		`{"Fn::Sub": "a-${AWS::AccountId}"}`:                    {"a-111122223333", true},
		`{"Fn::Sub": "a-${Table}"}`:                             {"a-${Table}", false},
		`{"Fn::Sub": ["a-${B}", {"B": "c"}]}`:                   {"", false},
		`"{{resolve:secretsmanager:arn:SecretString:::}}"`:      {"", false},
	}
	for source, want := range tests {
		if got, exact := text(decode(t, `{"v": `+source+`}`)["v"]); got != want.want || exact != want.exact {
			t.Errorf("%s is %q, exact: %v", source, got, exact)
		}
	}
}

func TestNeeds(t *testing.T) {
	tpl, err := Parse([]byte(`{"Resources": {
		"Table": {"Type": "AWS::DynamoDB::GlobalTable"},
		"Role": {"Type": "AWS::IAM::Role"},
		"Policy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "Arn": {"Fn::Sub": "${Table.Arn}/index"}}},
		"Function": {"Type": "AWS::Lambda::Function", "DependsOn": "Policy"},
		"Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}, "DependsOn": ["Role", "Policy"]}
	}}`))
	if err != nil {
		t.Fatal(err)
	}
	for pair, want := range map[string]bool{
		"Version Table": true, "Function Role": true, "Policy Function": false, "Table Role": false, "Version Version": false,
	} {
		from, to, _ := strings.Cut(pair, " ")
		if got := tpl.needs(from, to); got != want {
			t.Errorf("%s: %v", pair, got)
		}
	}
	if _, err := Parse([]byte("[]")); err == nil {
		t.Error("a list was taken for a template")
	}
}

// A finding says all that is needed to mend it.
func TestFinding(t *testing.T) {
	stage := Stage{"orders": Template{Resources: map[string]Resource{
		"Queue": {Type: "AWS::SQS::Queue", Properties: map[string]any{"VisibilityTimeout": 43_201.0}},
		"Other": {Type: "AWS::SQS::Pipe"},
	}}}
	var got []string
	for _, f := range Check(stage) {
		got = append(got, f.String())
	}
	schemas := described().paths["AWS::SQS::Queue"]["VisibilityTimeout"][0].Source
	want := []string{
		"orders/Other (AWS::SQS::Pipe) properties there are no constraints for this type: run `make limits` [described: infra/awslimits/constraints.json]",
		"orders/Queue (AWS::SQS::Queue) VisibilityTimeout is 43201, give at most 43200 [maximum: " + schemas + "]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
