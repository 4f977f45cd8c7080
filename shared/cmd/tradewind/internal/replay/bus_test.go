package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
)

// bus is an event bus with an archive. Its replays go on while they are looked at. What
// it refuses it refuses as recorded on AWS on 2025-03-12.
type bus struct {
	archive  []map[string]string // events: source, detail-type
	everyone bool                // passes over the rules a replay is for, as the local endpoint does
	ends     types.ReplayState   // how a replay ends that is not cancelled
	looks    int                 // how often it is looked at before
	refuse   map[string]error    // operation to the error it answers

	rules   map[string]*rule
	replays map[string]*eventbridge.DescribeReplayOutput
	started *eventbridge.StartReplayInput
	got     map[string][]string // queue to the events in it
}

type rule struct {
	pattern string
	targets []types.Target
}

const shop = "tradewind-dev"

// newBus is a bus with consumers of events, each with its standing rule.
func newBus(consumers map[string][]string) (*bus, []Consumer) {
	b := &bus{ends: types.ReplayStateCompleted, looks: 2, refuse: map[string]error{}, rules: map[string]*rule{},
		replays: map[string]*eventbridge.DescribeReplayOutput{}, got: map[string][]string{}}
	var all []Consumer
	for _, service := range slices.Sorted(maps.Keys(consumers)) {
		pattern, _ := json.Marshal(map[string]any{
			"source": []string{"orders", "catalog"}, "detail-type": consumers[service], "replay-name": []any{map[string]bool{"exists": false}},
		})
		queue := "arn:queue:" + service
		b.rules["standing-"+service] = &rule{string(pattern), []types.Target{{
			Id: aws.String("queue"), Arn: &queue, DeadLetterConfig: &types.DeadLetterConfig{Arn: aws.String("arn:dlq:" + service)},
		}}}
		all = append(all, Consumer{service, queue})
	}
	return b, all
}

func arn(rule string) string { return "arn:rule/" + shop + "/" + rule }

// dispatch gives an event to the queues of the rules that match it.
func (b *bus) dispatch(event map[string]string, among []string) {
	for name, r := range b.rules {
		if !b.everyone && len(among) > 0 && !slices.Contains(among, arn(name)) {
			continue
		}
		var pattern map[string][]any
		if err := json.Unmarshal([]byte(r.pattern), &pattern); err != nil {
			panic(err)
		}
		if matches(pattern, event) {
			for _, t := range r.targets {
				if !letsIn(*t.Arn, name) {
					continue
				}
				b.got[*t.Arn] = append(b.got[*t.Arn], event["detail-type"])
			}
		}
	}
}

// letsIn is what a queue's policy says to the rule with a name. What it refuses
// EventBridge drops, for the policy of the queue for such events says the same.
func letsIn(queue, rule string) bool {
	service := strings.TrimPrefix(queue, "arn:queue:")
	return rule == "standing-"+service || strings.HasPrefix(rule, shop+"-"+service+"-replay-")
}

func matches(pattern map[string][]any, event map[string]string) bool {
	for field, values := range pattern {
		value, there := event[field]
		ok := slices.ContainsFunc(values, func(want any) bool {
			if exists, is := want.(map[string]any); is {
				return exists["exists"] == there
			}
			return there && want == value
		})
		if !ok {
			return false
		}
	}
	return true
}

func (b *bus) DescribeArchive(_ context.Context, in *eventbridge.DescribeArchiveInput, _ ...func(*eventbridge.Options)) (*eventbridge.DescribeArchiveOutput, error) {
	return &eventbridge.DescribeArchiveOutput{
		ArchiveArn: aws.String("arn:archive/" + *in.ArchiveName), EventSourceArn: aws.String("arn:bus/" + shop), RetentionDays: aws.Int32(14),
	}, b.refuse["DescribeArchive"]
}

func (b *bus) ListRuleNamesByTarget(_ context.Context, in *eventbridge.ListRuleNamesByTargetInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListRuleNamesByTargetOutput, error) {
	out := &eventbridge.ListRuleNamesByTargetOutput{}
	for name, r := range b.rules {
		if slices.ContainsFunc(r.targets, func(t types.Target) bool { return *t.Arn == *in.TargetArn }) {
			out.RuleNames = append(out.RuleNames, name)
		}
	}
	return out, nil
}

func (b *bus) DescribeRule(_ context.Context, in *eventbridge.DescribeRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.DescribeRuleOutput, error) {
	return &eventbridge.DescribeRuleOutput{EventPattern: &b.rules[*in.Name].pattern}, nil
}

func (b *bus) ListRules(_ context.Context, in *eventbridge.ListRulesInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListRulesOutput, error) {
	out := &eventbridge.ListRulesOutput{}
	for name := range b.rules {
		if strings.HasPrefix(name, *in.NamePrefix) {
			out.Rules = append(out.Rules, types.Rule{Name: aws.String(name)})
		}
	}
	return out, nil
}

func (b *bus) ListTargetsByRule(_ context.Context, in *eventbridge.ListTargetsByRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error) {
	r := b.rules[*in.Rule]
	if r == nil {
		return nil, &types.ResourceNotFoundException{}
	}
	return &eventbridge.ListTargetsByRuleOutput{Targets: r.targets}, nil
}

func (b *bus) PutRule(_ context.Context, in *eventbridge.PutRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutRuleOutput, error) {
	if err := b.refuse["PutRule"]; err != nil {
		return nil, err
	}
	if len(*in.Name) > 64 {
		return nil, fmt.Errorf("%s is too long a name", *in.Name)
	}
	b.rules[*in.Name] = &rule{pattern: *in.EventPattern}
	return &eventbridge.PutRuleOutput{RuleArn: aws.String(arn(*in.Name))}, nil
}

func (b *bus) PutTargets(_ context.Context, in *eventbridge.PutTargetsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutTargetsOutput, error) {
	b.rules[*in.Rule].targets = in.Targets
	return &eventbridge.PutTargetsOutput{}, b.refuse["PutTargets"]
}

func (b *bus) RemoveTargets(_ context.Context, in *eventbridge.RemoveTargetsInput, _ ...func(*eventbridge.Options)) (*eventbridge.RemoveTargetsOutput, error) {
	b.rules[*in.Rule].targets = nil
	return &eventbridge.RemoveTargetsOutput{}, nil
}

func (b *bus) DeleteRule(_ context.Context, in *eventbridge.DeleteRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.DeleteRuleOutput, error) {
	if len(b.rules[*in.Name].targets) > 0 {
		return nil, &smithy.GenericAPIError{Code: "ValidationException", Message: "Rule can't be deleted since it has targets."}
	}
	delete(b.rules, *in.Name)
	return &eventbridge.DeleteRuleOutput{}, nil
}

func (b *bus) StartReplay(_ context.Context, in *eventbridge.StartReplayInput, _ ...func(*eventbridge.Options)) (*eventbridge.StartReplayOutput, error) {
	if err := b.refuse["StartReplay"]; err != nil {
		return nil, err
	}
	if len(*in.ReplayName) > 64 {
		return nil, fmt.Errorf("%s is too long a name", *in.ReplayName)
	}
	b.started = in
	b.replays[*in.ReplayName] = &eventbridge.DescribeReplayOutput{State: types.ReplayStateStarting}
	return &eventbridge.StartReplayOutput{}, b.refuse["StartReplay, again"]
}

func (b *bus) DescribeReplay(_ context.Context, in *eventbridge.DescribeReplayInput, _ ...func(*eventbridge.Options)) (*eventbridge.DescribeReplayOutput, error) {
	now := b.replays[*in.ReplayName]
	switch {
	case now == nil:
		return nil, &types.ResourceNotFoundException{}
	case now.State == types.ReplayStateCancelling:
		if b.looks--; b.looks <= 0 {
			now.State = types.ReplayStateCancelled
		}
	case b.started == nil || *b.started.ReplayName != *in.ReplayName: // another run's
	case now.State == types.ReplayStateCancelled || now.State == b.ends:
	case b.looks > 0:
		b.looks--
		now.State = types.ReplayStateRunning
		now.EventLastReplayedTime = aws.Time(b.started.EventStartTime.Add(b.started.EventEndTime.Sub(*b.started.EventStartTime) / 2))
	default:
		now.State, now.StateReason, now.ReplayEndTime = b.ends, aws.String("because"), aws.Time(time.Now())
		for _, event := range b.archive {
			replayed := maps.Clone(event)
			replayed["replay-name"] = *in.ReplayName
			b.dispatch(replayed, b.started.Destination.FilterArns)
		}
	}
	return now, nil
}

func (b *bus) CancelReplay(_ context.Context, in *eventbridge.CancelReplayInput, _ ...func(*eventbridge.Options)) (*eventbridge.CancelReplayOutput, error) {
	if err := b.refuse["CancelReplay"]; err != nil {
		return nil, err
	}
	b.replays[*in.ReplayName].State, b.looks = types.ReplayStateCancelling, 3
	return &eventbridge.CancelReplayOutput{}, nil
}
