package discovery

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// resend is after how long a question is sent again: datagrams get lost.
	resend = 300 * time.Millisecond
	// maxMessage bounds an answer in bytes. Over UDP it is what a server may send to
	// who has not said to take more, and then some.
	maxMessage = 8 << 10
	maxUDP     = 1500

	// A record is believed for at least a second, or every call would ask, and for
	// five minutes at most.
	minTTL = time.Second
	maxTTL = 5 * time.Minute

	httpPort = 80 // where none is named
)

// DNS returns the source that asks a DNS server (host:port; that of the system where
// it is empty) for <service>.<domain>: for SRV records, as Cloud Map makes them for a
// private namespace, without the _http._tcp of RFC 2782; where there are none, for A
// records. Of SRV records those of the best priority count, all with the same
// weight: what is busy shows by itself. The listing holds for the shortest time of
// all its records, which is what the standard library's resolver does not tell.
func DNS(server, domain string) Source {
	return &dns{domain: domain, server: sync.OnceValues(func() (string, error) {
		if server != "" {
			return server, nil
		}
		return systemServer("/etc/resolv.conf")
	})}
}

type dns struct {
	domain string
	server func() (string, error)
}

func systemServer(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			return net.JoinHostPort(f[1], "53"), nil
		}
	}
	return "", fmt.Errorf("%s names no server", path)
}

func (d *dns) Lookup(ctx context.Context, service string, _ int64) (Listing, error) {
	host := service + "." + d.domain
	listing, err := d.lookup(ctx, host)
	if err != nil {
		return Listing{}, fmt.Errorf("dns: %s: %w", host, err)
	}
	return listing, nil
}

func (d *dns) lookup(ctx context.Context, host string) (Listing, error) {
	name, err := dnsmessage.NewName(host + ".")
	if err != nil {
		return Listing{}, err
	}
	targets, err := d.ask(ctx, name, dnsmessage.TypeSRV)
	if err != nil {
		return Listing{}, err
	}
	if len(targets.srv) == 0 {
		targets, err = d.ask(ctx, name, dnsmessage.TypeA)
		if err != nil {
			return Listing{}, err
		}
		listing := Listing{TTL: targets.ttl}
		for _, ip := range targets.a[name.String()] {
			listing.Instances = append(listing.Instances, Instance{baseAt(ip, httpPort), host})
		}
		return listing, nil
	}
	listing := Listing{TTL: targets.ttl}
	for _, srv := range targets.best() {
		addresses := targets
		if len(targets.a[srv.Target.String()]) == 0 {
			if addresses, err = d.ask(ctx, srv.Target, dnsmessage.TypeA); err != nil {
				return Listing{}, err
			}
			listing.TTL = min(listing.TTL, addresses.ttl)
		}
		for _, ip := range addresses.a[srv.Target.String()] {
			listing.Instances = append(listing.Instances, Instance{baseAt(ip, srv.Port), host})
		}
	}
	return listing, nil
}

// records is what an answer holds.
type records struct {
	srv []dnsmessage.SRVResource
	a   map[string][]netip.Addr // by the name that was asked for, or by a target
	ttl time.Duration
}

// best returns the records of the lowest priority, at most ten of them: each may cost
// another question.
func (r records) best() []dnsmessage.SRVResource {
	var best []dnsmessage.SRVResource
	for _, srv := range r.srv {
		switch {
		case srv.Port == 0 || srv.Target.String() == ".": // says that there is no such service
		case len(best) == 0 || srv.Priority < best[0].Priority:
			best = append(best[:0:0], srv)
		case srv.Priority == best[0].Priority && len(best) < 10:
			best = append(best, srv)
		}
	}
	return best
}

// ask returns what a name has of a type; nothing is no error.
func (d *dns) ask(ctx context.Context, name dnsmessage.Name, kind dnsmessage.Type) (records, error) {
	server, err := d.server()
	if err != nil {
		return records{}, err
	}
	q := query{
		id:       uint16(rand.N(1 << 16)),
		question: dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET},
	}
	answer, err := q.udp(ctx, server)
	if errors.Is(err, errTruncated) {
		answer, err = q.tcp(ctx, server)
	}
	return answer, err
}

// errTruncated says that an answer did not fit, errStray that it is not ours.
var (
	errTruncated = errors.New("the answer was cut off")
	errStray     = errors.New("an answer to another question")
)

type query struct {
	id       uint16
	question dnsmessage.Question
}

func (q query) pack() ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.id, RecursionDesired: true})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(q.question); err != nil {
		return nil, err
	}
	return b.Finish()
}

// udp sends the question until it is answered or the time is up.
func (q query) udp(ctx context.Context, server string) (records, error) {
	message, err := q.pack()
	if err != nil {
		return records{}, err
	}
	conn, err := q.dial(ctx, "udp", server)
	if err != nil {
		return records{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, maxUDP)
	for {
		if _, err := conn.Write(message); err != nil {
			return records{}, cmp.Or(ctx.Err(), err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(resend))
		for {
			n, err := conn.Read(buf)
			if ctx.Err() != nil {
				return records{}, ctx.Err()
			}
			if err != nil {
				if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
					break // ask again
				}
				return records{}, err
			}
			// Whatever is not the answer may have been sent by anybody: the real one
			// is still to come.
			if answer, err := q.parse(buf[:n]); !errors.Is(err, errStray) {
				return answer, err
			}
		}
	}
}

func (q query) tcp(ctx context.Context, server string) (records, error) {
	message, err := q.pack()
	if err != nil {
		return records{}, err
	}
	conn, err := q.dial(ctx, "tcp", server)
	if err != nil {
		return records{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	if _, err := conn.Write(message); err != nil {
		return records{}, cmp.Or(ctx.Err(), err)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return records{}, cmp.Or(ctx.Err(), err)
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > maxMessage {
		return records{}, fmt.Errorf("an answer of %d bytes is too large", n)
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(conn, buf); err != nil {
		return records{}, cmp.Or(ctx.Err(), err)
	}
	return q.parse(buf)
}

func (query) dial(ctx context.Context, network, server string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, server)
}

// parse reads an answer: its records of the type asked for, and the addresses that
// came along.
func (q query) parse(message []byte) (records, error) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.ID != q.id || !h.Response {
		return records{}, errStray
	}
	asked, err := p.Question()
	if err != nil || asked.Type != q.question.Type || asked.Class != q.question.Class ||
		!strings.EqualFold(asked.Name.String(), q.question.Name.String()) {
		return records{}, errStray
	}
	switch {
	case h.RCode != dnsmessage.RCodeSuccess:
		return records{}, fmt.Errorf("the server answers %s", h.RCode)
	case h.Truncated:
		return records{}, errTruncated
	}
	if err := p.SkipAllQuestions(); err != nil {
		return records{}, err
	}
	out := records{a: map[string][]netip.Addr{}, ttl: maxTTL}
	// The answer's addresses are those of the name asked for, whatever aliases lie
	// between.
	if err := out.section(&p, p.AnswerHeader, p.SkipAnswer, q.question.Name.String()); err != nil {
		return records{}, err
	}
	if q.question.Type == dnsmessage.TypeSRV {
		if err := p.SkipAllAuthorities(); err != nil {
			return records{}, err
		}
		if err := out.section(&p, p.AdditionalHeader, p.SkipAdditional, ""); err != nil {
			return records{}, err
		}
	}
	out.ttl = max(out.ttl, minTTL)
	return out, nil
}

// section takes the records of a section in. Its addresses are those of a name; each
// of its own where that is empty.
func (r *records) section(p *dnsmessage.Parser, next func() (dnsmessage.ResourceHeader, error), skip func() error, of string) error {
	for {
		h, err := next()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		switch h.Type {
		case dnsmessage.TypeA:
			a, err := p.AResource()
			if err != nil {
				return err
			}
			name := cmp.Or(of, h.Name.String())
			r.a[name] = append(r.a[name], netip.AddrFrom4(a.A))
		case dnsmessage.TypeSRV:
			srv, err := p.SRVResource()
			if err != nil {
				return err
			}
			r.srv = append(r.srv, srv)
		case dnsmessage.TypeCNAME:
			if err := skip(); err != nil {
				return err
			}
		default: // an extension, or a signature: it limits nothing
			if err := skip(); err != nil {
				return err
			}
			continue
		}
		r.ttl = min(r.ttl, time.Duration(h.TTL)*time.Second)
	}
}
