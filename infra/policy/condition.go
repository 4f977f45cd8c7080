package policy

import (
	"fmt"
	"strings"
)

// truth is that of a statement's match: what cannot be evaluated is maybe.
type truth int

const (
	no truth = iota
	maybe
	yes
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

// operators are the comparisons of one value of the request with one of the policy.
var operators = map[string]func(pattern, value string) bool{
	"StringEquals":           func(p, v string) bool { return p == v },
	"StringEqualsIgnoreCase": strings.EqualFold,
	"StringLike":             like,
	"ArnEquals":              arnLike,
	"ArnLike":                arnLike,
	"Bool":                   strings.EqualFold,
}

// negated are those that hold where the other does not.
var negated = map[string]string{
	"StringNotEquals":           "StringEquals",
	"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike":             "StringLike",
	"ArnNotEquals":              "ArnEquals",
	"ArnNotLike":                "ArnLike",
}

// holds evaluates a condition in a request's context. The reason is that of a maybe.
//
// A key that the request lacks makes a comparison false, a negated one true, and either
// true with IfExists or ForAllValues.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (c Condition) holds(context map[string][]string) (truth, string) {
	set, operator, found := strings.Cut(c.Operator, ":")
	if !found {
		set, operator = "", set
	}
	operator, ifExists := strings.CutSuffix(operator, "IfExists")
	positive, not := negated[operator]
	if !not {
		positive = operator
	}
	compare := operators[positive]
	if compare == nil && operator != "Null" || found && set != "ForAllValues" && set != "ForAnyValue" {
		return maybe, "operator " + c.Operator
	}
	values, known := context[strings.ToLower(c.Key)]
	if !known {
		return maybe, "condition key " + c.Key
	}
	if operator == "Null" {
		// The condition is true if one of its values is what is so.
		for _, want := range c.Values {
			if strings.EqualFold(want, fmt.Sprint(len(values) == 0)) {
				return yes, ""
			}
		}
		return no, ""
	}
	// A value of the request matches if it matches one of the policy's, and a negated
	// operator if it matches none of them.
	matches := func(value string) bool {
		for _, pattern := range c.Values {
			if compare(pattern, value) {
				return !not
			}
		}
		return not
	}
	switch {
	case set == "ForAllValues":
		for _, value := range values {
			if !matches(value) {
				return no, ""
			}
		}
		return yes, ""
	case len(values) == 0:
		return is(ifExists || not && set == ""), ""
	case set == "ForAnyValue":
		for _, value := range values {
			if matches(value) {
				return yes, ""
			}
		}
		return no, ""
	case len(values) > 1:
		return maybe, fmt.Sprintf("%s of %s, which has several values, without ForAllValues or ForAnyValue", c.Operator, c.Key)
	default:
		return is(matches(values[0])), ""
	}
}
