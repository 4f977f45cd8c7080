package cursor_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tradewind/shared/cursor"
	"tradewind/shared/env"
	"tradewind/shared/httpkit"
)

var (
	key  = []byte(strings.Repeat("k", 32))
	noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func TestSealer(t *testing.T) {
	const position = `{"PK":"ORDER#ord_1","SK":"ORDER"}`
	s := cursor.New(key, at(noon))
	sealed := s.Seal(position, "orders", "usr_1")
	flipped := []byte(sealed)
	flipped[len(flipped)-2] ^= 1
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		sealer *cursor.Sealer
		token  string
		scope  []string
		want   string // the position
		code   string // of the refusal
	}{
		"its own":            {s, sealed, []string{"orders", "usr_1"}, position, ""},
		"first page":         {s, "", []string{"orders", "usr_1"}, "", ""},
		"to the last second": {cursor.New(key, at(noon.Add(24*time.Hour))), sealed, []string{"orders", "usr_1"}, position, ""},
		"after a day":        {cursor.New(key, at(noon.Add(24*time.Hour+time.Second))), sealed, []string{"orders", "usr_1"}, "", "cursor_expired"},
		"another instance":   {cursor.New(key, at(noon.Add(time.Hour))), sealed, []string{"orders", "usr_1"}, position, ""},
		"another key":        {cursor.New([]byte(strings.Repeat("x", 32)), at(noon)), sealed, []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"another caller":     {s, sealed, []string{"orders", "usr_2"}, "", "cursor_invalid"},
		"another list":       {s, sealed, []string{"payments", "usr_1"}, "", "cursor_invalid"},
		"parts moved":        {s, sealed, []string{"ordersu", "sr_1"}, "", "cursor_invalid"},
		"parts joined":       {s, sealed, []string{"ordersusr_1"}, "", "cursor_invalid"},
		"parts by a zero":    {s, s.Seal(position, "a", "b"), []string{"a\x00b"}, "", "cursor_invalid"},
		"a part more":        {s, sealed, []string{"orders", "usr_1", ""}, "", "cursor_invalid"},
		"no scope":           {s, sealed, nil, "", "cursor_invalid"},
		"a bit flipped":      {s, string(flipped), []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"cut":                {s, sealed[:len(sealed)-4], []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"longer":             {s, sealed + "AAAA", []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"padded":             {s, sealed + "=", []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"a line end in it":   {s, sealed[:8] + "\n" + sealed[8:], []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"standard alphabet":  {s, base64.StdEncoding.EncodeToString(append(raw, 0xff, 0xfe)), []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"a position":         {s, base64.RawURLEncoding.EncodeToString([]byte(position)), []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"short":              {s, "AAAA", []string{"orders", "usr_1"}, "", "cursor_invalid"},
		"not base64":         {s, "!", []string{"orders", "usr_1"}, "", "cursor_invalid"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.sealer.Open(tt.token, tt.scope...)
			if got != tt.want || (err == nil) != (tt.code == "") {
				t.Fatalf("opened %q, %v", got, err)
			}
			if err == nil {
				return
			}
			answer := httpkit.Problem(err, httptest.NewRequest("GET", "/", nil))
			if answer.Status != 400 || !strings.Contains(string(answer.Body), `"code":"`+tt.code+`"`) {
				t.Errorf("refused with %d %s, want 400 %s", answer.Status, answer.Body, tt.code)
			}
		})
	}
	if got := s.Seal("", "orders"); got != "" {
		t.Errorf("the last page has a cursor: %q", got)
	}
}

func TestFromEnv(t *testing.T) {
	for value, ok := range map[string]bool{"": false, strings.Repeat("k", 31): false, strings.Repeat("k", 32): true} {
		vars := env.From(func(name string) string { return map[string]string{"CURSOR_KEY": value}[name] })
		s := cursor.FromEnv(vars)
		if err := vars.Err(); (err == nil) != ok {
			t.Errorf("a key of %d bytes: %v", len(value), err)
		}
		if got, err := s.Open(s.Seal("p", "x"), "x"); ok && (got != "p" || err != nil) {
			t.Errorf("opened %q, %v", got, err)
		}
	}
}

// A token of one caller's list is of no use to another caller.
func ExampleSealer() {
	pages := cursor.New([]byte("a secret of at least 32 bytes ..."), time.Now)
	next := pages.Seal("where the page ended", "orders", "usr_1")

	position, err := pages.Open(next, "orders", "usr_1")
	fmt.Println(position, err)
	_, err = pages.Open(next, "orders", "usr_2")
	fmt.Println(err)

	// Output:
	// where the page ended <nil>
	// cursor_invalid: The cursor is not one that this list gave to you.
}
