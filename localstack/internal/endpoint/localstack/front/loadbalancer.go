package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// loadBalancer is what the lender's API says of a load balancer.
type loadBalancer struct {
	name   string
	rules  []rule // in the order in which they are tried
	nobody fixed  // what the listener answers when no rule fits
}

// rule is a listener rule; no patterns of a kind mean any.
type rule struct {
	priority     int
	hosts, paths []string
	group        *targetGroup
}

// targetGroup has one target at most: a function, or the address of a server.
type targetGroup struct {
	arn      string
	function *target
	address  *url.URL
	multi    bool // multi-value headers
}

// fixed is a fixed response of the listener.
type fixed struct {
	status            int
	contentType, body string
}

// changed forgets what is known of the load balancer when a request may have changed it:
// one of its API, or of CloudFormation.
func (f *Front) changed(r *http.Request) {
	if !scoped(r, "elasticloadbalancing") && !scoped(r, "cloudformation") {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.balanced = nil
	f.changes++
}

// loadBalancer returns a load balancer as it is.
func (f *Front) loadBalancer(ctx context.Context, name string) (*loadBalancer, error) {
	f.mu.Lock()
	known, changes := f.balanced, f.changes
	f.mu.Unlock()
	if known != nil && known.name == name {
		return known, nil
	}
	lb, err := f.readLoadBalancer(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("load balancer %s: %w", name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if changes == f.changes { // or it may be what it was
		f.balanced = lb
	}
	return lb, nil
}

func (f *Front) readLoadBalancer(ctx context.Context, name string) (*loadBalancer, error) {
	found, err := f.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{name}})
	if err != nil {
		return nil, err
	}
	if len(found.LoadBalancers) != 1 {
		return nil, errors.New("it is not there")
	}
	listeners, err := f.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: found.LoadBalancers[0].LoadBalancerArn})
	if err != nil {
		return nil, err
	}
	if len(listeners.Listeners) != 1 {
		return nil, fmt.Errorf("it has %d listeners, and one is played", len(listeners.Listeners))
	}
	lb := &loadBalancer{name: name}
	if lb.nobody, err = fixedResponse(listeners.Listeners[0].DefaultActions); err != nil {
		return nil, err
	}
	groups, err := f.targetGroups(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := f.elb.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: listeners.Listeners[0].ListenerArn})
	if err != nil {
		return nil, err
	}
	for _, r := range rules.Rules {
		if aws.ToBool(r.IsDefault) {
			continue
		}
		read, err := readRule(r, groups)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", aws.ToString(r.RuleArn), err)
		}
		lb.rules = append(lb.rules, read)
	}
	slices.SortFunc(lb.rules, func(a, b rule) int { return a.priority - b.priority })
	return lb, nil
}

func fixedResponse(actions []types.Action) (fixed, error) {
	if len(actions) != 1 || actions[0].FixedResponseConfig == nil {
		return fixed{}, errors.New("a listener is played with one default action, a fixed response")
	}
	c := actions[0].FixedResponseConfig
	status, err := strconv.Atoi(aws.ToString(c.StatusCode))
	return fixed{status, aws.ToString(c.ContentType), aws.ToString(c.MessageBody)}, err
}

// hostCondition is what AWS takes as a value of a host condition. MiniStack takes any.
var hostCondition = regexp.MustCompile(`^[A-Za-z0-9.*?-]*\.[A-Za-z]+$`)

func readRule(r types.Rule, groups map[string]*targetGroup) (rule, error) {
	priority, err := strconv.Atoi(aws.ToString(r.Priority))
	if err != nil {
		return rule{}, err
	}
	read := rule{priority: priority}
	for _, c := range r.Conditions {
		values := c.Values
		switch aws.ToString(c.Field) {
		case "host-header":
			if c.HostHeaderConfig != nil {
				values = c.HostHeaderConfig.Values
			}
			for _, v := range values {
				if !hostCondition.MatchString(v) || len(v) > 128 {
					return rule{}, fmt.Errorf("AWS refuses the host condition %q: it takes at most 128 of A-Z a-z 0-9 - . * ?, with a dot and only letters behind the last", v)
				}
				read.hosts = append(read.hosts, strings.ToLower(v))
			}
		case "path-pattern":
			if c.PathPatternConfig != nil {
				values = c.PathPatternConfig.Values
			}
			read.paths = values
		default:
			return rule{}, fmt.Errorf("the condition %q is not played", aws.ToString(c.Field))
		}
	}
	if len(r.Actions) != 1 || r.Actions[0].Type != types.ActionTypeEnumForward {
		return rule{}, errors.New("a rule is played with one action, a forward")
	}
	if read.group = groups[aws.ToString(r.Actions[0].TargetGroupArn)]; read.group == nil {
		return rule{}, errors.New("its target group is not there")
	}
	return read, nil
}

// targetGroups reads all target groups, by their ARNs.
func (f *Front) targetGroups(ctx context.Context) (map[string]*targetGroup, error) {
	all, err := f.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{})
	if err != nil {
		return nil, err
	}
	groups := map[string]*targetGroup{}
	for _, g := range all.TargetGroups {
		group, err := f.targetGroup(ctx, g)
		if err != nil {
			return nil, fmt.Errorf("target group %s: %w", aws.ToString(g.TargetGroupName), err)
		}
		groups[group.arn] = group
	}
	return groups, nil
}

func (f *Front) targetGroup(ctx context.Context, g types.TargetGroup) (*targetGroup, error) {
	group := &targetGroup{arn: aws.ToString(g.TargetGroupArn)}
	attributes, err := f.elb.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		return nil, err
	}
	for _, a := range attributes.Attributes {
		if aws.ToString(a.Key) == "lambda.multi_value_headers.enabled" {
			group.multi = aws.ToString(a.Value) == "true"
		}
	}
	targets, err := f.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
	if err != nil {
		return nil, err
	}
	switch n := len(targets.TargetHealthDescriptions); n {
	case 0:
		return group, nil
	case 1:
	default:
		return nil, fmt.Errorf("%d targets, and one is played", n)
	}
	at := targets.TargetHealthDescriptions[0].Target
	switch g.TargetType {
	case types.TargetTypeEnumLambda:
		function, err := functionOf(aws.ToString(at.Id))
		group.function = &function
		return group, err
	case types.TargetTypeEnumIp:
		port := aws.ToInt32(at.Port)
		if port == 0 {
			port = aws.ToInt32(g.Port)
		}
		group.address = &url.URL{Scheme: "http", Host: net.JoinHostPort(aws.ToString(at.Id), strconv.Itoa(int(port)))}
		return group, nil
	default:
		return nil, fmt.Errorf("targets of type %q are not played", g.TargetType)
	}
}

// functionOf reads arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER].
func functionOf(arn string) (target, error) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || parts[5] != "function" {
		return target{}, fmt.Errorf("%s is no function", arn)
	}
	t := target{function: parts[6]}
	if len(parts) > 7 {
		t.qualifier = parts[7]
	}
	return t, nil
}
