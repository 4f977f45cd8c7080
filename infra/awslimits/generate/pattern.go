package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// rewritten are the patterns with assertions that Go's expressions lack, without the
// anchors at their ends, as a pattern that must match and one that must not, if any.
var rewritten = map[string][2]string{
	`[0-9A-Za-z\.\-_]*(?<!\.)`:     {`^[0-9A-Za-z._-]*$`, `\.$`},
	`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`: {`^[a-zA-Z0-9-_]+$`, `^[0-9]+$`},
	`(?!arn:)[!-~]{1,1024}`:        {`^[!-~]+$`, `^arn:`},
	// Any character of ASCII but : * $.
	`((?![:*$])[\x00-\x7F]){1,255}`: {`^[\x00-#%-)+-9;-\x7F]{1,255}$`, ``},
	// Labels with dots between them, 127 characters at most.
	`((?=^.{1,127}$)^([a-zA-Z0-9_][a-zA-Z0-9-_]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9])(\.([a-zA-Z0-9_][a-zA-Z0-9-_]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9]))*$)|(^\.$)`: {
		`^([a-zA-Z0-9_][a-zA-Z0-9-_]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9])(\.([a-zA-Z0-9_][a-zA-Z0-9-_]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9]))*$|^\.$`, `^.{128}`,
	},
}

// pattern adds an expression in Go's spelling. The schemas look for it anywhere in a
// value, as JSON Schema does; an API holds the whole value to it.
func (c claims) pattern(text string, whole bool) error {
	if pair, ok := rewritten[strings.TrimSuffix(strings.TrimPrefix(text, "^"), "$")]; ok {
		c["pattern"] = pair[0]
		if pair[1] != "" {
			c["not"] = pair[1]
		}
		return nil
	}
	spelled := unicode.ReplaceAllString(text, `\x{$1}`)
	spelled = strings.ReplaceAll(spelled, `\Z`, `\z`)
	spelled = repeats.ReplaceAllStringFunc(spelled, repeated)
	if whole && (!strings.HasPrefix(text, "^") || !strings.HasSuffix(text, "$")) {
		spelled = `^` + group(spelled) + `$`
	}
	if _, err := regexp.Compile(spelled); err != nil {
		return fmt.Errorf("%w: say in infra/awslimits/generate/pattern.go what %s means", err, text)
	}
	if matchesAll[strings.Trim(text, "^$")] {
		return nil
	}
	c["pattern"] = spelled
	return nil
}

// group keeps alternatives together.
func group(spelled string) string {
	if strings.Contains(spelled, "|") {
		return `(?:` + spelled + `)`
	}
	return spelled
}

// matchesAll are no constraints.
var matchesAll = map[string]bool{`.*`: true, `(?s).*`: true, `[\s\S]*`: true, `(.*[\n\r\t\f\ ]?)*`: true}

var (
	unicode = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)
	// repeats are a simple class or an escaped character, repeated.
	repeats = regexp.MustCompile(`(\[(?:[^\]\\]|\\.)*\]|\\.|\.)\{(\d+),(\d+)\}`)
)

// repeated splits a repetition of over 1000, the most that one of Go's has.
func repeated(text string) string {
	const most = 1000
	part := repeats.FindStringSubmatch(text)
	least, _ := strconv.Atoi(part[2])
	limit, _ := strconv.Atoi(part[3])
	if limit <= most {
		return text
	}
	var b strings.Builder
	for limit > 0 {
		n := min(limit, most)
		fmt.Fprintf(&b, "%s{%d,%d}", part[1], min(least, n), n)
		limit -= n
		least = max(0, least-n)
	}
	return b.String()
}
