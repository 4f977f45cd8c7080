package awslimits

import (
	"fmt"
	"regexp"
	"slices"
)

func rolePolicySize(s Stage, report report) {
	const (
		inline = 10_240 // of all policies of a role together
		trust  = 2048
	)
	sizes := map[string]int{}
	for p := range s.of("AWS::IAM::Policy") {
		for _, role := range p.list("Roles") {
			key := p.stack + "/" + ref(role)
			before := sizes[key]
			sizes[key] += estimatedSize(p.At("PolicyDocument"))
			if before <= inline && sizes[key] > inline {
				report(p, "PolicyDocument", "brings the policies of %s to about %d characters, at most %d are taken: join statements", ref(role), sizes[key], inline)
			}
		}
	}
	for r := range s.of("AWS::IAM::Role") {
		if size := estimatedSize(r.At("AssumeRolePolicyDocument")); size > trust {
			report(r, "AssumeRolePolicyDocument", "has about %d characters, at most %d are taken: trust fewer", size, trust)
		}
	}
}

var (
	action = regexp.MustCompile(`^(?:\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$`)
	sid    = regexp.MustCompile(`^[A-Za-z0-9]*$`)
)

// policies are the properties that hold one, and whether it is of an identity, which
// names resources and no principal, or of a resource.
var policies = []struct {
	kind, property string
	identity       bool
}{
	{"AWS::EC2::VPCEndpoint", "PolicyDocument", false},
	{"AWS::IAM::Policy", "PolicyDocument", true},
	{"AWS::IAM::Role", "AssumeRolePolicyDocument", false},
	{"AWS::SNS::TopicPolicy", "PolicyDocument", false},
	{"AWS::SQS::QueuePolicy", "PolicyDocument", false},
}

func policyGrammar(s Stage, report report) {
	for _, holder := range policies {
		for r := range s.of(holder.kind) {
			if r.At(holder.property) == nil {
				continue
			}
			if version := r.text(holder.property + "/Version"); version != "2012-10-17" {
				report(r, holder.property+"/Version", "is %q, give 2012-10-17", version)
			}
			seen := map[string]bool{}
			for i, statement := range r.list(holder.property + "/Statement") {
				path := fmt.Sprintf("%s/Statement/%d", holder.property, i)
				if effect := at(statement, "Effect"); effect != "Allow" && effect != "Deny" {
					report(r, path+"/Effect", "is %v, give Allow or Deny", effect)
				}
				if count(statement, []any{"Action", "NotAction"}) != 1 {
					report(r, path, "has both or none of Action and NotAction: give one")
				}
				for _, one := range slices.Concat(list(at(statement, "Action")), list(at(statement, "NotAction"))) {
					if name, exact := text(one); exact && !action.MatchString(name) {
						report(r, path+"/Action", "is %q, give a service and its action such as sqs:SendMessage", name)
					}
				}
				trusted := holder.kind == "AWS::IAM::Role"
				if resources := count(statement, []any{"Resource", "NotResource"}); resources == 1 == trusted {
					report(r, path, "names resources: %v, in this policy it must be: %v", resources == 1, !trusted)
				}
				if principals := count(statement, []any{"Principal", "NotPrincipal"}); principals == 1 == holder.identity {
					report(r, path, "names a principal: %v, in this policy it must be: %v", principals == 1, !holder.identity)
				}
				id, _ := text(at(statement, "Sid"))
				if !sid.MatchString(id) || id != "" && seen[id] {
					report(r, path+"/Sid", "is %q, give letters and digits, once in a policy", id)
				}
				seen[id] = true
			}
		}
	}
}
