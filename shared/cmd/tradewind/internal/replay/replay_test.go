package replay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/cmd/tradewind/internal/stage"
)

var takes = map[string][]string{
	"inventory":     {"product.created", "order.created", "order.confirmed"},
	"notifications": {"order.created", "order.confirmed"},
	"sales":         {"order.confirmed"},
}

// day is what the archive holds of it.
var day = []map[string]string{
	{"source": "catalog", "detail-type": "product.created"},
	{"source": "orders", "detail-type": "order.created"},
	{"source": "orders", "detail-type": "order.confirmed"},
	{"source": "orders", "detail-type": "order.forgotten"},
}

func newReplay(b *bus, events ...string) (*Replay, *[]string) {
	var notes []string
	now := time.Now()
	return &Replay{
		Bus: b, BusName: shop, ID: "t0a1b2c3d4", Window: stage.Window{From: now.Add(-time.Hour), To: now}, Events: events,
		Settle: time.Minute, Poll: time.Second, Note: func(text string) { notes = append(notes, text) },
	}, &notes
}

// standing are the names of the rules that should be there when nothing is replayed.
func standing(b *bus) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.rules)), func(name string) bool { return strings.HasPrefix(name, "standing-") })
}

// TestReaches replays to some consumers, on a bus that knows for which rules a replay
// is and on one that does not, and looks who gets what.
func TestReaches(t *testing.T) {
	tests := map[string]struct {
		consumers []string
		events    []string
		want      map[string][]string // queue to events
	}{
		"all": {[]string{"inventory", "notifications", "sales"}, nil, map[string][]string{
			"arn:queue:inventory": {"product.created", "order.created", "order.confirmed"}, "arn:queue:notifications": {"order.created", "order.confirmed"},
			"arn:queue:sales": {"order.confirmed"},
		}},
		"one consumer": {[]string{"sales"}, nil, map[string][]string{"arn:queue:sales": {"order.confirmed"}}},
		"one event": {[]string{"inventory", "notifications", "sales"}, []string{"order.created"}, map[string][]string{
			"arn:queue:inventory": {"order.created"}, "arn:queue:notifications": {"order.created"},
		}},
		"one of each": {[]string{"inventory"}, []string{"product.created", "order.confirmed"}, map[string][]string{
			"arn:queue:inventory": {"product.created", "order.confirmed"},
		}},
	}
	for name, test := range tests {
		for where, everyone := range map[string]bool{"aws": false, "local": true} {
			t.Run(name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, all := newBus(takes)
					b.archive, b.everyone = day, everyone
					r, _ := newReplay(b, test.events...)
					meant := slices.DeleteFunc(all, func(c Consumer) bool { return !slices.Contains(test.consumers, c.Service) })
					result, err := r.Do(t.Context(), meant)
					if err != nil || result.State != types.ReplayStateCompleted {
						t.Fatalf("%+v, %v", result, err)
					}
					if diff := cmp.Diff(test.want, b.got); diff != "" {
						t.Errorf("arrived (-want +got):\n%s", diff)
					}
					if left := standing(b); len(left) > 0 {
						t.Errorf("left: %v", left)
					}
				})
			})
		}
	}
}

// TestStartsOnce has the answer to the start lost, and the client ask again.
func TestStartsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, all := newBus(takes)
		b.refuse["StartReplay, again"] = &types.ResourceAlreadyExistsException{Message: aws.String("Replay already exists.")}
		r, _ := newReplay(b)
		result, err := r.Do(t.Context(), all[2:])
		if err != nil || result.State != types.ReplayStateCompleted {
			t.Errorf("%s, %v", result.State, err)
		}
	})
}

// TestAsksFor looks at what a replay asks EventBridge for, which the bus of these tests
// may be too good-natured to refuse.
func TestAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, all := newBus(takes)
		r, notes := newReplay(b)
		deadLetters := ""
		r.Note = func(text string) {
			*notes = append(*notes, text)
			deadLetters = *b.rules[shop+"-sales-replay-t0a1b2c3d4"].targets[0].DeadLetterConfig.Arn
		}
		start := time.Now()
		if _, err := r.Do(t.Context(), all[2:]); err != nil {
			t.Fatal(err)
		}
		want := &eventbridge.StartReplayInput{
			ReplayName: aws.String(shop + "-t0a1b2c3d4"), EventSourceArn: aws.String("arn:archive/" + shop),
			EventStartTime: &r.Window.From, EventEndTime: &r.Window.To,
			Destination: &types.ReplayDestination{Arn: aws.String("arn:bus/" + shop), FilterArns: []string{arn(shop + "-sales-replay-t0a1b2c3d4")}},
		}
		if diff := cmp.Diff(want.Destination.FilterArns, b.started.Destination.FilterArns); diff != "" || *b.started.ReplayName != *want.ReplayName ||
			*b.started.EventSourceArn != *want.EventSourceArn || *b.started.Destination.Arn != *want.Destination.Arn ||
			!b.started.EventStartTime.Equal(*want.EventStartTime) || !b.started.EventEndTime.Equal(*want.EventEndTime) {
			t.Errorf("started %+v", b.started)
		}
		if deadLetters != "arn:dlq:sales" {
			t.Errorf("what the rule cannot deliver goes to %q", deadLetters)
		}
		if took := time.Since(start); took < 2*r.Settle {
			t.Errorf("took %v: a rule is followed after a while only, and then needs a while for the last event", took)
		}
		if diff := cmp.Diff([]string{"50 % of the time"}, progress(*notes)); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
}

func progress(notes []string) []string {
	var found []string
	for _, note := range notes {
		if _, rest, ok := strings.Cut(note, "running, "); ok {
			part, _, _ := strings.Cut(rest, ", up to ")
			found = append(found, part)
		}
	}
	return slices.Compact(found)
}

// TestJustBegun: a replay that has not replayed anything has no time of its last event.
func TestJustBegun(t *testing.T) {
	r, _ := newReplay(nil)
	if got := r.progress(&eventbridge.DescribeReplayOutput{State: types.ReplayStateStarting}); got != "starting" {
		t.Errorf("got %q", got)
	}
}

func TestNobodyMeant(t *testing.T) {
	b, all := newBus(takes)
	r, _ := newReplay(b, "order.created", "product.created")
	if _, err := r.Do(t.Context(), all[1:2]); err == nil || !strings.Contains(err.Error(), "product.created: none of these consumers takes it: notifications takes order.created, order.confirmed") {
		t.Errorf("got %v, want an error that says who takes what", err)
	}
	if b.started != nil || len(standing(b)) > 0 {
		t.Error("something was begun all the same")
	}
	b, all = newBus(takes)
	r, _ = newReplay(b)
	r.Window.From = time.Now().Add(-15 * 24 * time.Hour)
	if _, err := r.Do(t.Context(), all); err == nil || !strings.Contains(err.Error(), "14 days") {
		t.Errorf("got %v, want an error that says how long events are kept", err)
	}
	delete(b.rules, "standing-sales")
	r, _ = newReplay(b)
	if _, err := r.Do(t.Context(), all); err == nil || !strings.Contains(err.Error(), "arn:queue:sales has 0 rules") {
		t.Errorf("got %v, want an error about the rule", err)
	}
}

// TestInterrupted cancels a replay and waits until it is.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, all := newBus(takes)
		b.archive, b.looks = day, 100
		r, notes := newReplay(b)
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(r.Settle+5*time.Second, interrupt)
		result, err := r.Do(ctx, all)
		if !errors.Is(err, context.Canceled) || result.State != types.ReplayStateCancelled {
			t.Errorf("got %+v, %v", result, err)
		}
		if !slices.Contains(*notes, "cancelling") || len(b.got) > 0 || len(standing(b)) > 0 {
			t.Errorf("notes %v, arrived %v, left %v", *notes, b.got, standing(b))
		}
	})
}

// TestGoesWrong: however it ends, no rule stays behind.
func TestGoesWrong(t *testing.T) {
	no := errors.New("not allowed")
	tests := map[string]struct {
		set  func(*bus)
		want string
	}{
		"no archive": {func(b *bus) {
			b.refuse["DescribeArchive"] = &types.ResourceNotFoundException{Message: aws.String("Archive tradewind-dev does not exist.")}
		}, "Archive tradewind-dev does not exist."},
		"no rule":          {func(b *bus) { b.refuse["PutRule"] = no }, "make the rule for inventory: not allowed"},
		"no target":        {func(b *bus) { b.refuse["PutTargets"] = no }, "make the rule for inventory: not allowed"},
		"does not start":   {func(b *bus) { b.refuse["StartReplay"] = no }, "start the replay: not allowed"},
		"fails":            {func(b *bus) { b.ends = types.ReplayStateFailed }, "failed: because"},
		"interrupted soon": {func(*bus) {}, "context canceled"},
		"not cancelled":    {func(b *bus) { b.refuse["CancelReplay"], b.looks = no, 100 }, "goes on"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, all := newBus(takes)
				test.set(b)
				r, _ := newReplay(b)
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				switch name {
				case "interrupted soon":
					interrupt()
				case "not cancelled":
					time.AfterFunc(r.Settle+5*time.Second, interrupt)
				}
				if _, err := r.Do(ctx, all); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				if left := standing(b); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			})
		})
	}
}

// TestLeftBehind: a killed run leaves its rules; they go when its replay is over.
func TestLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, all := newBus(takes)
		ago := func(d time.Duration) *eventbridge.DescribeReplayOutput {
			return &eventbridge.DescribeReplayOutput{State: types.ReplayStateCompleted, ReplayEndTime: aws.Time(time.Now().Add(-d))}
		}
		b.replays[shop+"-over"], b.replays[shop+"-just"] = ago(2*time.Hour), ago(time.Minute)
		b.replays[shop+"-on"] = &eventbridge.DescribeReplayOutput{State: types.ReplayStateRunning}
		young, old := NewID(time.Now().Add(-time.Minute)), NewID(time.Now().Add(-2*time.Hour))
		for _, id := range []string{"over", "just", "on", young, old} {
			b.rules[shop+"-sales-replay-"+id] = &rule{"{}", []types.Target{{Id: aws.String("queue"), Arn: aws.String("arn:queue:sales")}}}
		}
		r, _ := newReplay(b)
		if _, err := r.Do(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		want := []string{shop + "-sales-replay-" + young, shop + "-sales-replay-just", shop + "-sales-replay-on"}
		slices.Sort(want)
		if diff := cmp.Diff(want, standing(b)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// The longest names there can be must do for EventBridge.
func TestNamesFit(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	r := Replay{BusName: "tradewind-" + strings.Repeat("s", 8), ID: NewID(now)}
	if !born(r.ID).Equal(now) {
		t.Errorf("id %s is of %v, not %v", r.ID, born(r.ID), now)
	}
	if n := len(r.rule(strings.Repeat("x", 20))); n > 64 {
		t.Errorf("a rule's name has %d characters", n)
	}
	if n := len(r.Name()); n > 64 {
		t.Errorf("a replay's name has %d characters", n)
	}
}
