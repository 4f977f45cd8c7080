// Package users is the business of accounts: who may have one, what is known of
// a person, and how a person is forgotten again.
//
// An account lives in two places, the service's table and the user pool that
// signs people in, and no transaction spans both. The rules that make up for it
// are in two files. Registering (register.go) reserves the e-mail address for
// one attempt, makes that attempt's sign-in, and settles: one transaction that
// only the attempt which still holds the reservation can make. Changing the
// address and erasing (follow.go) leave a note in the user for as long as the
// sign-in may differ from it, and the sign-in follows the user. At each point
// where a process may die, what is in the table tells the next request what is
// left to do, and that request does it.
//
// Erasing empties the user. Events that wait for the relay's reconciler and
// answers kept for repeats of a registration hold personal data too, and expire:
// after seven days and after one.
//
// The package knows no AWS and no HTTP; adapters are in internal/.
package users

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	event "tradewind/events/users"
	"tradewind/shared/apperr"
)

// User is an account. Its id is also its name in the user pool.
type User struct {
	ID        string
	Email     string // as it was sent, for display
	Name      string
	Addresses []Address
	// Erased says that the personal data is gone. The id stays, because orders
	// refer to it.
	Erased    bool
	Version   int // counts the changes that a client sees
	CreatedAt time.Time
	UpdatedAt time.Time

	// Revision counts the writes: a store saves a user only in place of the
	// revision before. It differs from Version because the account's tidying up
	// is nothing that should make a client's If-Match stale.
	Revision int
	// Claim is the key of the e-mail address's claim; empty once erased.
	Claim string
	// Releasing are the keys of claims that the account gives up as soon as its
	// sign-in has followed the change.
	Releasing []string
}

// Address is where a user lives or wants things sent. The JSON names are those
// of the contract.
type Address struct {
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	PostalCode string `json:"postalCode"`
	Country    string `json:"country"` // ISO 3166-1 alpha-2
}

// Bounds of what is known of a user.
const (
	MaxAddresses = 20
	MinPassword  = 8
	maxText      = 200 // characters of one text field
	maxLocal     = 64  // bytes before the @ (RFC 5321, 4.5.3.1.1)
)

// Registration is what someone sends to get an account.
type Registration struct {
	Email     string
	Name      string
	Addresses []Address
	Password  string
}

// Validate reports every fault of a registration.
func (r Registration) Validate() error {
	var c apperr.Check
	checkEmail(&c, r.Email)
	checkName(&c, r.Name)
	checkAddresses(&c, r.Addresses)
	checkPassword(&c, r.Password)
	return c.Err()
}

// Change is what is to be different about a user; nil fields stay.
type Change struct {
	Email     *string
	Name      *string
	Addresses *[]Address
}

// Validate reports every fault of a change.
func (ch Change) Validate() error {
	var c apperr.Check
	if ch.Email != nil {
		checkEmail(&c, *ch.Email)
	}
	if ch.Name != nil {
		checkName(&c, *ch.Name)
	}
	if ch.Addresses != nil {
		checkAddresses(&c, *ch.Addresses)
	}
	return c.Err()
}

// New returns the user of a valid registration, and what to tell of it.
func New(id string, r Registration, now time.Time) (User, event.RegisteredV1) {
	u := User{
		ID:        id,
		Email:     strings.TrimSpace(r.Email),
		Name:      r.Name,
		Addresses: slices.Clone(r.Addresses),
		Version:   1,
		CreatedAt: now,
		UpdatedAt: now,
		Revision:  1,
		Claim:     ClaimKey(r.Email),
	}
	return u, event.RegisteredV1{UserID: u.ID, Email: u.Email, Name: u.Name}
}

// Apply makes a valid change and returns what to tell of it; nil where it left
// everything as it was.
func (u *User) Apply(ch Change, now time.Time) *event.UpdatedV1 {
	before := *u
	if ch.Email != nil {
		u.Email = strings.TrimSpace(*ch.Email)
		u.hold(ClaimKey(u.Email))
	}
	if ch.Name != nil {
		u.Name = *ch.Name
	}
	if ch.Addresses != nil {
		u.Addresses = slices.Clone(*ch.Addresses)
	}
	if u.Email == before.Email && u.Name == before.Name && slices.Equal(u.Addresses, before.Addresses) {
		return nil
	}
	u.next(now)
	return &event.UpdatedV1{UserID: u.ID, Email: u.Email, Name: u.Name, Version: u.Version}
}

// Erase forgets the person and returns what to tell of it; nil where that has
// been done before.
func (u *User) Erase(now time.Time) *event.DeletedV1 {
	if u.Erased {
		return nil
	}
	u.hold("")
	u.Email, u.Name, u.Addresses, u.Erased = "", "", nil, true
	u.next(now)
	return &event.DeletedV1{UserID: u.ID}
}

// Holds reports whether the user has the claim, be it one on the way out.
func (u *User) Holds(claim string) bool {
	return claim == u.Claim || slices.Contains(u.Releasing, claim)
}

// hold makes claim the user's one and lines up the one before to be released.
func (u *User) hold(claim string) {
	if claim == u.Claim {
		return
	}
	u.Releasing = slices.DeleteFunc(append(slices.Clone(u.Releasing), u.Claim), func(c string) bool { return c == claim })
	u.Claim = claim
}

func (u *User) next(now time.Time) {
	u.Version++
	u.Revision++
	u.UpdatedAt = now
}

// SignInName returns an e-mail address as the user pool knows it. Whether two
// addresses are the same is decided by it.
func SignInName(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// ClaimKey returns the key of the claim to an e-mail address. It is a digest,
// because keys get into logs and outlive the account in backups.
func ClaimKey(email string) string {
	sum := sha256.Sum256([]byte(SignInName(email)))
	return hex.EncodeToString(sum[:])
}

// checkEmail accepts what is plausibly an address: whether mail arrives there
// can only be found out by sending some.
func checkEmail(c *apperr.Check, email string) {
	address := strings.TrimSpace(email)
	at := strings.LastIndexByte(address, '@')
	switch {
	case address == "":
		c.Fail("/email", "is required")
	case runes(email) > maxText:
		c.Fail("/email", "must have at most 200 characters")
	case at < 1 || at > maxLocal || !plausible(address[:at]) || !domain(address[at+1:]):
		c.Fail("/email", "must be an e-mail address such as ada@example.com")
	}
}

// plausible refuses what an address holds only in quotes or comments, which no
// mail provider gives out.
func plausible(part string) bool {
	return utf8.ValidString(part) && !strings.HasPrefix(part, ".") && !strings.HasSuffix(part, ".") && !strings.Contains(part, "..") &&
		!strings.ContainsFunc(part, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`@<>()[]\,;:"`, r)
		})
}

func domain(name string) bool {
	if !plausible(name) || !strings.Contains(name, ".") {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool { return r < utf8.RuneSelf && r != '-' && !alphanumeric(r) }) {
			return false
		}
	}
	return true
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func checkName(c *apperr.Check, name string) { checkText(c, "/name", name) }

func checkAddresses(c *apperr.Check, list []Address) {
	if len(list) > MaxAddresses {
		c.Fail("/addresses", "must have at most "+strconv.Itoa(MaxAddresses)+" entries")
		return
	}
	for i, a := range list {
		at := "/addresses/" + strconv.Itoa(i)
		checkText(c, at+"/line1", a.Line1)
		c.That(runes(a.Line2) <= maxText, at+"/line2", "must have at most 200 characters")
		checkText(c, at+"/city", a.City)
		checkText(c, at+"/postalCode", a.PostalCode)
		c.That(isCountry(a.Country), at+"/country", "must be an ISO 3166-1 alpha-2 code such as DE")
	}
}

// checkPassword asks for length alone: rules on what characters a password has
// make it easier to guess, not harder (NIST SP 800-63B, 3.1.1.2). The user pool
// is set up alike; space at either end is what it does not take.
func checkPassword(c *apperr.Check, password string) {
	n := runes(password)
	switch {
	case n < MinPassword:
		c.Fail("/password", "must have at least "+strconv.Itoa(MinPassword)+" characters")
	case n > maxText:
		c.Fail("/password", "must have at most 200 characters")
	case strings.TrimSpace(password) != password:
		c.Fail("/password", "must not begin or end with space")
	}
}

func checkText(c *apperr.Check, pointer, text string) {
	switch {
	case strings.TrimSpace(text) == "":
		c.Fail(pointer, "is required")
	case runes(text) > maxText:
		c.Fail(pointer, "must have at most 200 characters")
	}
}

func runes(s string) int { return utf8.RuneCountInString(s) }
