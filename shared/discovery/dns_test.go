package discovery_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"tradewind/shared/discovery"
)

// zone answers a question; it says by what protocol it came. Nil answers nothing.
type zone func(q dnsmessage.Message, overTCP bool) *dnsmessage.Message

// ports opens a port of loopback for both protocols. One that is free for UDP may be
// taken for TCP; another one is not.
func ports(t *testing.T) (udp net.PacketConn, tcp net.Listener) {
	t.Helper()
	for tries := 1; ; tries++ {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			t.Cleanup(func() { _ = udp.Close() })
			return udp, tcp
		}
		_ = udp.Close()
		if tries == 20 {
			t.Fatal(err)
		}
	}
}

// dnsServer starts a DNS server on loopback, UDP and TCP on one port, and returns its
// address.
func dnsServer(t *testing.T, answer zone) string {
	t.Helper()
	udp, tcp := ports(t)
	t.Cleanup(func() { _ = tcp.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, peer, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			if out := reply(t, answer, buf[:n], false); out != nil {
				_, _ = udp.WriteTo(out, peer)
			}
		}
	}()
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			var length [2]byte
			_, _ = io.ReadFull(conn, length[:])
			question := make([]byte, binary.BigEndian.Uint16(length[:]))
			_, _ = io.ReadFull(conn, question)
			if out := reply(t, answer, question, true); out != nil {
				_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
			}
			_ = conn.Close()
		}
	}()
	return udp.LocalAddr().String()
}

func reply(t *testing.T, answer zone, question []byte, overTCP bool) []byte {
	var q dnsmessage.Message
	if err := q.Unpack(question); err != nil {
		t.Errorf("question: %v", err)
		return nil
	}
	m := answer(q, overTCP)
	if m == nil {
		return nil
	}
	out, err := m.Pack()
	if err != nil {
		t.Errorf("answer: %v", err)
	}
	return out
}

// respond returns an answer to q with records.
func respond(q dnsmessage.Message, records ...dnsmessage.Resource) *dnsmessage.Message {
	return &dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: q.Questions, Answers: records,
	}
}

const catalogName = "catalog-service.dev.internal."

func record(name string, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}, Body: body}
}

func a(name string, ttl uint32, last byte) dnsmessage.Resource {
	return record(name, ttl, &dnsmessage.AResource{A: [4]byte{10, 0, 0, last}})
}

func srv(ttl uint32, priority, port uint16, target string) dnsmessage.Resource {
	return record(catalogName, ttl, &dnsmessage.SRVResource{Priority: priority, Weight: 1, Port: port, Target: dnsmessage.MustNewName(target)})
}

// only answers one type of question and has nothing of others.
func only(kind dnsmessage.Type, records ...dnsmessage.Resource) zone {
	return func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
		if q.Questions[0].Type != kind {
			return respond(q)
		}
		return respond(q, records...)
	}
}

func TestDNS(t *testing.T) {
	tests := map[string]struct {
		zone zone
		want []string
		ttl  time.Duration
	}{
		"A": {
			only(dnsmessage.TypeA, a(catalogName, 60, 1), a(catalogName, 30, 2)),
			[]string{"http://10.0.0.1:80", "http://10.0.0.2:80"}, 30 * time.Second,
		},
		"behind an alias": {
			only(dnsmessage.TypeA, record(catalogName, 20, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("lb.dev.internal.")}), a("lb.dev.internal.", 60, 1)),
			[]string{"http://10.0.0.1:80"}, 20 * time.Second,
		},
		"no time at all": {only(dnsmessage.TypeA, a(catalogName, 0, 1)), []string{"http://10.0.0.1:80"}, time.Second},
		"a week":         {only(dnsmessage.TypeA, a(catalogName, 604800, 1)), []string{"http://10.0.0.1:80"}, 5 * time.Minute},
		"SRV with addresses": {
			func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
				m := respond(q, srv(60, 1, 8080, "one.dev.internal."), srv(60, 1, 8081, "two.dev.internal."), srv(60, 2, 9090, "spare.dev.internal."))
				m.Additionals = []dnsmessage.Resource{a("one.dev.internal.", 60, 1), a("two.dev.internal.", 15, 2)}
				return m
			},
			[]string{"http://10.0.0.1:8080", "http://10.0.0.2:8081"}, 15 * time.Second,
		},
		"SRV without addresses": {
			func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
				if q.Questions[0].Type == dnsmessage.TypeSRV {
					return respond(q, srv(60, 1, 8080, "one.dev.internal."))
				}
				return respond(q, a(q.Questions[0].Name.String(), 10, 7))
			},
			[]string{"http://10.0.0.7:8080"}, 10 * time.Second,
		},
		"SRV, the best last": {
			func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
				m := respond(q, srv(60, 2, 9090, "spare.dev.internal."), srv(60, 1, 8080, "one.dev.internal."))
				m.Additionals = []dnsmessage.Resource{a("spare.dev.internal.", 60, 2), a("one.dev.internal.", 60, 1)}
				return m
			},
			[]string{"http://10.0.0.1:8080"}, time.Minute,
		},
		"SRV for no service": {
			func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
				if q.Questions[0].Type == dnsmessage.TypeSRV {
					return respond(q, srv(60, 0, 80, "."), srv(60, 0, 0, "one.dev.internal."))
				}
				return respond(q, a(q.Questions[0].Name.String(), 60, 1))
			},
			nil, time.Minute,
		},
		"nothing": {only(dnsmessage.TypeA), nil, 5 * time.Minute},
		"truncated": {
			func(q dnsmessage.Message, overTCP bool) *dnsmessage.Message {
				if q.Questions[0].Type == dnsmessage.TypeSRV {
					return respond(q)
				}
				m := respond(q)
				if m.Truncated = !overTCP; overTCP {
					m.Answers = []dnsmessage.Resource{a(catalogName, 60, 9)}
				}
				return m
			},
			[]string{"http://10.0.0.9:80"}, time.Minute,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := discovery.DNS(dnsServer(t, test.zone), "dev.internal").Lookup(ctx, service, 0)
			if err != nil {
				t.Fatal(err)
			}
			var bases []string
			for _, i := range got.Instances {
				bases = append(bases, i.Base.String())
				if i.Host != "catalog-service.dev.internal" {
					t.Errorf("host %q", i.Host)
				}
			}
			if diff := cmp.Diff(test.want, bases); diff != "" || got.TTL != test.ttl {
				t.Errorf("TTL %v, want %v; instances (-want +got):\n%s", got.TTL, test.ttl, diff)
			}
		})
	}
}

func TestDNSFails(t *testing.T) {
	tests := map[string]struct {
		zone zone
		want string
	}{
		"no such name": {func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
			m := respond(q)
			m.RCode = dnsmessage.RCodeNameError
			return m
		}, "RCodeNameError"},
		"silence": {func(dnsmessage.Message, bool) *dnsmessage.Message { return nil }, context.DeadlineExceeded.Error()},
		// Somebody who cannot see the question guesses at its number, or answers
		// another one.
		"forged": {func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
			m := respond(q, a(catalogName, 60, 66))
			m.ID++
			return m
		}, context.DeadlineExceeded.Error()},
		"of another name": {func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
			m := respond(q, a(catalogName, 60, 66))
			m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("user-service.dev.internal."), Type: q.Questions[0].Type, Class: dnsmessage.ClassINET}}
			return m
		}, context.DeadlineExceeded.Error()},
		"of another kind": {func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
			m := respond(q, a(catalogName, 60, 66))
			m.Questions = []dnsmessage.Question{{Name: q.Questions[0].Name, Type: dnsmessage.TypeAAAA, Class: dnsmessage.ClassINET}}
			return m
		}, context.DeadlineExceeded.Error()},
		"the question itself": {func(q dnsmessage.Message, _ bool) *dnsmessage.Message { return &q }, context.DeadlineExceeded.Error()},
		"cut off without end": {func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
			m := respond(q)
			m.Truncated = true
			return m
		}, "cut off"},
		"too much": {func(q dnsmessage.Message, overTCP bool) *dnsmessage.Message {
			m := respond(q)
			m.Truncated = !overTCP
			for range 1000 {
				if overTCP {
					m.Answers = append(m.Answers, a(catalogName, 60, 1))
				}
			}
			return m
		}, "too large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got, err := discovery.DNS(dnsServer(t, test.zone), "dev.internal").Lookup(ctx, service, 0)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "catalog-service.dev.internal") {
				t.Errorf("got %v, %v; want an error with %q", places(got), err, test.want)
			}
		})
	}
}

// TestDNSAsksAgain: a lost datagram costs a moment, not the call.
func TestDNSAsksAgain(t *testing.T) {
	var questions atomic.Int32
	server := dnsServer(t, func(q dnsmessage.Message, _ bool) *dnsmessage.Message {
		if questions.Add(1) == 1 {
			return nil
		}
		return only(dnsmessage.TypeA, a(catalogName, 60, 1))(q, false)
	})
	got, err := discovery.DNS(server, "dev.internal").Lookup(t.Context(), service, 0)
	if err != nil || len(got.Instances) != 1 || questions.Load() != 3 {
		t.Errorf("got %v, %v after %d questions", places(got), err, questions.Load())
	}
}

func TestDNSServerIsGone(t *testing.T) {
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := listener.LocalAddr().String()
	_ = listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := discovery.DNS(server, "dev.internal").Lookup(ctx, service, 0); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the refusal at once", err)
	}
}

// TestDNSInPool has the whole way: a pool over a server.
func TestDNSInPool(t *testing.T) {
	server := dnsServer(t, only(dnsmessage.TypeA, a(catalogName, 60, 1)))
	pool := discovery.NewPool(discovery.PoolConfig{Source: discovery.DNS(server, "dev.internal")})
	if got := resolve(t, pool); got != "10.0.0.1:80" {
		t.Errorf("called %s", got)
	}
}
