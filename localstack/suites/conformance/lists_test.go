package conformance

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"tradewind/localstack/internal/shop"
	"tradewind/localstack/suites/conformance/apidoc"
)

// page is a page of any list.
type page struct {
	Items []struct {
		ID string `json:"id"`
	} `json:"items"`
	NextCursor *string `json:"nextCursor"`
}

// lists checks pages: their size, their end, that none repeats or leaves out what is
// known to be there, and that a cursor cannot be made or changed.
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
	step, cursor := 1, ""
	if s.example(t, op).who == anyone || s.example(t, op).who == admin {
		step = 50 // everybody's: the list is long, and grows
	}
	for n := 0; ; n++ {
		p := listed("limit", strconv.Itoa(step), "cursor", cursor)
		if len(p.Items) > step {
			t.Fatalf("%d items of limit %d", len(p.Items), step)
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
