package awslimits

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// PatternFaults lists the faults for which EventBridge refuses an event pattern. A
// pattern is an object whose fields end in lists of values and of known operators.
func PatternFaults(pattern map[string]any) []string {
	p := patternReader{}
	p.object("", pattern)
	return p.faults
}

type patternReader struct{ faults []string }

func (p *patternReader) fault(path, format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf("at %q ", path)+fmt.Sprintf(format, args...))
}

func (p *patternReader) object(path string, fields map[string]any) {
	if len(fields) == 0 {
		p.fault(path, "is an empty object: name a field")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at := join(path, name)
		switch v := fields[name].(type) {
		case map[string]any:
			p.object(at, v)
		case []any:
			if name == "$or" && alternatives(v) {
				for i, alternative := range v {
					p.object(join(at, fmt.Sprint(i)), alternative.(map[string]any))
				}
				continue
			}
			p.values(at, v)
		default:
			p.fault(at, "is %v: a value stands in a list", v)
		}
	}
}

// alternatives reports whether a list is that of a $or: at least two patterns. Otherwise
// $or is the name of a field.
func alternatives(list []any) bool {
	return len(list) >= 2 && !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok })
}

func (p *patternReader) values(path string, list []any) {
	if len(list) == 0 {
		p.fault(path, "is an empty list: give a value")
	}
	for _, v := range list {
		switch v := v.(type) {
		case map[string]any:
			if len(v) != 1 {
				p.fault(path, "has %d operators in one object: give each its own", len(v))
				continue
			}
			for name, argument := range v {
				check, known := operators[name]
				if !known {
					p.fault(path, "has the operator %s: there are %s", name, strings.Join(slices.Sorted(maps.Keys(operators)), ", "))
				} else if fault := check(argument); fault != "" {
					p.fault(path, "%s %s", name, fault)
				}
			}
		case []any:
			p.fault(path, "has a list in a list: give its values")
		}
	}
}

// operators judge an operator's argument.
var operators map[string]func(any) string

func init() { // they use each other
	operators = map[string]func(any) string{
		"anything-but": anythingBut, "cidr": addresses, "equals-ignore-case": anyText, "exists": yesOrNo, "numeric": comparison,
		"prefix": textOrIgnoringCase, "suffix": textOrIgnoringCase, "wildcard": wildcard,
	}
}

func anyText(v any) string {
	if _, ok := v.(string); !ok {
		return fmt.Sprintf("has %v, give a text", v)
	}
	return ""
}

func textOrIgnoringCase(v any) string {
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		if inner, ok := m["equals-ignore-case"]; ok {
			return anyText(inner)
		}
	}
	return anyText(v)
}

func yesOrNo(v any) string {
	if _, ok := v.(bool); !ok {
		return fmt.Sprintf("has %v, give true or false", v)
	}
	return ""
}

func addresses(v any) string {
	s, _ := v.(string)
	if _, err := netip.ParsePrefix(s); err != nil {
		return fmt.Sprintf("has %v, give a range of addresses", v)
	}
	return ""
}

// mostStars is how many stars a wildcard has at most. AWS counts more cleverly; five
// with one character between each are too complex for it.
const mostStars = 4

func wildcard(v any) string {
	s, ok := v.(string)
	if !ok {
		return anyText(v)
	}
	plain := strings.NewReplacer(`\\`, "", `\*`, "").Replace(s)
	switch {
	case strings.Contains(plain, `\`):
		return fmt.Sprintf(`has %q, a \ stands before * and \ only`, s)
	case strings.Contains(plain, "**"):
		return fmt.Sprintf("has %q, write one * for several", s)
	case strings.Count(plain, "*") > mostStars:
		return fmt.Sprintf("has %q, which may be too complex: give at most %d stars", s, mostStars)
	}
	return ""
}

func anythingBut(v any) string {
	if m, ok := v.(map[string]any); ok {
		for name, argument := range m {
			if len(m) != 1 || !slices.Contains([]string{"equals-ignore-case", "prefix", "suffix", "wildcard"}, name) {
				break
			}
			values := list(argument)
			for _, value := range values {
				if text, ok := value.(string); !ok || text == "" && strings.HasSuffix(name, "fix") {
					return fmt.Sprintf("has %v for its %s, give a text", value, name)
				}
				if fault := operators[name](value); fault != "" {
					return name + " " + fault
				}
			}
			if len(values) > 0 {
				return ""
			}
		}
		return "has a wrong operator: it takes equals-ignore-case, prefix, suffix and wildcard"
	}
	values := list(v)
	if len(values) == 0 {
		return "has no value"
	}
	for _, value := range values {
		if kindOf(value) != kindOf(values[0]) || kindOf(value) != "string" && kindOf(value) != "number" {
			return "takes texts or numbers, not both"
		}
	}
	return ""
}

// comparison is = and a number, or a lower bound, an upper one, or one of each.
func comparison(v any) string {
	parts := list(v)
	const format = `takes ["=", n] or bounds such as [">", a, "<=", b], between -5e9 and 5e9`
	var bounds []float64
	kinds := ""
	for i, part := range parts {
		if i%2 == 0 {
			sign, _ := part.(string)
			if !slices.Contains([]string{"=", "<", "<=", ">", ">="}, sign) {
				return format
			}
			kinds += sign[:1]
			continue
		}
		n, ok := part.(float64)
		if !ok || n < -5e9 || n > 5e9 {
			return format
		}
		bounds = append(bounds, n)
	}
	if len(parts)%2 != 0 || !slices.Contains([]string{"=", "<", ">", "><"}, kinds) {
		return format
	}
	if len(bounds) == 2 && bounds[0] >= bounds[1] {
		return "has no number between its bounds"
	}
	return ""
}

// wildcards reports whether a pattern has any.
func wildcards(pattern any) bool {
	raw, _ := json.Marshal(pattern)
	return strings.Contains(string(raw), `"wildcard":`)
}
