package cursor_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"tradewind/shared/cursor"
	"tradewind/shared/httpkit"
)

// FuzzOpen: a token that this sealer did not make for this scope is refused with
// a 400, whatever is in it; one that it made opens to what was sealed.
func FuzzOpen(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	s := cursor.New([]byte("a key of thirty-two bytes or more"), func() time.Time { return now })
	f.Add("", "position", "orders", "usr_1")
	f.Add("AAAA", "", "a", "")
	f.Add(s.Seal("position", "orders", "usr_1"), "position", "orders", "usr_1")
	f.Add(s.Seal("position", "orders", "usr_1"), "position", "ordersusr_1", "")
	f.Add(s.Seal("position", "orders", "usr_1")+"A", "position", "orders", "usr_1")
	f.Add(s.Seal("position", "orders", "usr_1")+"\n", "position", "orders", "usr_1")
	f.Add("!", "\x00", "\x00", "\x00")
	f.Fuzz(func(t *testing.T, token, position, scope1, scope2 string) {
		sealed := s.Seal(position, scope1, scope2)
		if got, err := s.Open(sealed, scope1, scope2); err != nil || got != position {
			t.Fatalf("sealed %q, opened %q, %v", position, got, err)
		}
		if _, err := s.Open(sealed, scope1+scope2); err == nil && sealed != "" {
			t.Errorf("the scope %q opens what was sealed for %q and %q", scope1+scope2, scope1, scope2)
		}
		got, err := s.Open(token, scope1, scope2)
		switch {
		case err != nil:
			if status := httpkit.Problem(err, httptest.NewRequest("GET", "/", nil)).Status; status != 400 {
				t.Errorf("refused with %d, want 400: %v", status, err)
			}
		case token != "" && token != s.Seal(got, scope1, scope2):
			t.Errorf("the token %q was not made here and opens to %q", token, got)
		}
	})
}
