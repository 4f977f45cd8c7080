package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tradewind/localstack/internal/apidoc"
	"tradewind/localstack/internal/shop"
)

// The checks here are of what goes on between requests: pages, versions, repeats, and
// what a request brings with it about who asks and what it belongs to.

// page is a page of any list.
type page struct {
	Items []struct {
		ID string `json:"id"`
	} `json:"items"`
	NextCursor *string `json:"nextCursor"`
}

func lists(t *testing.T, s *suite, op *apidoc.Operation) {
	c := s.as(t, s.world, op)
	filter := url.Values{}
	if query := s.example(t, op).query; query != nil {
		filter, _ = url.ParseQuery(query(s.world))
		filter.Del("limit")
	}
	get := func(pairs ...string) (shop.Request, *shop.Response) {
		query := url.Values{}
		for name, values := range filter {
			query[name] = values
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				query.Set(pairs[i], pairs[i+1])
			}
		}
		r := shop.Request{Method: http.MethodGet, Path: op.Path + "?" + query.Encode()}
		return r, ask(t, c, r)
	}
	listed := func(pairs ...string) page {
		r, answer := get(pairs...)
		if answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", r.Path, answer.Status, answer.Body)
		}
		if !bytes.Contains(answer.Body, []byte(`"items":[`)) {
			t.Errorf("%s: no items: %s", r.Path, answer.Body)
		}
		p := decoded[page](t, answer)
		if p.NextCursor != nil && *p.NextCursor == "" {
			t.Errorf("%s: an empty cursor: %s", r.Path, answer.Body)
		}
		return p
	}

	seen := map[string]bool{}
	step, cursor := "1", ""
	if s.example(t, op).who == anyone || s.example(t, op).who == admin {
		step = "50" // everybody's: the list is long, and grows
	}
	for n := 0; ; n++ {
		p := listed("limit", step, "cursor", cursor)
		if len(p.Items) > map[string]int{"1": 1, "50": 50}[step] {
			t.Fatalf("%d items of limit %s", len(p.Items), step)
		}
		for _, item := range p.Items {
			if seen[item.ID] {
				t.Errorf("%s is listed twice", item.ID)
			}
			seen[item.ID] = true
		}
		if p.NextCursor == nil {
			break
		}
		if n > 1000 {
			t.Fatal("the list has no end")
		}
		cursor = *p.NextCursor
	}
	for _, id := range s.known(op) {
		if !seen[id] {
			t.Errorf("%s is not listed", id)
		}
	}
	if p := listed(); len(p.Items) > 20 || len(p.Items) < min(20, len(seen)) && p.NextCursor == nil {
		t.Errorf("without a limit %d items of %d", len(p.Items), len(seen))
	}
	if p := listed("limit", "100"); len(p.Items) > 100 {
		t.Errorf("%d items of limit 100", len(p.Items))
	}

	if onePage[op.ID] != "" {
		r, answer := get("limit", "1", "cursor", "x")
		refused(t, r, answer, http.StatusBadRequest)
		return
	}
	first := listed("limit", "1")
	if first.NextCursor == nil {
		t.Fatal("the list has one page only; nothing to forge")
	}
	for _, forged := range forgeries(*first.NextCursor) {
		r, answer := get("limit", "1", "cursor", forged)
		refused(t, r, answer, http.StatusBadRequest)
	}
}

// known returns ids that an operation's list must have.
func (s *suite) known(op *apidoc.Operation) []string {
	w := s.world
	return map[string][]string{
		"users":         {w.owner.ID, w.other.ID, w.buyer.ID, w.subject.ID, s.Outputs.Admin.UserID},
		"products":      {w.product.ID},
		"orders":        {w.order.ID, w.cancelled.ID},
		"payments":      {w.payment.ID},
		"notifications": {w.notification.ID},
	}[collectionOf(op)]
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// forgeries are what a cursor might be changed into.
func forgeries(cursor string) []string {
	flip := func(i int) string {
		b := []byte(cursor)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		return string(b)
	}
	last := []byte(cursor) // of whose six bits the decoder may ignore some
	last[len(last)-1] = alphabet[strings.IndexByte(alphabet, last[len(last)-1])^1]
	return []string{
		string(last), flip(0), flip(len(cursor) / 3), flip(len(cursor) / 2), flip(len(cursor) - 2), flip(len(cursor) - 1),
		cursor[1:], cursor[:len(cursor)-1], cursor[:len(cursor)/2], cursor + "A", "A" + cursor, cursor + "=", cursor + "==", cursor + "\n", cursor + " ",
		cursor + cursor, strings.ToUpper(cursor), "x", "AAAA", strings.Repeat("A", 100), strings.Repeat("A", 8000), "\x00", "\u6771\u4eac", "{}", "null", "../..",
	}
}

func concurrency(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	before := versionOf(t, r.Header.Get("If-Match"))
	answer := s.succeed(t, w, op, r)
	if op.Versioned() {
		version := int(numberAt(t, answer.Body, "version"))
		if got := versionOf(t, answer.Header.Get("ETag")); version < 1 || got != version {
			t.Errorf("version %d with ETag %s", version, answer.Header.Get("ETag"))
		}
		if before > 0 && version != before+1 {
			t.Errorf("version %d after version %d", version, before)
		}
	}
	if before == 0 {
		return
	}
	// Whoever has seen the version before has lost.
	c := s.as(t, w, op)
	if op.Method == http.MethodDelete {
		w = s.fresh(t, op)
		c, r = s.as(t, w, op), s.request(t, w, op)
		old := with(r, "If-Match", `"77"`)
		refused(t, old, ask(t, c, old), http.StatusPreconditionFailed)
		s.succeed(t, w, op, r)
		return
	}
	was := read(t, c, r.Path)
	refused(t, r, ask(t, c, r), http.StatusPreconditionFailed)
	none := with(r, "If-Match", "")
	refused(t, none, ask(t, c, none), http.StatusPreconditionRequired)
	if now := read(t, c, r.Path); !bytes.Equal(now.Body, was.Body) {
		t.Errorf("a stale %s changed %s to %s", op.Method, was.Body, now.Body)
	}
	s.succeed(t, w, op, s.request(t, w, op))
}

func versionOf(t *testing.T, tag string) int {
	t.Helper()
	if tag == "" {
		return 0
	}
	var version int
	if _, err := fmt.Sscanf(tag, `"%d"`, &version); err != nil || fmt.Sprintf(`"%d"`, version) != tag {
		t.Errorf("the entity tag %s", tag)
	}
	return version
}

// idempotency checks repeats one after the other; concurrent ones have a part of
// their own.
func idempotency(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	c, r := s.as(t, w, op), s.request(t, w, op)
	for _, key := range []string{"a b", "tab\tbed", strings.Repeat("k", 256), "schl\u00fcssel"} {
		bad := with(r, "Idempotency-Key", key)
		refused(t, bad, ask(t, c, bad), http.StatusBadRequest)
	}
	// What was refused is not remembered.
	key := unique()
	r = with(r, "Idempotency-Key", key+strings.Repeat("~", 255-len(key))) // as long as it may be
	bad := changedBody(t, r, func(body map[string]any) { body["nonsense"] = 1 })
	refused(t, bad, ask(t, c, bad), http.StatusUnprocessableEntity)

	first := s.succeed(t, w, op, r)
	if flag, ok := first.Header["Idempotency-Replayed"]; ok {
		t.Errorf("the first answer is a replay: %q", flag)
	}
	for range 2 {
		again := s.succeed(t, w, op, r)
		if err := alike(first, again); err != nil {
			t.Error(err)
		}
	}
	spaced := withBody(r, bytes.ReplaceAll(r.Body.([]byte), []byte(`":`), []byte(`" : `)))
	if again := s.succeed(t, w, op, spaced); alike(first, again) != nil {
		t.Errorf("white space makes another payload: %v", alike(first, again))
	}

	// Another payload under the key is refused and changes nothing.
	change := s.example(t, op).other
	if change == nil {
		t.Fatal("the example has no other payload")
	}
	was := s.version(t, w, op)
	other := changedBody(t, r, change)
	if p := refused(t, other, ask(t, c, other), http.StatusUnprocessableEntity); p.Code != "idempotency_key_reused" {
		t.Errorf("code %q", p.Code)
	}
	if now := s.version(t, w, op); now != was {
		t.Errorf("another payload changed %s to %s", was, now)
	}
	if again := s.succeed(t, w, op, r); alike(first, again) != nil {
		t.Error(alike(first, again))
	}

	none := with(r, "Idempotency-Key", "")
	switch parameter := op.Parameter("header", "Idempotency-Key"); {
	case parameter.Required:
		refused(t, none, ask(t, c, none), http.StatusBadRequest)
	default:
		fresh := s.fresh(t, op)
		free := with(s.request(t, fresh, op), "Idempotency-Key", "")
		if flag, ok := s.succeed(t, fresh, op, free).Header["Idempotency-Replayed"]; ok {
			t.Errorf("an answer without a key is a replay: %q", flag)
		}
	}
	// A key is its caller's.
	if s.example(t, op).who == owner && !hasID(s, op) {
		answer := ask(t, s.world.other.Client, r)
		if _, replayed := answer.Header["Idempotency-Replayed"]; replayed || answer.Status != first.Status || bytes.Equal(answer.Body, first.Body) {
			t.Errorf("another caller's request under the same key: %d %s", answer.Status, answer.Body)
		}
	}
}

// alike compares an answer with the first one of its key.
func alike(first, again *shop.Response) error {
	if again.Status != first.Status || !bytes.Equal(again.Body, first.Body) {
		return fmt.Errorf("first %d %s, then %d %s", first.Status, first.Body, again.Status, again.Body)
	}
	for _, name := range []string{"Location", "Etag", "Content-Type"} {
		if got, want := again.Header.Get(name), first.Header.Get(name); got != want {
			return fmt.Errorf("%s was %q, then %q", name, want, got)
		}
	}
	if got := again.Header.Get("Idempotency-Replayed"); got != "true" {
		return fmt.Errorf("a repeat has Idempotency-Replayed %q", got)
	}
	return nil
}

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

// documented checks that a success fits the document, without regard to what else was
// seen before.
func documented(t *testing.T, s *suite, op *apidoc.Operation) {
	w := s.fresh(t, op)
	r := s.request(t, w, op)
	answer := s.succeed(t, w, op, r)
	if isDocument(op) {
		docs, err := apidoc.Parse(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if docs.Find(http.MethodGet, op.Path) == nil {
			t.Errorf("the document of %s lacks itself", op.Path)
		}
		for _, other := range docs.Operations {
			if collectionOf(other) != collectionOf(op) {
				t.Errorf("%s is in the document of %s", other.Name(), op.Path)
			}
		}
		return
	}
	if err := op.Judge(r, answer); err != nil {
		t.Error(err)
	}
}

func numberAt(t *testing.T, text []byte, name string) float64 {
	t.Helper()
	members := decoded[map[string]any](t, &shop.Response{Body: text})
	n, ok := members[name].(float64)
	if !ok {
		t.Fatalf("no number %s: %s", name, text)
	}
	return n
}
