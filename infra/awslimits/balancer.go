package awslimits

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// conditions yields the values of a listener rule's conditions of one kind, by path.
func conditions(rule located, config string, visit func(path, value string)) {
	for i := range rule.list("Conditions") {
		path := fmt.Sprintf("Conditions/%d/%s/Values", i, config)
		for j, v := range rule.list(path) {
			if s, exact := text(v); exact {
				visit(fmt.Sprint(path, "/", j), s)
			}
		}
	}
}

// hostCondition has at least one dot, and behind the last dot letters only.
var hostCondition = regexp.MustCompile(`^[A-Za-z0-9.*?-]*\.[A-Za-z]+$`)

func hostConditions(s Stage, report report) {
	for r := range s.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
		conditions(r, "HostHeaderConfig", func(path, host string) {
			if !hostCondition.MatchString(host) || len(host) > 128 {
				report(r, path, "is %q: take at most 128 letters, digits, hyphens, wildcards and dots, with letters only behind the last dot", host)
			}
		})
	}
}

var pathCondition = regexp.MustCompile(`^[A-Za-z0-9_.$/~"'@:+&*?-]{1,128}$`)

func pathConditions(s Stage, report report) {
	for r := range s.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
		conditions(r, "PathPatternConfig", func(path, pattern string) {
			if !pathCondition.MatchString(pattern) {
				report(r, path, `is %q: take at most 128 letters, digits and _-.$/~"'@:+&*?`, pattern)
			}
		})
	}
}

func listenerQuotas(s Stage, report report) {
	quota(s, report, "AWS::ElasticLoadBalancingV2::ListenerRule", 100, "load balancer", "join rules, or ask for a higher quota")
	quota(s, report, "AWS::ElasticLoadBalancingV2::TargetGroup", 100, "load balancer", "use a second load balancer")
	const most = 5
	for r := range s.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
		values, wildcards := 0, 0
		for _, config := range []string{"HostHeaderConfig", "PathPatternConfig"} {
			conditions(r, config, func(_, value string) {
				values++
				wildcards += strings.Count(value, "*") + strings.Count(value, "?")
			})
		}
		if values > most || wildcards > most {
			report(r, "Conditions", "has %d values with %d wildcards, at most %d of each are taken: split the rule", values, wildcards, most)
		}
	}
}

func listenerPriorities(s Stage, report report) {
	seen := map[float64]located{}
	for r := range s.of("AWS::ElasticLoadBalancingV2::ListenerRule") {
		priority := r.number("Priority", 0)
		if priority < 1 || priority > 50_000 {
			report(r, "Priority", "is %v, give 1 to 50000", priority)
		}
		if other, taken := seen[priority]; taken {
			report(r, "Priority", "is %v, as that of %s/%s: rename one of the services", priority, other.stack, other.id)
		}
		seen[priority] = r
	}
}

var fixedTypes = []string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}

func fixedResponse(s Stage, report report) {
	for l := range s.of("AWS::ElasticLoadBalancingV2::Listener") {
		for i := range l.list("DefaultActions") {
			path := fmt.Sprintf("DefaultActions/%d/FixedResponseConfig/ContentType", i)
			if kind := l.text(path); l.At(path) != nil && !slices.Contains(fixedTypes, kind) {
				report(l, path, "is %q, give one of %s", kind, strings.Join(fixedTypes, ", "))
			}
		}
	}
}

var balancerName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

func balancerNames(s Stage, report report) {
	for _, kind := range []string{"AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancingV2::TargetGroup"} {
		for r := range s.of(kind) {
			if name, exact := text(r.At("Name")); exact && (!balancerName.MatchString(name) || strings.HasPrefix(name, "internal-")) {
				report(r, "Name", "is %q: take at most 32 letters, digits and inner hyphens, and do not begin with internal-", name)
			}
		}
	}
}

func balancerSubnets(s Stage, report report) {
	for r := range s.of("AWS::ElasticLoadBalancingV2::LoadBalancer") {
		zones := map[string]bool{}
		for _, subnet := range r.list("Subnets") {
			zone := map[string]any{"of": subnet} // one that is not in the template counts as its own
			if of, ok := s[r.stack].Resources[ref(subnet)]; ok {
				zone = map[string]any{"name": of.At("AvailabilityZone"), "id": of.At("AvailabilityZoneId")}
			}
			key, _ := rendered(zone)
			zones[key] = true
		}
		if len(zones) < 2 {
			report(r, "Subnets", "are in %d availability zones, give at least 2", len(zones))
		}
	}
}

func healthCheck(s Stage, report report) {
	for g := range s.of("AWS::ElasticLoadBalancingV2::TargetGroup") {
		timeout, interval := 5.0, 30.0
		if g.text("TargetType") == "lambda" {
			timeout, interval = 30, 35
		}
		timeout, interval = g.number("HealthCheckTimeoutSeconds", timeout), g.number("HealthCheckIntervalSeconds", interval)
		if interval <= timeout {
			report(g, "HealthCheckIntervalSeconds", "is %v s, give more than the check's timeout of %v s", interval, timeout)
		}
	}
}

// functionTargetGroup also finds a group that is made before the balancer may call its
// function: then the target is refused.
func functionTargetGroup(s Stage, report report) {
	for g := range s.of("AWS::ElasticLoadBalancingV2::TargetGroup") {
		if g.text("TargetType") != "lambda" {
			continue
		}
		for _, property := range []string{"Port", "Protocol", "VpcId"} {
			if g.At(property) != nil {
				report(g, property, "is nothing that a group with a function has: drop it")
			}
		}
		targets := g.list("Targets")
		if len(targets) > 1 {
			report(g, "Targets", "has %d, a group with a function takes 1", len(targets))
		}
		for _, target := range targets {
			permitted := false
			for p := range s.of("AWS::Lambda::Permission") {
				permitted = permitted || p.stack == g.stack && p.text("Principal") == "elasticloadbalancing.amazonaws.com" &&
					ref(p.At("FunctionName")) == ref(at(target, "Id")) && s[g.stack].needs(g.id, p.id)
			}
			if !permitted {
				report(g, "DependsOn", "may be made before the balancer may call %s: depend on that permission", ref(at(target, "Id")))
			}
		}
	}
}
