// Package cursor makes the opaque page tokens of list routes. A token holds the
// position after which the next page starts, bound by a MAC to the caller and
// the filter it was made for, and it expires.
//
// It exists because a position is a storage key: a client that could write one
// could read from anywhere in an index. Callers must keep: the scope names
// everything that decides what the list shows (route, caller, filters), so that
// a token of one list is refused by every other.
package cursor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"tradewind/shared/env"
	"tradewind/shared/httpkit"
)

// lifetime is how long a token may be used: long enough for a person who reads
// a page before asking for the next.
const lifetime = 24 * time.Hour

// minKey is the least length of a key in bytes.
const minKey = 32

// Sealer seals and opens tokens with one secret key.
type Sealer struct {
	key []byte
	now func() time.Time
}

// FromEnv returns the sealer whose key is CURSOR_KEY.
func FromEnv(vars *env.Vars) *Sealer { return New(vars.Secret("CURSOR_KEY", minKey), time.Now) }

// New returns a sealer. All instances of a service must have the same key.
func New(key []byte, now func() time.Time) *Sealer { return &Sealer{key: key, now: now} }

// Seal returns the token for a position; "" for "", which is the last page.
func (s *Sealer) Seal(position string, scope ...string) string {
	if position == "" {
		return ""
	}
	token := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(lifetime).Unix()))
	token = append(token, position...)
	return base64.RawURLEncoding.EncodeToString(append(s.mac(token, scope), token...))
}

// Open returns the position of a token; "" for "", which is the first page. A
// token that was altered, has expired, or is of another scope is a 400.
func (s *Sealer) Open(token string, scope ...string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	// A decoder passes over line ends and spare bits; an altered token is none.
	if err != nil || len(raw) < sha256.Size+8 || base64.RawURLEncoding.EncodeToString(raw) != token {
		return "", refused()
	}
	mac, body := raw[:sha256.Size], raw[sha256.Size:]
	if !hmac.Equal(mac, s.mac(body, scope)) {
		return "", refused()
	}
	if s.now().Unix() > int64(binary.BigEndian.Uint64(body)) {
		return "", httpkit.BadRequest("cursor_expired", "The cursor has expired; start again from the first page.")
	}
	return string(body[8:]), nil
}

func (s *Sealer) mac(body []byte, scope []string) []byte {
	h := hmac.New(sha256.New, s.key)
	// Each part goes in behind its length: a filter is free text, and no text
	// of one part may pass for two. Lengths count from one: zero ends the list.
	for _, part := range scope {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))+1))
		h.Write([]byte(part))
	}
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)
}

func refused() error {
	return httpkit.BadRequest("cursor_invalid", "The cursor is not one that this list gave to you.")
}
