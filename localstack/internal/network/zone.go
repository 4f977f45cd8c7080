// Package network stands in for the parts of a VPC that the local endpoints lack:
// a name server for the private zone ([Zone]) and the load balancer's own
// addresses ([Balancer]).
//
// The zone answers for A and SRV records. On AWS it has A records only, because
// every service listens on port 80; here each listens on a free port, so clients
// ask for SRV first. An SRV target is named after its address, as AWS names its
// machines.
package network

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Any stands for every name of the zone of which nothing else is known, as in a zone.
const Any = "*"

// maxQuestion is more than a question takes: a name has at most 255 bytes.
const maxQuestion = 512

// Zone answers for a zone until it is closed.
type Zone struct {
	zone string // with dots around: ".local.internal."
	conn net.PacketConn
	done chan struct{}

	mu    sync.Mutex
	names map[string]record
	asked int
}

// record is what is known of a name.
type record struct {
	ttl time.Duration
	at  []netip.AddrPort
}

// ListenZone starts a server, without records, at a free port of 127.0.0.1.
func ListenZone(zone string) (*Zone, error) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the zone %s: %w", zone, err)
	}
	s := &Zone{zone: "." + zone + ".", conn: conn, done: make(chan struct{}), names: map[string]record{}}
	go s.serve()
	return s, nil
}

// Addr is where the server answers, as host:port, by UDP.
func (s *Zone) Addr() string { return s.conn.LocalAddr().String() }

// Close ends it.
func (s *Zone) Close() {
	_ = s.conn.Close()
	<-s.done
}

// Set says where a name of the zone, given without it, is, and for how long that
// holds. Every address is 127.x.y.z or another of version 4.
func (s *Zone) Set(name string, ttl time.Duration, at ...netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = record{ttl, at}
}

// Asked is how many questions were answered.
func (s *Zone) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *Zone) serve() {
	defer close(s.done)
	buf := make([]byte, maxQuestion)
	for {
		n, peer, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var q dnsmessage.Message
		if q.Unpack(buf[:n]) != nil || q.Response || len(q.Questions) != 1 {
			continue
		}
		if answer, err := s.answer(q).Pack(); err == nil {
			_, _ = s.conn.WriteTo(answer, peer)
		}
	}
}

func (s *Zone) answer(q dnsmessage.Message) *dnsmessage.Message {
	question := q.Questions[0]
	m := &dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: q.ID, Response: true, Authoritative: true, RecursionDesired: q.RecursionDesired, RCode: dnsmessage.RCodeSuccess,
		},
		Questions: q.Questions,
	}
	name, ours := strings.CutSuffix(strings.ToLower(question.Name.String()), s.zone)
	if !ours {
		m.RCode = dnsmessage.RCodeRefused
		return m
	}
	known, ok := s.lookup(name)
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
		return m
	}
	machines := map[netip.Addr]bool{} // each has one record, however many ports
	for _, at := range known.at {
		ip := at.Addr()
		a, seen := &dnsmessage.AResource{A: ip.As4()}, machines[ip]
		machines[ip] = true
		target := dnsmessage.MustNewName(host(ip) + s.zone)
		switch {
		case question.Type == dnsmessage.TypeA && !seen:
			m.Answers = append(m.Answers, known.resource(question.Name, a))
		case question.Type == dnsmessage.TypeSRV:
			m.Answers = append(m.Answers, known.resource(question.Name, &dnsmessage.SRVResource{Weight: 1, Port: at.Port(), Target: target}))
			if !seen {
				m.Additionals = append(m.Additionals, known.resource(target, a))
			}
		}
	}
	return m
}

func (r record) resource(name dnsmessage.Name, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: uint32(r.ttl.Seconds())},
		Body:   body,
	}
}

// lookup returns what is known of a name: as such, as a target or as any.
func (s *Zone) lookup(name string) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if r, ok := s.names[name]; ok {
		return r, true
	}
	for _, r := range s.names {
		for _, at := range r.at {
			if host(at.Addr()) == name {
				return record{r.ttl, []netip.AddrPort{at}}, true
			}
		}
	}
	r, ok := s.names[Any]
	return r, ok && !strings.Contains(name, ".")
}

// host is the name of the machine at an address.
func host(ip netip.Addr) string { return "ip-" + strings.ReplaceAll(ip.String(), ".", "-") }
