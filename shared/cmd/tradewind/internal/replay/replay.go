// Package replay sends archived events to consumers once more: to one that was not
// there when they passed, or to all, to see that nothing comes of it.
//
// EventBridge replays a span of time to all rules or to some, and filters by nothing
// else. So a replay brings its own rules: for each consumer that is meant a copy of its
// standing rule, narrowed to the events that are meant and to what carries this
// replay's name. The standing rules take nothing that carries one. That makes a replay
// reach exactly whom it names, also where the endpoint passes over the list of rules
// that a replay can be given.
//
// What callers can rely on: the rules go away when the replay has ended, however it
// ended; those that a killed run left match nothing any more, and the next run to the
// same consumer removes them. Events may arrive in another order than they passed in,
// and often for the second time; consumers are made for both.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"tradewind/shared/cmd/tradewind/internal/command"
	"tradewind/shared/cmd/tradewind/internal/stage"
	"tradewind/shared/replayrule"
)

// Bus is what is asked of EventBridge.
type Bus interface {
	CancelReplay(context.Context, *eventbridge.CancelReplayInput, ...func(*eventbridge.Options)) (*eventbridge.CancelReplayOutput, error)
	DeleteRule(context.Context, *eventbridge.DeleteRuleInput, ...func(*eventbridge.Options)) (*eventbridge.DeleteRuleOutput, error)
	DescribeArchive(context.Context, *eventbridge.DescribeArchiveInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeArchiveOutput, error)
	DescribeReplay(context.Context, *eventbridge.DescribeReplayInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeReplayOutput, error)
	DescribeRule(context.Context, *eventbridge.DescribeRuleInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeRuleOutput, error)
	ListRuleNamesByTarget(context.Context, *eventbridge.ListRuleNamesByTargetInput, ...func(*eventbridge.Options)) (*eventbridge.ListRuleNamesByTargetOutput, error)
	ListRules(context.Context, *eventbridge.ListRulesInput, ...func(*eventbridge.Options)) (*eventbridge.ListRulesOutput, error)
	ListTargetsByRule(context.Context, *eventbridge.ListTargetsByRuleInput, ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error)
	PutRule(context.Context, *eventbridge.PutRuleInput, ...func(*eventbridge.Options)) (*eventbridge.PutRuleOutput, error)
	PutTargets(context.Context, *eventbridge.PutTargetsInput, ...func(*eventbridge.Options)) (*eventbridge.PutTargetsOutput, error)
	RemoveTargets(context.Context, *eventbridge.RemoveTargetsInput, ...func(*eventbridge.Options)) (*eventbridge.RemoveTargetsOutput, error)
	StartReplay(context.Context, *eventbridge.StartReplayInput, ...func(*eventbridge.Options)) (*eventbridge.StartReplayOutput, error)
}

// Replay is one replay.
type Replay struct {
	Bus     Bus
	BusName string // and that of the archive
	ID      string // see NewID
	Window  stage.Window
	Events  []string // detail types; none means all that a consumer takes

	// Settle is how long a new rule may take until it is followed, and a followed one
	// until it has matched the last event.
	Settle time.Duration
	// Poll is how often to look how far it is.
	Poll time.Duration
	// Note is told how far it is.
	Note func(string)
}

// Consumer is a service to which events are replayed.
type Consumer struct{ Service, QueueARN string }

// Name is the replay's name, and the one its events carry.
func (r *Replay) Name() string { return r.BusName + "-" + r.ID }

// rule is the name of the replay's rule for a service.
func (r *Replay) rule(service string) string { return replayrule.Name(r.BusName, service, r.ID) }

// Result says what was done.
type Result struct {
	State  types.ReplayState
	Reason string
	To     map[string][]string // service to the events it got
}

// Do replays, and waits until it is done. When ctx ends it cancels the replay, and
// waits for that.
func (r *Replay) Do(ctx context.Context, consumers []Consumer) (Result, error) {
	archive, err := r.archive(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, c := range consumers {
		r.sweep(ctx, c.Service)
	}

	plans, err := r.plan(ctx, consumers)
	if err != nil {
		return Result{}, err
	}
	result := Result{To: map[string][]string{}}
	// Whatever happens from here on, the rules are there to be removed.
	lasting := context.WithoutCancel(ctx)
	defer func() { r.remove(lasting, plans) }()
	var rules []string
	for _, p := range plans {
		arn, err := r.make(ctx, p)
		if err != nil {
			return result, fmt.Errorf("make the rule for %s: %w", p.service, err)
		}
		rules = append(rules, arn)
		result.To[p.service] = p.types
	}
	if err := sleep(ctx, r.Settle); err != nil {
		return result, err
	}
	_, err = r.Bus.StartReplay(ctx, &eventbridge.StartReplayInput{
		ReplayName: aws.String(r.Name()), EventSourceArn: archive.ArchiveArn,
		EventStartTime: &r.Window.From, EventEndTime: &r.Window.To,
		Destination: &types.ReplayDestination{Arn: archive.EventSourceArn, FilterArns: rules},
	})
	// The name is this replay's alone: if it exists, an answer was lost on its way here and
	// the client has asked again.
	if _, started := errors.AsType[*types.ResourceAlreadyExistsException](err); err != nil && !started {
		return result, fmt.Errorf("start the replay: %w", err)
	}
	result.State, result.Reason, err = r.watch(ctx)
	if err == nil && result.State == types.ReplayStateCompleted {
		err = sleep(ctx, r.Settle)
	}
	return result, err
}

// archive returns the archive, and an error if it does not keep events for so long.
func (r *Replay) archive(ctx context.Context) (*eventbridge.DescribeArchiveOutput, error) {
	archive, err := r.Bus.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: &r.BusName})
	if err != nil {
		return nil, fmt.Errorf("look at archive %s: %w", r.BusName, err)
	}
	if kept := time.Duration(aws.ToInt32(archive.RetentionDays)) * 24 * time.Hour; kept > 0 && time.Since(r.Window.From) > kept {
		return nil, command.Misused("archive %s keeps events for %d days, and --from=%s is before that", r.BusName, *archive.RetentionDays, r.Window.From.Format(time.RFC3339))
	}
	return archive, nil
}

// Preview says what a replay would do.
type Preview struct {
	Events int64               // in the archive, of all times
	Rules  map[string]string   // service to the standing rule that would be copied
	To     map[string][]string // service to the events it would get
}

// Preview looks at what Do would do, and changes nothing. EventBridge does not tell how
// many events a window holds.
func (r *Replay) Preview(ctx context.Context, consumers []Consumer) (Preview, error) {
	archive, err := r.archive(ctx)
	if err != nil {
		return Preview{}, err
	}
	plans, err := r.plan(ctx, consumers)
	p := Preview{Events: archive.EventCount, Rules: map[string]string{}, To: map[string][]string{}}
	for _, plan := range plans {
		p.Rules[plan.service], p.To[plan.service] = plan.standing, plan.types
	}
	return p, err
}

// plan is a rule to be made.
type plan struct {
	service  string
	standing string // the rule it is a copy of
	types    []string
	pattern  map[string]any
	targets  []types.Target
}

// plan returns the rules for the consumers, and an error when there are none: somebody
// meant something else then.
func (r *Replay) plan(ctx context.Context, consumers []Consumer) ([]plan, error) {
	var plans []plan
	taken := map[string][]string{}
	for _, c := range consumers {
		p, err := r.copy(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("look at the rule of %s: %w", c.Service, err)
		}
		taken[c.Service] = p.types
		if len(r.Events) > 0 {
			p.types = slices.DeleteFunc(slices.Clone(p.types), func(t string) bool { return !slices.Contains(r.Events, t) })
		}
		if len(p.types) == 0 {
			continue
		}
		p.pattern["detail-type"] = p.types
		p.pattern["replay-name"] = []string{r.Name()}
		plans = append(plans, p)
	}
	for _, event := range r.Events {
		if !slices.ContainsFunc(plans, func(p plan) bool { return slices.Contains(p.types, event) }) {
			return nil, command.Misused("--event=%s: none of these consumers takes it: %s", event, listed(taken))
		}
	}
	if len(plans) == 0 {
		return nil, command.Misused("none of these consumers takes any events")
	}
	return plans, nil
}

// copy returns what a consumer's standing rule does.
func (r *Replay) copy(ctx context.Context, c Consumer) (plan, error) {
	names, err := r.Bus.ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: &c.QueueARN, EventBusName: &r.BusName})
	if err != nil {
		return plan{}, err
	}
	standing := slices.DeleteFunc(names.RuleNames, func(name string) bool { return strings.HasPrefix(name, replayrule.Name(r.BusName, c.Service, "")) })
	if len(standing) != 1 {
		return plan{}, fmt.Errorf("%s has %d rules on bus %s, not one", c.QueueARN, len(standing), r.BusName)
	}
	rule, err := r.Bus.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &standing[0], EventBusName: &r.BusName})
	if err != nil {
		return plan{}, err
	}
	p := plan{service: c.Service, standing: standing[0]}
	if err := json.Unmarshal([]byte(aws.ToString(rule.EventPattern)), &p.pattern); err != nil {
		return plan{}, fmt.Errorf("pattern of rule %s: %w", standing[0], err)
	}
	listed, _ := p.pattern["detail-type"].([]any)
	for _, t := range listed {
		if name, ok := t.(string); ok {
			p.types = append(p.types, name)
		}
	}
	targets, err := r.Bus.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &standing[0], EventBusName: &r.BusName})
	if err != nil {
		return plan{}, err
	}
	p.targets = targets.Targets
	return p, nil
}

func listed(taken map[string][]string) string {
	var parts []string
	for service, types := range taken {
		parts = append(parts, service+" takes "+strings.Join(types, ", "))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// make makes a rule and returns its ARN.
func (r *Replay) make(ctx context.Context, p plan) (string, error) {
	pattern, err := json.Marshal(p.pattern)
	if err != nil {
		return "", err
	}
	name := r.rule(p.service)
	rule, err := r.Bus.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &name, EventBusName: &r.BusName, EventPattern: aws.String(string(pattern)), State: types.RuleStateEnabled,
		Description: aws.String("Replay " + r.Name() + "; to be removed with it"),
	})
	if err != nil {
		return "", err
	}
	put, err := r.Bus.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &r.BusName, Targets: p.targets})
	if err == nil && put.FailedEntryCount > 0 {
		err = fmt.Errorf("target refused: %s", aws.ToString(put.FailedEntries[0].ErrorMessage))
	}
	return aws.ToString(rule.RuleArn), err
}

// watch waits until the replay has ended, and cancels it when ctx ends before.
func (r *Replay) watch(ctx context.Context) (types.ReplayState, string, error) {
	lasting := context.WithoutCancel(ctx)
	name := aws.String(r.Name())
	var cancelled error
	for {
		now, err := r.Bus.DescribeReplay(lasting, &eventbridge.DescribeReplayInput{ReplayName: name})
		if err != nil {
			return "", "", fmt.Errorf("look at replay %s: %w", *name, err)
		}
		switch reason := aws.ToString(now.StateReason); now.State {
		case types.ReplayStateCompleted, types.ReplayStateCancelled:
			return now.State, reason, cancelled
		case types.ReplayStateFailed:
			return now.State, reason, fmt.Errorf("replay %s failed: %s", *name, reason)
		}
		r.Note(r.progress(now))
		if cancelled != nil {
			time.Sleep(r.Poll)
			continue
		}
		if cancelled = sleep(ctx, r.Poll); cancelled != nil {
			r.Note("cancelling")
			if _, err := r.Bus.CancelReplay(lasting, &eventbridge.CancelReplayInput{ReplayName: name}); err != nil {
				// It may have ended in this moment; if not, nothing more can be done from here.
				return r.ended(lasting, *name, err)
			}
		}
	}
}

// ended returns the state of a replay that would not be cancelled.
func (r *Replay) ended(ctx context.Context, name string, why error) (types.ReplayState, string, error) {
	now, err := r.Bus.DescribeReplay(ctx, &eventbridge.DescribeReplayInput{ReplayName: &name})
	if err == nil && now.State == types.ReplayStateCompleted {
		return now.State, "", context.Canceled
	}
	return "", "", fmt.Errorf("replay %s goes on, for it cannot be cancelled: %w", name, errors.Join(why, err))
}

// progress is how much of the window's time has been replayed.
func (r *Replay) progress(now *eventbridge.DescribeReplayOutput) string {
	text := strings.ToLower(string(now.State))
	if last := now.EventLastReplayedTime; last != nil {
		part := float64(last.Sub(r.Window.From)) / float64(r.Window.To.Sub(r.Window.From))
		text += fmt.Sprintf(", %.0f %% of the time, up to %s", 100*min(max(part, 0), 1), last.UTC().Format(time.RFC3339))
	}
	return text
}

// remove removes the rules of plans. What is left matches nothing any more, and goes
// the next time.
func (r *Replay) remove(ctx context.Context, plans []plan) {
	for _, p := range plans {
		if err := r.drop(ctx, r.rule(p.service)); err != nil {
			r.Note(fmt.Sprintf("rule %s is left: %v", r.rule(p.service), err))
		}
	}
}

func (r *Replay) drop(ctx context.Context, rule string) error {
	targets, err := r.Bus.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &rule, EventBusName: &r.BusName})
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var ids []string
	for _, t := range targets.Targets {
		ids = append(ids, aws.ToString(t.Id))
	}
	if len(ids) > 0 {
		if _, err := r.Bus.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &rule, EventBusName: &r.BusName, Ids: ids}); err != nil {
			return err
		}
	}
	_, err = r.Bus.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &rule, EventBusName: &r.BusName})
	return err
}

func absent(err error) bool {
	_, is := errors.AsType[*types.ResourceNotFoundException](err)
	return is
}

// sweep removes the rules for a service of replays that have ended and left them.
func (r *Replay) sweep(ctx context.Context, service string) {
	prefix := replayrule.Name(r.BusName, service, "")
	left, err := r.Bus.ListRules(ctx, &eventbridge.ListRulesInput{EventBusName: &r.BusName, NamePrefix: &prefix})
	if err != nil {
		return // another run will do
	}
	for _, rule := range left.Rules {
		name := aws.ToString(rule.Name)
		id := strings.TrimPrefix(name, prefix)
		of, err := r.Bus.DescribeReplay(ctx, &eventbridge.DescribeReplayInput{ReplayName: aws.String(r.BusName + "-" + id)})
		if absent(err) && time.Since(born(id)) > stale || err == nil && over(of) {
			r.Note("removing rule " + name + ", which an earlier run left")
			_ = r.drop(ctx, name)
		}
	}
}

// stale is how long rules are left alone that a run at work may still need.
const stale = time.Hour

// over reports whether a replay ended so long ago that its rules have done their work.
func over(of *eventbridge.DescribeReplayOutput) bool {
	return of.ReplayEndTime != nil && time.Since(*of.ReplayEndTime) > stale
}

// NewID returns an id for a replay that begins now.
func NewID(now time.Time) string {
	return strconv.FormatInt(now.Unix(), 36) + strconv.FormatInt(rand.N[int64](36*36), 36)
}

// bornLen is the part of an id that tells the time. It will do until 2038.
const bornLen = 6

// born is when an id was made.
func born(id string) time.Time {
	if len(id) < bornLen {
		return time.Time{}
	}
	seconds, _ := strconv.ParseInt(id[:bornLen], 36, 64) // what is no id is old
	return time.Unix(seconds, 0)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
