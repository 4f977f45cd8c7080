package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"

	"tradewind/functions/users"
	"tradewind/functions/users/internal/cognito/cognitotest"
	"tradewind/functions/users/internal/dynamo"
	"tradewind/functions/users/internal/httpapi"
	"tradewind/shared/apperr"
	"tradewind/shared/cursor"
	"tradewind/shared/id"
	"tradewind/shared/idempotency"
	"tradewind/shared/logs"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

// fault is what happens to one of the calls that a process makes.
type fault int

const (
	none    fault = iota
	dies          // it takes effect and the process dies
	lost          // it takes effect and its answer is lost
	doubled       // its answer is lost and the SDK repeats it
	fails         // it does not take effect
	stalls        // the process stands still before it, for long
	nFaults       // how many there are
)

func (f fault) String() string {
	return [...]string{"none", "dies", "answer lost", "doubled", "fails", "stalls"}[f]
}

// world is what outlives a process: the table and the user pool.
type world struct {
	mem  *tabletest.Memory
	pool *cognitotest.Pool
}

func newWorld() *world { return &world{&tabletest.Memory{}, &cognitotest.Pool{}} }

// process is one execution environment of the function. Its calls into the world
// are its steps, counted from one; at says what goes wrong at which.
type process struct {
	http.Handler
	*world
	at    func(step int) fault
	steps int
}

func (w *world) process(at func(step int) fault) *process {
	p := &process{world: w, at: at}
	tbl := table.New(backend{p})
	svc := users.NewService(dynamo.New(tbl, outbox.New("users", time.Now)), signIns{p}, time.Now, id.New)
	p.Handler = httpapi.Routes(svc, idempotency.New(tbl, time.Now), cursor.New([]byte(strings.Repeat("k", 32)), time.Now), logs.Discard())
	return p
}

func healthy(int) fault { return none }

// once is a fault at one step.
func once(step int, f fault) func(int) fault {
	return func(s int) fault {
		if s == step {
			return f
		}
		return none
	}
}

// errOutage is what a step fails with.
var errOutage = apperr.Wrap(errors.New("connection reset"), apperr.Unavailable, "outage", "Try again.")

// step is one call of a process.
func step[T any](p *process, do func() (T, error)) (T, error) {
	p.steps++
	f := p.at(p.steps)
	switch f {
	case fails:
		var zero T
		return zero, errOutage
	case stalls:
		time.Sleep(time.Minute)
	case doubled:
		_, _ = do()
	case none, dies, lost, nFaults:
	}
	result, err := do()
	switch f {
	case dies:
		panic("killed") // nothing of the code under test runs after it
	case lost:
		return result, errOutage
	case none, doubled, fails, stalls, nFaults:
	}
	return result, err
}

func change(p *process, do func() error) error {
	_, err := step(p, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// backend is the table as a process sees it.
type backend struct{ *process }

func (b backend) Get(ctx context.Context, key table.Key) (table.Item, error) {
	return step(b.process, func() (table.Item, error) { return b.mem.Get(ctx, key) })
}

func (b backend) Query(ctx context.Context, q table.Query, limit int) ([]table.Item, error) {
	return step(b.process, func() ([]table.Item, error) { return b.mem.Query(ctx, q, limit) })
}

func (b backend) Transact(ctx context.Context, ops []table.Op) error {
	return change(b.process, func() error { return b.mem.Transact(ctx, ops) })
}

// signIns is the pool as a process sees it.
type signIns struct{ *process }

func (s signIns) Create(_ context.Context, id, email, password string) error {
	// Two calls of a real pool are two steps: after the first the sign-in is
	// there and has no password.
	if err := change(s.process, func() error { return s.pool.Begin(id, email) }); err != nil {
		return err
	}
	return change(s.process, func() error { return s.pool.SetPassword(id, password) })
}

func (s signIns) Readdress(ctx context.Context, id, email string) error {
	return change(s.process, func() error { return s.pool.Readdress(ctx, id, email) })
}

func (s signIns) Holder(ctx context.Context, email string) (string, error) {
	return step(s.process, func() (string, error) { return s.pool.Holder(ctx, email) })
}

func (s signIns) Remove(ctx context.Context, id string) error {
	return change(s.process, func() error { return s.pool.Remove(ctx, id) })
}

func (p *process) register(email, password, key string) *httptest.ResponseRecorder {
	body, err := json.Marshal(map[string]string{"email": email, "name": "Ada", "password": password})
	if err != nil {
		panic(err)
	}
	return send(p, call{method: "POST", path: "/api/users", key: key, body: string(body)})
}

// texts returns what is stored, item by item.
func (w *world) texts(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, item := range w.mem.Items() {
		var it map[string]any
		if err := attributevalue.UnmarshalMap(item, &it); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprint(it))
	}
	return texts
}

// operator makes a sign-in past the service.
func (w *world) operator(t *testing.T, email string) {
	t.Helper()
	if err := w.pool.Create(context.Background(), "operator", email, "correct horse"); err != nil {
		t.Fatal(err)
	}
}

// atRest compares what table and pool hold: every account has its sign-in, its
// claim and its event, and nothing else is there.
func (w *world) atRest(t *testing.T) {
	t.Helper()
	type state struct{ Accounts, SignIns, Claims, Registered []string }
	var table, want state
	erased := map[string]bool{} // whose events may be there or not: see TestErase
	for _, item := range w.mem.Items() {
		var it struct {
			PK, SK, ID, Email, Claim, UserID, DetailType, Detail string
			Releasing                                            []string
			Settled, Erased                                      bool
		}
		if err := attributevalue.UnmarshalMap(item, &it); err != nil {
			t.Fatal(err)
		}
		switch {
		case it.SK == "USER":
			if len(it.Releasing) > 0 {
				t.Errorf("%s still has claims to release", it.ID)
			}
			if it.Erased {
				erased[it.PK] = true
				continue
			}
			want.Registered = append(want.Registered, it.PK)
			want.SignIns = append(want.SignIns, it.ID+" "+strings.ToLower(it.Email))
			want.Claims = append(want.Claims, it.Claim+" "+it.ID)
		case it.SK == "EMAIL":
			if !it.Settled {
				t.Errorf("%s is held by an attempt", it.PK)
			}
			table.Claims = append(table.Claims, strings.TrimPrefix(it.PK, "EMAIL#")+" "+it.UserID)
		case it.DetailType == "user.registered":
			table.Registered = append(table.Registered, it.PK)
		}
	}
	table.Registered = slices.DeleteFunc(table.Registered, func(pk string) bool { return erased[pk] })
	table.SignIns = slices.DeleteFunc(w.pool.List(), func(s string) bool { return strings.HasPrefix(s, "operator") })
	if diff := cmp.Diff(want, table, sorted); diff != "" {
		t.Errorf("accounts, and what there is for them (-want +got):\n%s", diff)
	}
}

// TestRegisterCutShort lets each step of a registration go wrong in each way and
// repeats the request, as a client does that got no good answer.
func TestRegisterCutShort(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		w1 := p.register("Ada@example.com", "correct horse", "key-1")
		w2 := w.process(healthy).register("Ada@example.com", "correct horse", "key-1")
		if w2.Code != http.StatusCreated || w1.Code == http.StatusCreated && w1.Body.String() != w2.Body.String() {
			t.Fatalf("first %d %s\nrepeat %d %s", w1.Code, w1.Body, w2.Code, w2.Body)
		}
		if who, ok := w.pool.SignIn("ada@example.com", "correct horse"); !ok || who != field(t, w2, "id") {
			t.Errorf("signed in as %q", who)
		}
		if again := w.process(healthy).register("ada@EXAMPLE.com", "another horse", ""); again.Code != http.StatusConflict {
			t.Errorf("a second account: %d %s", again.Code, again.Body)
		}
		w.atRest(t)
	})
}

// TestRegisterOvertaken lets another person register the same address while the
// first registration has gone wrong or stands still.
func TestRegisterOvertaken(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		var first, second *httptest.ResponseRecorder
		var wg sync.WaitGroup
		wg.Go(func() { first = p.register("ada@example.com", "correct horse", "key-1") })
		synctest.Wait()
		wg.Go(func() { second = w.process(healthy).register("ada@example.com", "another horse", "key-2") })
		wg.Wait()
		winner, loser, password := first, second, "correct horse"
		if second.Code == http.StatusCreated {
			winner, loser, password = second, first, "another horse"
		}
		if loser.Code == http.StatusCreated {
			t.Fatalf("both won: %s and %s", first.Body, second.Body)
		}
		// The first may have won without having been told.
		if winner.Code == http.StatusCreated {
			if who, ok := w.pool.SignIn("ada@example.com", password); !ok || who != field(t, winner, "id") {
				t.Errorf("signed in as %q, the account is %s", who, winner.Body)
			}
		} else if second.Code != http.StatusConflict {
			t.Errorf("first %d %s, second %d %s", first.Code, first.Body, second.Code, second.Body)
		}
		w.atRest(t)
	})
}

func TestChangeOfAddressCutShort(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		quiet := w.process(healthy)
		who := field(t, quiet.register("ada@example.com", "correct horse", ""), "id")
		patch := call{user: who, method: "PATCH", path: "/api/users/" + who, match: `"1"`, body: `{"email":"Lovelace@example.com"}`}
		first := send(p, patch)
		repeat := send(w.process(healthy), patch)
		if repeat.Code != http.StatusOK && repeat.Code != http.StatusPreconditionFailed {
			t.Fatalf("first %d %s, repeat %d %s", first.Code, first.Body, repeat.Code, repeat.Body)
		}
		got := send(quiet, call{user: who, method: "GET", path: "/api/users/" + who})
		if field(t, got, "email") != "Lovelace@example.com" || got.Header().Get("ETag") != `"2"` {
			t.Errorf("after the repeat: %s %s", got.Header().Get("ETag"), got.Body)
		}
		if _, ok := w.pool.SignIn("lovelace@example.com", "correct horse"); !ok {
			t.Error("cannot sign in under the new address")
		}
		w.atRest(t)
		if w := quiet.register("ada@example.com", "another horse", ""); w.Code != http.StatusCreated {
			t.Errorf("the old address is not free: %d %s", w.Code, w.Body)
		}
	})
}

// TestChangeOfAddressNotRepeated leaves a broken change alone: whoever wants one
// of its two addresses gets a clear answer, and puts right what was left.
func TestChangeOfAddressNotRepeated(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		quiet := w.process(healthy)
		who := field(t, quiet.register("ada@example.com", "correct horse", ""), "id")
		send(p, call{user: who, method: "PATCH", path: "/api/users/" + who, match: `"1"`, body: `{"email":"lovelace@example.com"}`})
		is := field(t, send(quiet, call{user: who, method: "GET", path: "/api/users/" + who}), "email")
		for _, email := range []string{"ada@example.com", "lovelace@example.com"} {
			w := quiet.register(email, "another horse", "")
			if want := map[bool]int{true: http.StatusConflict, false: http.StatusCreated}[email == is]; w.Code != want {
				t.Errorf("register %s while the account has %s: %d %s", email, is, w.Code, w.Body)
			}
		}
		w.atRest(t)
	})
}

func TestEraseCutShort(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		quiet := w.process(healthy)
		who := field(t, quiet.register("ada@example.com", "correct horse", ""), "id")
		erase := call{user: who, method: "DELETE", path: "/api/users/" + who, match: `"1"`}
		first := send(p, erase)
		if repeat := send(w.process(healthy), erase); repeat.Code != http.StatusNoContent {
			t.Fatalf("first %d %s, repeat %d %s", first.Code, first.Body, repeat.Code, repeat.Body)
		}
		w.atRest(t)
		if left := w.pool.List(); len(left) != 0 {
			t.Errorf("sign-ins %v are left", left)
		}
		for _, text := range w.texts(t) {
			if strings.Contains(text, "OUTBOX#") {
				continue // what was published is the consumers' to forget; it expires
			}
			if strings.Contains(text, "Ada") || strings.Contains(text, "example.com") || strings.Contains(text, users.ClaimKey("ada@example.com")) {
				t.Errorf("left in the table: %s", text)
			}
		}
		if w := quiet.register("ada@example.com", "another horse", ""); w.Code != http.StatusCreated {
			t.Errorf("the address is not free: %d %s", w.Code, w.Body)
		}
	})
}

// TestEraseNotRepeated leaves a broken erasure alone until somebody wants the
// address.
func TestEraseNotRepeated(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		quiet := w.process(healthy)
		who := field(t, quiet.register("ada@example.com", "correct horse", ""), "id")
		send(p, call{user: who, method: "DELETE", path: "/api/users/" + who, match: `"1"`})
		gone := send(quiet, call{user: who, method: "GET", path: "/api/users/" + who}).Code == http.StatusNotFound
		w2 := quiet.register("ada@example.com", "another horse", "")
		if want := map[bool]int{true: http.StatusCreated, false: http.StatusConflict}[gone]; w2.Code != want {
			t.Errorf("register while erased is %v: %d %s", gone, w2.Code, w2.Body)
		}
		w.atRest(t)
	})
}

// everyFault runs a test for each fault at each step of the request it makes
// with p, until a step is beyond the last. Time is the bubble's own.
func everyFault(t *testing.T, test func(t *testing.T, w *world, p *process)) {
	for f := none + 1; f < nFaults; f++ {
		for step, reached := 1, true; reached; step++ {
			t.Run(fmt.Sprintf("%s at %d", f, step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for _, lax := range []bool{false, true} {
						w := newWorld()
						w.pool.Lax = lax
						p := w.process(once(step, f))
						test(t, w, p)
						reached = p.steps >= step
					}
				})
			})
		}
	}
}

// TestTwoChanges lets a user change the address twice, the first time from a
// process in trouble.
func TestTwoChanges(t *testing.T) {
	everyFault(t, func(t *testing.T, w *world, p *process) {
		quiet := w.process(healthy)
		who := field(t, quiet.register("ada@example.com", "correct horse", ""), "id")
		path := "/api/users/" + who
		var wg sync.WaitGroup
		wg.Go(func() {
			send(p, call{user: who, method: "PATCH", path: path, match: `"1"`, body: `{"email":"first@example.com"}`})
		})
		synctest.Wait()
		tag := send(quiet, call{user: who, method: "GET", path: path}).Header().Get("ETag")
		second := send(quiet, call{user: who, method: "PATCH", path: path, match: tag, body: `{"email":"second@example.com"}`})
		wg.Wait()
		if second.Code != http.StatusOK {
			t.Errorf("the second: %d %s", second.Code, second.Body)
		}
		if signedIn, ok := w.pool.SignIn("second@example.com", "correct horse"); !ok || signedIn != who {
			t.Errorf("signed in as %q", signedIn)
		}
		for _, email := range []string{"ada@example.com", "first@example.com"} {
			if a := quiet.register(email, "another horse", ""); a.Code != http.StatusCreated {
				t.Errorf("%s is not free: %d %s", email, a.Code, a.Body)
			}
		}
		w.atRest(t)
	})
}

// TestThreeRegister lets one attempt die, a second stand still for some time, a
// third for longer, and a fourth come late, at every combination of their steps.
func TestThreeRegister(t *testing.T) {
	pausing := func(at int, d time.Duration) func(int) fault {
		return func(step int) fault {
			if step == at {
				time.Sleep(d)
			}
			return none
		}
	}
	for _, refused := range []bool{false, true} {
		for first := range 6 {
			for second := range 13 {
				for third := range 9 {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld()
						passwords := []string{"password 0", "password 1", "password 2", "password 3"}
						if refused {
							passwords[1] = "\x00password" // ends with its reservation released
						}
						processes := []*process{
							w.process(once(first, dies)), w.process(pausing(second, 10*time.Second)),
							w.process(pausing(third, 20*time.Second)), w.process(healthy),
						}
						if refused {
							// It wakes when the third has reserved anew what it once had.
							processes[0] = w.process(pausing(first, 12*time.Second))
						}
						answers := make([]*httptest.ResponseRecorder, len(processes))
						var wg sync.WaitGroup
						for i, p := range processes {
							wg.Go(func() {
								time.Sleep(time.Duration(i) * 5 * time.Second)
								answers[i] = p.register("ada@example.com", passwords[i], "")
							})
						}
						wg.Wait()
						if w := w.process(healthy).register("ada@example.com", "too late", ""); w.Code != http.StatusConflict {
							t.Errorf("there was no winner: %d", w.Code)
						}
						w.atRest(t)
						for i, a := range answers {
							if a.Code != http.StatusCreated {
								continue
							}
							if who, ok := w.pool.SignIn("ada@example.com", passwords[i]); !ok || who != field(t, a, "id") {
								t.Errorf("attempt %d of %v won and cannot sign in", i, []int{first, second, third})
							}
						}
					})
				}
			}
		}
	}
}

// TestOrphans finds sign-ins whose attempts are forgotten: whoever has the claim
// of their address removes them.
func TestOrphans(t *testing.T) {
	w := newWorld()
	p := w.process(healthy)
	who := field(t, p.register("ada@example.com", "correct horse", ""), "id")
	for _, email := range []string{"grace@example.com", "mary@example.com"} {
		if err := w.pool.Create(context.Background(), id.New("usr"), email, "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	if a := p.register("grace@example.com", "another horse", ""); a.Code != http.StatusCreated {
		t.Errorf("register: %d %s", a.Code, a.Body)
	}
	if a := send(p, call{user: who, method: "PATCH", path: "/api/users/" + who, match: `"1"`, body: `{"email":"mary@example.com"}`}); a.Code != http.StatusOK {
		t.Errorf("change: %d %s", a.Code, a.Body)
	}
	w.atRest(t)
}

// TestLostClaim has a table that somebody restored without the claim: nobody
// takes the account of a person who is there.
func TestLostClaim(t *testing.T) {
	w := newWorld()
	p := w.process(healthy)
	who := field(t, p.register("ada@example.com", "correct horse", ""), "id")
	key := table.Key{PK: "EMAIL#" + users.ClaimKey("ada@example.com"), SK: "EMAIL"}
	if err := w.mem.Transact(context.Background(), []table.Op{table.Discard(key)}); err != nil {
		t.Fatal(err)
	}
	if a := p.register("ada@example.com", "another horse", ""); a.Code != http.StatusConflict {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if signedIn, ok := w.pool.SignIn("ada@example.com", "correct horse"); !ok || signedIn != who {
		t.Errorf("signed in as %q", signedIn)
	}
}

// TestStorm lets many people want the same few addresses at the same time, from
// processes of which each
// call may go wrong. However it goes, each address ends with
// at most one account, whose password is that of whoever was told 201.
func TestStorm(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func storm(t *testing.T, random *rand.Rand) {
	const people = 6
	emails := []string{"ada@example.com", "grace@example.com", "mary@example.com"}
	w := newWorld()
	// troubled is a process whose every call takes some time and may go wrong.
	troubled := func() *process {
		source := rand.New(rand.NewPCG(random.Uint64(), 2))
		return w.process(func(int) fault {
			time.Sleep(time.Duration(source.IntN(400)) * time.Millisecond)
			if f := fault(source.IntN(60)); f < nFaults {
				return f
			}
			return none
		})
	}
	answers := make([]*httptest.ResponseRecorder, people)
	var wg sync.WaitGroup
	for i := range people {
		first, second, third := troubled(), troubled(), troubled()
		email, next, last, erases := emails[random.IntN(2)], emails[random.IntN(3)], emails[random.IntN(3)], random.IntN(4) == 0
		delay := time.Duration(random.IntN(2000)) * time.Millisecond
		wg.Go(func() {
			time.Sleep(delay)
			answers[i] = first.register(email, fmt.Sprintf("password %d", i), "")
			if answers[i].Code != http.StatusCreated {
				return
			}
			who := field(t, answers[i], "id")
			path := "/api/users/" + who
			wg.Go(func() {
				send(second, call{user: who, method: "PATCH", path: path, match: `"1"`, body: `{"email":"` + next + `"}`})
			})
			wg.Go(func() {
				time.Sleep(delay)
				tag := send(third, call{user: who, method: "GET", path: path}).Header().Get("ETag")
				if erases {
					send(third, call{user: who, method: "DELETE", path: path, match: tag})
				} else {
					send(third, call{user: who, method: "PATCH", path: path, match: tag, body: `{"email":"` + last + `"}`})
				}
			})
		})
	}
	wg.Wait()
	quiet := w.process(healthy)
	for _, email := range emails {
		if w := quiet.register(email, "correct horse", ""); w.Code != http.StatusCreated && w.Code != http.StatusConflict {
			t.Errorf("register %s after the storm: %d %s", email, w.Code, w.Body)
		}
	}
	w.atRest(t)
	for i, a := range answers {
		if a.Code != http.StatusCreated {
			continue
		}
		who := field(t, a, "id")
		got := send(quiet, call{user: who, method: "GET", path: "/api/users/" + who})
		if got.Code != http.StatusOK {
			continue // erased
		}
		if signedIn, ok := w.pool.SignIn(field(t, got, "email"), fmt.Sprintf("password %d", i)); !ok || signedIn != who {
			t.Errorf("%s cannot sign in: %q", got.Body, signedIn)
		}
	}
}
