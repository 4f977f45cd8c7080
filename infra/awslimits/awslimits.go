// Package awslimits checks CloudFormation templates against the limits of AWS, without an
// account.
//
// It exists because the CDK, cfn-lint and the local endpoints accept much that a
// deployment then fails on, some of it only in one region or with the hundredth route.
// There are two kinds of findings:
//
//   - A property breaks a constraint that AWS publishes in a form for machines, see
//     constraints.json: a length, a pattern, a range, an enum, a required or an excluded
//     property. Package generate makes that file.
//   - A template breaks one of Rules, which AWS states in prose only. Each has its source.
//
// Rules for callers:
//
//   - Check takes all templates of a stage, because some limits are of an account, an API
//     or a load balancer, which several stacks share.
//   - A value that is known at the deployment only is taken to be right.
//   - A property or type without constraints is a finding: run `make limits` after its
//     first use.
package awslimits

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one thing that AWS would refuse.
type Finding struct {
	Stack, Resource, Type string
	Property              string // path of the property, such as Targets/0/Arn
	Rule                  string // the name of a rule, or the kind of a constraint
	Message               string // the fault and its remedy
	Source                string // where AWS says so
}

func (f Finding) String() string {
	return fmt.Sprintf("%s/%s (%s) %s %s [%s: %s]", f.Stack, f.Resource, f.Type, cmp.Or(f.Property, "properties"), f.Message, f.Rule, f.Source)
}

// Check returns everything in a stage's templates that AWS would refuse.
func Check(stage Stage) []Finding {
	var found []Finding
	for r := range stage.all() {
		found = append(found, CheckResource(r.stack, r.id, r.Resource)...)
	}
	for _, rule := range Rules {
		found = append(found, rule.Check(stage)...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Stack+"/"+a.Resource, b.Stack+"/"+b.Resource) })
	return found
}

// CheckResource holds a single resource to the constraints of its type.
func CheckResource(stack, id string, r Resource) []Finding {
	var found []Finding
	properties(located{stack, id, r}, func(path, rule, source, message string) {
		found = append(found, Finding{stack, id, r.Type, path, rule, message, source})
	})
	return found
}

// Rule is a limit that no schema has.
type Rule struct {
	Name   string
	Source string // the page that states it
	check  func(Stage, report)
}

// Check holds a stage to one rule.
func (r Rule) Check(stage Stage) []Finding {
	var found []Finding
	r.check(stage, func(of located, property, format string, args ...any) {
		found = append(found, Finding{of.stack, of.id, of.Type, property, r.Name, fmt.Sprintf(format, args...), r.Source})
	})
	return found
}

// report takes a finding of a rule.
type report func(r located, property, format string, args ...any)
