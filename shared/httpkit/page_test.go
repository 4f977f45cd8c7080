package httpkit_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tradewind/shared/httpkit"
	"tradewind/shared/logs"
)

// TestDocumentPage serves a page to who takes its media type, and to a browser with rules by
// which it loads nothing.
func TestDocumentPage(t *testing.T) {
	rt := httpkit.NewRouter(logs.Discard())
	rt.Page("/docs", "text/html", "<p>read me</p>")
	rt.Page("/docs.json", "application/json", "{}")
	for name, test := range map[string]struct {
		method, path, accept string
		want                 int
	}{
		"whoever says nothing":     {"GET", "/docs", "", 200},
		"a browser":                {"GET", "/docs", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200},
		"any text":                 {"GET", "/docs", "text/*", 200},
		"a page alone":             {"GET", "/docs", "TEXT/HTML", 200},
		"no page":                  {"GET", "/docs", "text/html;q=0, application/json", 406},
		"JSON for a page":          {"GET", "/docs", "application/json", 406},
		"a page for JSON":          {"GET", "/docs.json", "text/html", 406},
		"another type of one kind": {"GET", "/docs", "text/plain", 406},
		"JSON":                     {"GET", "/docs.json", "application/json", 200},
		"the head":                 {"HEAD", "/docs", "text/html", 200},
		"another method":           {"POST", "/docs", "*/*", 405},
		"below":                    {"GET", "/docs/x", "*/*", 404},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		if test.accept != "" {
			r.Header.Set("Accept", test.accept)
		}
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
		if w.Code == http.StatusOK && test.path == "/docs" {
			h := w.Header()
			if h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Cache-Control") == "" {
				t.Errorf("%s: %v", name, h)
			}
		}
		if w.Code == http.StatusNotAcceptable && test.path == "/docs" && !strings.Contains(w.Body.String(), "text/html") {
			t.Errorf("%s: %s does not say what there is", name, w.Body)
		}
	}
}
