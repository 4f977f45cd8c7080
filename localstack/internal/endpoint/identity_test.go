package endpoint_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"tradewind/localstack/internal/endpoint"
)

func TestIdentify(t *testing.T) {
	for want, answers := range map[string]map[string]string{
		"MiniStack 1.5.33": {"/_ministack/health": `{"version": "1.5.33"}`},
		"LocalStack 4.9.2": {"/_localstack/info": `{"version": "4.9.2:abc", "edition": "community"}`},
		"":                 {"/_localstack/info": `{}`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answers[r.URL.Path] == "" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, _ = io.WriteString(w, answers[r.URL.Path])
		}))
		got, err := endpoint.Identify(t.Context(), server.URL)
		server.Close()
		if want == "" && err == nil || want != "" && got.String() != want {
			t.Errorf("%v: %q, %v; want %q", answers, got, err, want)
		}
	}
}
