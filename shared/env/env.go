// Package env reads configuration from environment variables and reports every
// fault at once: a function that lacks three variables says so in one log line
// instead of three deployments.
//
// Callers must keep: read everything in the function's build step, then check
// Err before using any value. The lookup is passed in, so that tests need no
// process environment.
package env

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Vars reads variables and remembers what was wrong with them.
type Vars struct {
	getenv func(string) string
	errs   []error
}

// From returns a reader over getenv, usually os.Getenv.
func From(getenv func(string) string) *Vars { return &Vars{getenv: getenv} }

// Err returns every missing or malformed variable read so far, joined.
func (v *Vars) Err() error {
	if len(v.errs) == 0 {
		return nil
	}
	return fmt.Errorf("configuration: %w", errors.Join(v.errs...))
}

// Getenv returns a variable as it is, for those that are nobody's fault when
// they are not set.
func (v *Vars) Getenv(name string) string { return v.getenv(name) }

// Require returns a variable that must be set and not empty.
func (v *Vars) Require(name string) string {
	value := v.getenv(name)
	if value == "" {
		v.fail(name, "is not set")
	}
	return value
}

// Secret returns a variable that must be at least minLen bytes long. Its value
// never appears in an error.
func (v *Vars) Secret(name string, minLen int) []byte {
	value := v.getenv(name)
	if len(value) < minLen {
		v.fail(name, fmt.Sprintf("must hold at least %d bytes", minLen))
	}
	return []byte(value)
}

// String returns a variable, or fallback when it is not set.
func (v *Vars) String(name, fallback string) string {
	if value := v.getenv(name); value != "" {
		return value
	}
	return fallback
}

// Duration returns a positive duration such as "1.5s", or fallback.
func (v *Vars) Duration(name string, fallback time.Duration) time.Duration {
	value := v.getenv(name)
	if value == "" {
		return fallback
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		v.fail(name, fmt.Sprintf("must be a positive duration such as 2s, not %q", value))
		return fallback
	}
	return d
}

// Int returns a whole number, or fallback.
func (v *Vars) Int(name string, fallback int) int {
	value := v.getenv(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		v.fail(name, fmt.Sprintf("must be a whole number, not %q", value))
		return fallback
	}
	return n
}

// OneOf returns a variable that must be one of allowed, or the first of them
// when it is not set.
func (v *Vars) OneOf(name string, allowed ...string) string {
	value := v.getenv(name)
	if value == "" {
		return allowed[0]
	}
	for _, a := range allowed {
		if value == a {
			return value
		}
	}
	v.fail(name, fmt.Sprintf("must be one of %q, not %q", allowed, value))
	return allowed[0]
}

// List returns the parts of a variable that must be set, such as "a,b". No part may
// be empty.
func (v *Vars) List(name string) []string {
	value := v.Require(name)
	if value == "" {
		return nil
	}
	parts := strings.Split(value, ",")
	if slices.Contains(parts, "") {
		v.fail(name, fmt.Sprintf("must be a list such as a,b, not %q", value))
	}
	return parts
}

// URL returns a variable that must be an absolute http or https URL.
func (v *Vars) URL(name string) *url.URL {
	value := v.Require(name)
	u, err := url.Parse(value)
	if value != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		v.fail(name, fmt.Sprintf("must be an absolute http(s) URL, not %q", value))
	}
	if u == nil {
		u = &url.URL{}
	}
	return u
}

func (v *Vars) fail(name, what string) {
	v.errs = append(v.errs, fmt.Errorf("%s %s", name, what))
}
