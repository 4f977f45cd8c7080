package conformance

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// tracing checks the correlation id on a refusal and, where it costs nothing, on a
// success. That it is on every answer at all, the witness sees.
func tracing(t *testing.T, s *suite, op *apidoc.Operation) {
	c, r := s.as(t, s.world, op), s.request(t, s.world, op)
	requests := map[string]shop.Request{"refused": with(r, "Accept", "text/csv")}
	if op.Method == http.MethodGet {
		requests["served"] = r
	}
	for kind, r := range requests {
		made := map[string]bool{}
		for _, id := range []string{"a", "0.-_Z", strings.Repeat("x", 128)} {
			if got := ask(t, c, with(r, "X-Correlation-Id", id)).Header.Get("X-Correlation-Id"); got != id {
				t.Errorf("%s: the correlation id %q becomes %q", kind, id, got)
			}
		}
		for _, id := range []string{"", strings.Repeat("x", 129), "a b", "a,b", "<script>", "a\u00e9", `a"b`, "a/b", "${jndi:x}"} {
			got := ask(t, c, with(r, "X-Correlation-Id", id)).Header.Get("X-Correlation-Id")
			if got == id || !correlationID.MatchString(got) || made[got] {
				t.Errorf("%s: the correlation id %q becomes %q", kind, id, got)
			}
			made[got] = true
		}
		want := ask(t, c, r).Status
		for _, parent := range []string{
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-0000000000000000-00", "nonsense", strings.Repeat("0", 3000),
		} {
			if got := ask(t, c, with(r, "Traceparent", parent)).Status; got != want {
				t.Errorf("%s: with traceparent %.60s %d, without %d", kind, parent, got, want)
			}
		}
	}
}

// claimed are headers with which somebody might say to be somebody else.
func claimed(who, group string) []string {
	return []string{
		"X-User-Id", who, "X-Forwarded-User", who, "X-Amzn-Oidc-Identity", who, "X-Cognito-Username", who, "Username", who, "Cookie", "username=" + who,
		"X-Groups", group, "Cognito-Groups", "[" + group + "]", "X-Amzn-Oidc-Data", `{"cognito:groups":["` + group + `"]}`, "X-Admin", "true", "X-Role", group,
	}
}

// caller checks that a token is all that tells who asks, and what each may do.
func caller(t *testing.T, s *suite, op *apidoc.Operation) {
	r := s.request(t, s.world, op)
	if op.Public() {
		// A token is not needed, and does no harm.
		w := s.fresh(t, op)
		s.succeed(t, w, op, s.request(t, w, op))
		w = s.fresh(t, op)
		answer := ask(t, s.world.other.Client, s.request(t, w, op))
		if status, _ := op.Success(); answer.Status != status {
			t.Errorf("with a token: %d %s", answer.Status, answer.Body)
		}
		return
	}
	for name, c := range map[string]*shop.Client{"without a token": s.Anyone, "with an ID token": s.Anyone.As(s.world.owner.Tokens.ID)} {
		answer := ask(t, c, r)
		if answer.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		unauthorized(t, op, r, answer)
	}
	// Nothing but the token says who it is.
	forged := with(r, claimed(s.Outputs.Admin.UserID, "admin")...)
	answer := ask(t, s.Anyone, forged)
	unauthorized(t, op, forged, answer)
	plain, forgedToo := ask(t, s.world.other.Client, r), ask(t, s.world.other.Client, forged)
	if plain.Status != forgedToo.Status || plain.Status < 300 && !bytes.Equal(plain.Body, forgedToo.Body) {
		t.Errorf("with forged headers %d %s, without %d %s", forgedToo.Status, forgedToo.Body, plain.Status, plain.Body)
	}
	switch who := s.example(t, op).who; {
	case who == admin && plain.Status != http.StatusForbidden:
		t.Errorf("a customer is answered %d", plain.Status)
	case (who == owner || who == subject) && hasID(s, op) && plain.Status != http.StatusNotFound:
		t.Errorf("another customer is answered %d", plain.Status)
	case (who == owner || who == subject) && hasID(s, op) && op.Method == http.MethodGet:
		if answer := ask(t, s.Admin, r); answer.Status != http.StatusOK {
			t.Errorf("an admin is answered %d %s", answer.Status, answer.Body)
		}
	case who == owner && op.Method == http.MethodGet && strings.Contains(string(plain.Body), s.world.owner.ID):
		t.Errorf("another customer is shown %s", plain.Body)
	}
}
