package policy

import (
	"slices"
	"strings"
)

// like is a pattern's match with * for any characters and ? for one.
func like(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}

// action matches without regard to case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func action(pattern, name string) bool {
	return like(strings.ToLower(pattern), strings.ToLower(name))
}

// resource matches an ARN of a statement's Resource. Each of the ARN's segments matches
// by itself, but a * at a segment's end also matches across colons, and an ARN with fewer
// than six segments stands for one with * in the others.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func resource(pattern, arn string) bool {
	if pattern == "*" {
		return true
	}
	segments := strings.Split(pattern, ":")
	for len(segments) < 6 {
		segments = append(segments, "*")
	}
	return segmentsMatch(segments, strings.Split(arn, ":"))
}

func segmentsMatch(patterns, parts []string) bool {
	if len(patterns) == 0 || len(parts) == 0 {
		return len(patterns) == len(parts)
	}
	if like(patterns[0], parts[0]) && segmentsMatch(patterns[1:], parts[1:]) {
		return true
	}
	if !strings.HasSuffix(patterns[0], "*") {
		return false
	}
	for n := 2; n <= len(parts); n++ {
		if like(patterns[0], strings.Join(parts[:n], ":")) && segmentsMatch(patterns[1:], parts[n:]) {
			return true
		}
	}
	return false
}

// arnLike is the condition operator of that name, and of ArnEquals, which is the same:
// the six components of an ARN match one by one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func arnLike(pattern, arn string) bool {
	return slices.EqualFunc(strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6), like)
}
