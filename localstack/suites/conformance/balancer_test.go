package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// behindBalancer checks that an operation answers services behind the load balancer as
// it answers clients at the gateway: whoever asks, and whether they may or not. Only
// the gateway's own refusals look otherwise.
func behindBalancer(t *testing.T, s *suite, op *apidoc.Operation) {
	r := with(s.request(t, s.world, op), "X-Correlation-Id", "both-ways-in")
	for name, who := range map[string]struct {
		client *shop.Client
		known  bool
	}{
		"nobody":      {s.Anyone, false},
		"an ID token": {s.Anyone.As(s.world.owner.Tokens.ID), false},
		"a bad token": {s.Anyone.As(s.world.owner.Tokens.Access + "x"), false},
		"its owner":   {s.as(t, s.world, op), true},
		"another":     {s.world.other.Client, true},
		"an admin":    {s.Admin, true},
	} {
		t.Run(name, func(t *testing.T) {
			stranger := name == "another" && (hasID(s, op) || s.example(t, op).who == admin)
			if reads(s, op) || !op.Public() && (!who.known || stranger) {
				s.sameTwice(t, op, who.client, r)
				return
			}
			// It would be done twice, so it is asked for in a way that is refused.
			s.sameTwice(t, op, who.client, with(r, "Accept", "text/csv"))
		})
	}
	switch {
	case reads(s, op):
	case op.Parameter("header", "Idempotency-Key") != nil:
		// The second way in repeats the first one's request. That it gets the same answer
		// says that it was the same caller's, for a key is.
		w := s.fresh(t, op)
		sent := s.request(t, w, op)
		first := s.succeed(t, w, op, sent)
		second := ask(t, s.as(t, w, op).At(s.Outputs.ALBURL), sent)
		if second.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("the repeat behind the balancer: %d %v %s", second.Status, second.Header, second.Body)
		}
		second.Header.Del("Idempotency-Replayed")
		if err := s.differ(op, with(sent, "X-Correlation-Id", ""), first, second); err != nil {
			t.Error(err)
		}
	default:
		w := s.fresh(t, op)
		sent := s.request(t, w, op)
		answer := ask(t, s.as(t, w, op).At(s.Outputs.ALBURL), sent)
		if status, _ := op.Success(); answer.Status != status {
			t.Fatalf("behind the balancer: %d %s, want %d", answer.Status, answer.Body, status)
		}
		if err := op.Judge(sent, answer); err != nil {
			t.Error(err)
		}
		if after := s.example(t, op).after; after != nil {
			after(t, s, w, sent, answer)
		}
	}
}

// sameTwice makes a request at both ways in and compares. What it asks for may change in
// between, so it counts only if the gateway's answer is the same before and after.
func (s *suite) sameTwice(t *testing.T, op *apidoc.Operation, c *shop.Client, r shop.Request) {
	t.Helper()
	const tries = 10
	for range tries {
		before := ask(t, c, r)
		behind := ask(t, c.At(s.Outputs.ALBURL), r)
		if after := ask(t, c, r); after.Status != before.Status || !bytes.Equal(after.Body, before.Body) {
			continue
		}
		if err := s.differ(op, r, before, behind); err != nil {
			t.Error(err)
		}
		return
	}
	t.Errorf("%s %s never answers the same twice", r.Method, r.Path)
}

// differ returns in what an answer behind the balancer differs from the gateway's.
func (s *suite) differ(op *apidoc.Operation, r shop.Request, gateway, balancer *shop.Response) error {
	if gateway.Status != balancer.Status {
		return fmt.Errorf("%d %s at the gateway, %d %s behind the balancer", gateway.Status, gateway.Body, balancer.Status, balancer.Body)
	}
	if gatewaysOwn(op, r, gateway) {
		p, err := balancer.Problem()
		if err == nil && p.Code != "unauthenticated" {
			err = fmt.Errorf("code %q behind the balancer", p.Code)
		}
		return err
	}
	if a, b := fields(gateway.Header, r), fields(balancer.Header, r); !slices.Equal(a, b) {
		return fmt.Errorf("header %q at the gateway, %q behind the balancer", a, b)
	}
	if !bytes.Equal(gateway.Body, balancer.Body) {
		return fmt.Errorf("%s at the gateway, %s behind the balancer", gateway.Body, balancer.Body)
	}
	return nil
}

// fields are the lines of a header that a service has written.
func fields(h http.Header, r shop.Request) []string {
	var lines []string
	for name, values := range h {
		switch {
		case strings.HasPrefix(name, "Access-Control-"), slices.Contains([]string{"Apigw-Requestid", "Connection", "Date", "Server", "Vary"}, name):
			// One of the ways in has.
		case name == "X-Correlation-Id" && r.Header.Get(name) == "":
		default:
			text, _ := json.Marshal(values)
			lines = append(lines, name+": "+string(text))
		}
	}
	slices.Sort(lines)
	return lines
}
