package main

import (
	"maps"
	"strings"
	"testing"
)

// build is the whole wiring; every fault of the configuration is told at once.
func TestBuild(t *testing.T) {
	tests := map[string]struct {
		env  map[string]string
		want []string // in the error; none: it is built
	}{
		"no mailer by default": {with(nil), nil},
		"ses":                  {with(map[string]string{"MAILER": "ses", "MAIL_FROM": "a@example.com", "ADMIN_EMAIL": "b@example.com"}), nil},
		"nothing set":          {nil, []string{"TABLE_NAME", "DLQ_URL", "MAX_RECEIVES"}},
		"all wrong":            {map[string]string{"MAILER": "pigeon"}, []string{"TABLE_NAME", "MAILER"}},
		"no sender":            {map[string]string{"MAILER": "ses"}, []string{"TABLE_NAME", "MAIL_FROM"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := build(func(name string) string { return tt.env[name] })
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not tell of %s", err, part)
				}
			}
		})
	}
}

// with adds to variables those that every consumer needs.
func with(env map[string]string) map[string]string {
	all := map[string]string{"TABLE_NAME": "t", "DLQ_URL": "https://dlq", "MAX_RECEIVES": "5"}
	maps.Copy(all, env)
	return all
}
