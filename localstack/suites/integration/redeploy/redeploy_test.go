package redeploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/suites/integration/redeploy"
)

// lambda is a service with one function that remembers what was done to it.
type lambda struct {
	variables map[string]string
	done      []string
	refuse    string // part of a method and path
}

func (l *lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in struct {
		Environment     struct{ Variables map[string]string }
		FunctionVersion string
	}
	_ = json.Unmarshal(body, &in)
	path := strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/f")
	if l.refuse != "" && strings.Contains(r.Method+" "+path, l.refuse) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"message": "not today"}`)
		return
	}
	switch {
	case r.Method == http.MethodPut && path == "/configuration":
		l.variables = in.Environment.Variables
		l.done = append(l.done, "configured")
	case path == "/versions":
		l.done = append(l.done, "published")
		_, _ = io.WriteString(w, `{"Version": "7", "FunctionArn": "arn:f:7"}`)
		return
	case r.Method == http.MethodPut && path == "/aliases/live":
		l.done = append(l.done, "moved to "+in.FunctionVersion)
	}
	variables, _ := json.Marshal(l.variables)
	text := fmt.Sprintf(`{"CodeSha256": "abc", "LastUpdateStatus": "Successful", "Environment": {"Variables": %s}}`, variables)
	if path == "" { // GetFunction
		text = `{"Configuration": ` + text + `}`
	}
	_, _ = io.WriteString(w, text)
}

func function(t *testing.T, l *lambda) redeploy.Function {
	t.Helper()
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return redeploy.New(endpoint.AWS(server.URL, "us-east-1"), "f")
}

func TestSetVariables(t *testing.T) {
	l := &lambda{variables: map[string]string{"MODE": "a"}}
	f := function(t, l)
	if live, err := f.Live(t.Context()); err != nil || live.Code != "abc" || live.Variables["MODE"] != "a" {
		t.Errorf("live: %+v, %v", live, err)
	}
	if err := f.SetVariables(t.Context(), map[string]string{"MODE": "b"}); err != nil {
		t.Fatal(err)
	}
	// In this order: a version is made of what was configured, and callers go to what
	// was made.
	if diff := cmp.Diff([]string{"configured", "published", "moved to 7"}, l.done); diff != "" || l.variables["MODE"] != "b" {
		t.Errorf("%v %s", l.variables, diff)
	}
}

func TestPublish(t *testing.T) {
	l := &lambda{}
	version, err := function(t, l).Publish(t.Context(), map[string]string{"MODE": "b"})
	if err != nil || version != (redeploy.Version{Number: "7", ARN: "arn:f:7"}) {
		t.Errorf("published %v, %v", version, err)
	}
	if diff := cmp.Diff([]string{"configured", "published"}, l.done); diff != "" {
		t.Error(diff) // and nobody was moved
	}
}

func TestRefused(t *testing.T) {
	for _, step := range []string{"/configuration", "/versions", "/aliases"} {
		f := function(t, &lambda{refuse: step})
		if err := f.SetVariables(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not today") || !strings.Contains(err.Error(), " f ") {
			t.Errorf("%s: %v", step, err)
		}
	}
	if _, err := function(t, &lambda{refuse: "GET "}).Live(t.Context()); err == nil {
		t.Error("nothing is known of it, and that is no error")
	}
}
