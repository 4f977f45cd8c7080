package network_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"tradewind/localstack/internal/network"
)

func listen(t *testing.T) *network.Zone {
	t.Helper()
	s, err := network.ListenZone("dev.internal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// resolver is the standard library's, which asks nobody but the server.
func resolver(s *network.Zone) *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.Addr())
	}}
}

func TestRecords(t *testing.T) {
	s := listen(t)
	one, two := netip.MustParseAddrPort("127.0.0.1:8001"), netip.MustParseAddrPort("127.0.0.2:8002")
	s.Set(network.Any, time.Minute, one)
	s.Set("catalog-service", time.Minute, one, two)
	s.Set("nobody", time.Minute)
	for name, want := range map[string]struct{ srv, a []string }{
		"order-service.dev.internal":   {[]string{"ip-127-0-0-1.dev.internal.:8001"}, []string{"127.0.0.1"}},
		"catalog-service.dev.internal": {[]string{"ip-127-0-0-1.dev.internal.:8001", "ip-127-0-0-2.dev.internal.:8002"}, []string{"127.0.0.1", "127.0.0.2"}},
		"CATALOG-service.DEV.internal": {[]string{"ip-127-0-0-1.dev.internal.:8001", "ip-127-0-0-2.dev.internal.:8002"}, []string{"127.0.0.1", "127.0.0.2"}},
		"ip-127-0-0-2.dev.internal":    {[]string{"ip-127-0-0-2.dev.internal.:8002"}, []string{"127.0.0.2"}},
		"nobody.dev.internal":          {},
		"a.b.dev.internal":             {},
	} {
		t.Run(name, func(t *testing.T) {
			_, records, err := resolver(s).LookupSRV(t.Context(), "", "", name)
			var srv []string
			for _, r := range records {
				srv = append(srv, fmt.Sprintf("%s:%d", r.Target, r.Port))
			}
			slices.Sort(srv)
			if diff := cmp.Diff(want.srv, srv); diff != "" {
				t.Errorf("SRV: %v, %s", err, diff)
			}
			a, err := resolver(s).LookupHost(t.Context(), name)
			slices.Sort(a)
			if diff := cmp.Diff(want.a, a); diff != "" {
				t.Errorf("A: %v, %s", err, diff)
			}
			if failed, ok := errors.AsType[*net.DNSError](err); want.a == nil && (!ok || !failed.IsNotFound) {
				t.Errorf("a name without addresses: %v", err)
			}
		})
	}
	if s.Asked() == 0 {
		t.Error("nobody asked")
	}
}

// ask asks as a resolver does, after a packet that is no question and has no answer.
func ask(t *testing.T, s *network.Zone, name string, kind dnsmessage.Type) dnsmessage.Message {
	t.Helper()
	conn, err := net.Dial("udp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 42, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	question, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, packet := range [][]byte{[]byte("nonsense"), question} {
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(buf[:n]); err != nil {
		t.Fatal(err)
	}
	return m
}

// What the standard library's resolver hides: times, and how a question is refused.
func TestAnswers(t *testing.T) {
	s := listen(t)
	s.Set("catalog-service", 3*time.Second, netip.MustParseAddrPort("127.0.0.1:8001"))
	for name, test := range map[string]struct {
		name    string
		kind    dnsmessage.Type
		code    dnsmessage.RCode
		answers int
	}{
		"a record":        {"catalog-service.dev.internal.", dnsmessage.TypeSRV, dnsmessage.RCodeSuccess, 1},
		"another type":    {"catalog-service.dev.internal.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 0},
		"unknown":         {"order-service.dev.internal.", dnsmessage.TypeSRV, dnsmessage.RCodeNameError, 0},
		"not ours":        {"catalog-service.prod.internal.", dnsmessage.TypeSRV, dnsmessage.RCodeRefused, 0},
		"not ours at all": {"example.com.", dnsmessage.TypeA, dnsmessage.RCodeRefused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := ask(t, s, test.name, test.kind)
			if m.ID != 42 || !m.Response || m.RCode != test.code || len(m.Answers) != test.answers || len(m.Additionals) != test.answers {
				t.Errorf("answered %+v", m)
			}
			for _, r := range slices.Concat(m.Answers, m.Additionals) {
				if r.Header.TTL != 3 {
					t.Errorf("%s holds for %d s", r.Header.Name, r.Header.TTL)
				}
			}
		})
	}
}

// A machine with two ports is named once, or a caller would take it for two.
func TestTwoPorts(t *testing.T) {
	s := listen(t)
	s.Set("catalog-service", time.Minute, netip.MustParseAddrPort("127.0.0.1:8001"), netip.MustParseAddrPort("127.0.0.1:8002"))
	m := ask(t, s, "catalog-service.dev.internal.", dnsmessage.TypeSRV)
	if len(m.Answers) != 2 || len(m.Additionals) != 1 {
		t.Errorf("answered %+v", m)
	}
	if m = ask(t, s, "catalog-service.dev.internal.", dnsmessage.TypeA); len(m.Answers) != 1 {
		t.Errorf("answered %+v", m)
	}
}

func TestRecordsChange(t *testing.T) {
	s := listen(t)
	for _, at := range []string{"127.0.0.1:1", "127.0.0.9:1"} {
		s.Set("catalog-service", time.Second, netip.MustParseAddrPort(at))
		got, err := resolver(s).LookupHost(t.Context(), "catalog-service.dev.internal")
		if err != nil || len(got) != 1 || got[0]+":1" != at {
			t.Errorf("at %s: %v, %v", at, got, err)
		}
	}
	s.Close() // twice does no harm
}
