// Package cognitotest has a user pool in memory for tests of what registers and
// erases people, and the suite that holds it and a real pool to the same
// behaviour.
package cognitotest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"tradewind/functions/users"
	"tradewind/shared/apperr"
)

// Pool is a users.SignIns in memory. The zero value is empty and ready.
type Pool struct {
	// Lax lets several sign-ins answer under one e-mail address, as some
	// endpoints that stand in for Cognito do.
	Lax bool

	mu      sync.Mutex
	signIns map[string]signIn
}

// Refused is part of e-mail addresses that the pool does not take.
const Refused = "+refused@"

var _ users.SignIns = (*Pool)(nil)

type signIn struct{ email, password string }

// SignIn returns the id of whoever has the e-mail address and the password.
func (p *Pool) SignIn(email, password string) (id string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range p.signIns {
		if s.email == users.SignInName(email) && s.password == password && password != "" {
			return id, true
		}
	}
	return "", false
}

// List returns all sign-ins as "<id> <e-mail address>".
func (p *Pool) List() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for id, s := range p.signIns {
		list = append(list, id+" "+s.email)
	}
	return list
}

// Create implements users.SignIns.
func (p *Pool) Create(_ context.Context, id, email, password string) error {
	if err := p.Begin(id, email); err != nil {
		return err
	}
	return p.SetPassword(id, password)
}

// Begin is the first half of Create, which in a real pool is a call of its own.
func (p *Pool) Begin(id, email string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, begun := p.signIns[id]; begun {
		return nil
	}
	return p.address(id, email)
}

// SetPassword is the second half of Create.
func (p *Pool) SetPassword(id, password string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, found := p.signIns[id]
	if !found {
		return users.ErrOvertaken
	}
	if strings.ContainsRune(password, 0) {
		return refused("/password")
	}
	p.signIns[id] = signIn{s.email, password}
	return nil
}

// Readdress implements users.SignIns.
func (p *Pool) Readdress(_ context.Context, id, email string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, found := p.signIns[id]; !found {
		return nil
	}
	return p.address(id, email)
}

// Holder implements users.SignIns.
func (p *Pool) Holder(_ context.Context, email string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range p.signIns {
		if s.email == email {
			return id, nil
		}
	}
	return "", nil
}

// Remove implements users.SignIns.
func (p *Pool) Remove(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.signIns, id)
	return nil
}

// address makes an e-mail address a name of the sign-in, if it is nobody else's.
func (p *Pool) address(id, email string) error {
	if strings.Contains(email, Refused) {
		return refused("/email")
	}
	for other, s := range p.signIns {
		if s.email == email && other != id && !p.Lax {
			return users.ErrEmailTaken
		}
	}
	if p.signIns == nil {
		p.signIns = map[string]signIn{}
	}
	p.signIns[id] = signIn{email, p.signIns[id].password}
	return nil
}

func refused(pointer string) error {
	var c apperr.Check
	c.Fail(pointer, "is refused")
	return c.Err()
}

// Run holds a pool to what the users service relies on. signIn tries to sign in
// and returns the id of whoever did.
func Run(t *testing.T, pool users.SignIns, signIn func(email, password string) (id string, ok bool)) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	held := func(want, email string) {
		t.Helper()
		if id, err := pool.Holder(ctx, email); id != want || err != nil {
			t.Errorf("%s is held by %q (%v), want %q", email, id, err, want)
		}
	}
	expect := func(want, email, password string) {
		t.Helper()
		if id, ok := signIn(email, password); id != want || ok != (want != "") {
			t.Errorf("sign in as %s: %q, want %q", email, id, want)
		}
	}
	const first, second = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZ1", "usr_01K9ZZZZZZZZZZZZZZZZZZZZZ2"

	held("", "ada@example.com")
	must(pool.Create(ctx, first, "ada@example.com", "Correct horse 1!"))
	held(first, "ada@example.com")
	expect(first, "ada@example.com", "Correct horse 1!")
	expect("", "ada@example.com", "Wrong horse 1!")
	must(pool.Create(ctx, first, "ada@example.com", "Correct horse 1!")) // the answer was lost
	expect(first, "ada@example.com", "Correct horse 1!")

	must(pool.Readdress(ctx, first, "lovelace@example.com"))
	must(pool.Readdress(ctx, first, "lovelace@example.com"))
	held("", "ada@example.com")
	expect("", "ada@example.com", "Correct horse 1!")
	expect(first, "lovelace@example.com", "Correct horse 1!")

	must(pool.Create(ctx, second, "ada@example.com", "Another horse 1!"))
	expect(second, "ada@example.com", "Another horse 1!")
	expect(first, "lovelace@example.com", "Correct horse 1!")

	must(pool.Remove(ctx, first))
	must(pool.Remove(ctx, first))
	expect("", "lovelace@example.com", "Correct horse 1!")
	must(pool.Readdress(ctx, first, "lovelace@example.com")) // nobody is brought back
	expect("", "lovelace@example.com", "Correct horse 1!")
	expect(second, "ada@example.com", "Another horse 1!")
}
