package env_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tradewind/shared/env"
)

func from(vars map[string]string) *env.Vars {
	return env.From(func(name string) string { return vars[name] })
}

func TestVars(t *testing.T) {
	tests := map[string]struct {
		value string // of X
		read  func(*env.Vars) any
		want  any
		fault string // part of the error; empty for none
	}{
		"required":              {"v", func(v *env.Vars) any { return v.Require("X") }, "v", ""},
		"required, not set":     {"", func(v *env.Vars) any { return v.Require("X") }, "", "X is not set"},
		"raw":                   {"v", func(v *env.Vars) any { return v.Getenv("X") }, "v", ""},
		"raw, not set":          {"", func(v *env.Vars) any { return v.Getenv("X") }, "", ""},
		"secret":                {"12345678", func(v *env.Vars) any { return string(v.Secret("X", 8)) }, "12345678", ""},
		"short secret":          {"1234567", func(v *env.Vars) any { return string(v.Secret("X", 8)) }, "1234567", "X must hold at least 8 bytes"},
		"no secret":             {"", func(v *env.Vars) any { return string(v.Secret("X", 8)) }, "", "X must hold"},
		"text":                  {"v", func(v *env.Vars) any { return v.String("X", "f") }, "v", ""},
		"text, not set":         {"", func(v *env.Vars) any { return v.String("X", "f") }, "f", ""},
		"duration":              {"1.5s", func(v *env.Vars) any { return v.Duration("X", time.Minute) }, 1500 * time.Millisecond, ""},
		"duration, not set":     {"", func(v *env.Vars) any { return v.Duration("X", time.Minute) }, time.Minute, ""},
		"duration without unit": {"15", func(v *env.Vars) any { return v.Duration("X", time.Minute) }, time.Minute, `X must be a positive duration such as 2s, not "15"`},
		"duration of nothing":   {"0s", func(v *env.Vars) any { return v.Duration("X", time.Minute) }, time.Minute, "X must be a positive duration"},
		"negative duration":     {"-1s", func(v *env.Vars) any { return v.Duration("X", time.Minute) }, time.Minute, "X must be a positive duration"},
		"number":                {"-3", func(v *env.Vars) any { return v.Int("X", 7) }, -3, ""},
		"number, not set":       {"", func(v *env.Vars) any { return v.Int("X", 7) }, 7, ""},
		"fraction":              {"1.5", func(v *env.Vars) any { return v.Int("X", 7) }, 7, `X must be a whole number, not "1.5"`},
		"one of":                {"b", func(v *env.Vars) any { return v.OneOf("X", "a", "b") }, "b", ""},
		"one of, not set":       {"", func(v *env.Vars) any { return v.OneOf("X", "a", "b") }, "a", ""},
		"none of":               {"c", func(v *env.Vars) any { return v.OneOf("X", "a", "b") }, "a", `X must be one of ["a" "b"], not "c"`},
		"list":                  {"a,b", func(v *env.Vars) any { return strings.Join(v.List("X"), "|") }, "a|b", ""},
		"list of one":           {"a", func(v *env.Vars) any { return strings.Join(v.List("X"), "|") }, "a", ""},
		"list, not set":         {"", func(v *env.Vars) any { return len(v.List("X")) }, 0, "X is not set"},
		"list with a gap":       {"a,,b", func(v *env.Vars) any { return strings.Join(v.List("X"), "|") }, "a||b", `X must be a list such as a,b, not "a,,b"`},
		"list with a loose end": {"a,", func(v *env.Vars) any { return strings.Join(v.List("X"), "|") }, "a|", "X must be a list"},
		"URL":                   {"http://127.0.0.1:4566/x", func(v *env.Vars) any { return v.URL("X").String() }, "http://127.0.0.1:4566/x", ""},
		"URL, not set":          {"", func(v *env.Vars) any { return v.URL("X").String() }, "", "X is not set"},
		"relative URL":          {"/x", func(v *env.Vars) any { return v.URL("X").Path }, "/x", "X must be an absolute http(s) URL"},
		"URL of another scheme": {"ftp://x", func(v *env.Vars) any { return v.URL("X").Host }, "x", "X must be an absolute http(s) URL"},
		"URL that is none":      {"http://a b", func(v *env.Vars) any { return v.URL("X").Host }, "", "X must be an absolute http(s) URL"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vars := from(map[string]string{"X": tt.value})
			if got := tt.read(vars); got != tt.want {
				t.Errorf("read %v, want %v", got, tt.want)
			}
			err := vars.Err()
			if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("error %v, want %q", err, tt.fault)
			}
			if err != nil && strings.Count(err.Error(), "X ") != 1 {
				t.Errorf("one fault is told more than once: %v", err)
			}
		})
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	vars := from(map[string]string{"KEY": "hunter2"})
	vars.Secret("KEY", 32)
	if err := vars.Err(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

// All faults are told at once.
func ExampleVars() {
	vars := env.From(func(name string) string { return map[string]string{"PROVIDER_TIMEOUT": "soon"}[name] })
	vars.Require("TABLE_NAME")
	vars.Duration("PROVIDER_TIMEOUT", 2*time.Second)
	fmt.Println(vars.Err())

	// Output:
	// configuration: TABLE_NAME is not set
	// PROVIDER_TIMEOUT must be a positive duration such as 2s, not "soon"
}
