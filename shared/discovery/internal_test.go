package discovery

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestSystemServer(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"one":       {"search dev\nnameserver 169.254.78.1\noptions timeout:1\n", "169.254.78.1:53"},
		"the first": {"nameserver 10.0.0.2\nnameserver 10.0.0.3", "10.0.0.2:53"},
		"six":       {"nameserver fd00::1\n", "[fd00::1]:53"},
		"none":      {"# nameserver 10.0.0.2\nnameserver\n", ""},
	}
	for name, test := range tests {
		path := filepath.Join(t.TempDir(), "resolv.conf")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := systemServer(path)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, test.want)
		}
	}
	if _, err := systemServer(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a file that is not there names a server")
	}
}

// FuzzAnswer feeds the parser what a server might send.
func FuzzAnswer(f *testing.F) {
	q := query{id: 7, question: dnsmessage.Question{Name: dnsmessage.MustNewName("a."), Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET}}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true},
		Questions: []dnsmessage.Question{q.question},
		Answers: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.question.Name, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.SRVResource{Port: 80, Target: dnsmessage.MustNewName("b.")},
		}},
		Additionals: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("b."), Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}},
		}},
	}
	packed, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, message []byte) {
		got, err := q.parse(message)
		if err == nil && (got.ttl < minTTL || got.ttl > maxTTL) {
			t.Errorf("TTL %v", got.ttl)
		}
	})
}
