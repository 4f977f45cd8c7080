package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Request is one call that AWS authorises.
type Request struct {
	// Role is the ARN of the role that calls, or Service the service principal that does.
	Role, Service string

	Action   string
	Resource string // its ARN, or * for an action that knows no resources

	// Context has the condition keys, in lower case. A key with no values is one that the
	// request is known not to have; a condition on a key that is not here is Unknown.
	Context map[string][]string
}

// Policies are those that decide about a request. All belong to one account.
type Policies struct {
	Identity []Document
	Resource []Document
	// Boundary and Endpoint, where there are any, must allow the request too: those of
	// the role's permissions boundary, and of the VPC endpoint that the request passes.
	Boundary, Endpoint []Document
}

// Effect is the outcome of an evaluation.
type Effect string

// The outcomes.
const (
	Allowed          Effect = "allowed"
	ImplicitlyDenied Effect = "denied: no statement allows it"
	ExplicitlyDenied Effect = "denied by a statement"
	Unknown          Effect = "unknown"
)

// Result is an evaluation's outcome, with the names of the statements that decided it,
// and what made it Unknown.
type Result struct {
	Effect     Effect
	Statements []string
	Reasons    []string
}

func (r Result) String() string {
	if len(r.Reasons) > 0 && r.Effect != Allowed {
		return fmt.Sprintf("%s: %s", r.Effect, strings.Join(r.Reasons, "; "))
	}
	return string(r.Effect)
}

// Evaluate decides about a request within one account: an explicit deny anywhere denies;
// else an allow is needed, of the role's identity policy or of the resource's policy, and
// of the boundary and the endpoint where there are any. A service has no identity policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func Evaluate(r Request, p Policies) Result {
	if r.Service != "" {
		p.Identity, p.Boundary = nil, nil
	}
	identity, resource := r.layer(p.Identity, false), r.layer(p.Resource, true)
	boundary, endpoint := r.layer(p.Boundary, false), r.layer(p.Endpoint, true)
	out := Result{Effect: ImplicitlyDenied}
	for _, l := range []layer{identity, resource, boundary, endpoint} {
		if l.denied == yes {
			return Result{Effect: ExplicitlyDenied, Statements: l.denying}
		}
		out.Statements = append(out.Statements, l.allowing...)
		out.Reasons = append(out.Reasons, l.reasons...)
	}
	allowed := max(identity.allowed, resource.allowed)
	if p.Boundary != nil {
		allowed = min(allowed, boundary.allowed)
	}
	if p.Endpoint != nil {
		allowed = min(allowed, endpoint.allowed)
	}
	denied := max(identity.denied, resource.denied, boundary.denied, endpoint.denied)
	switch {
	case allowed == no:
	case allowed == maybe || denied == maybe:
		out.Effect = Unknown
	default:
		out.Effect = Allowed
	}
	return out
}

// layer is what the policies of one kind say of a request.
type layer struct {
	allowed, denied   truth
	allowing, denying []string
	reasons           []string
}

func (r Request) layer(documents []Document, ofResource bool) layer {
	var l layer
	for _, d := range documents {
		for _, s := range d.Statements {
			matched, reasons := s.matches(r, ofResource)
			for _, reason := range reasons {
				l.reasons = append(l.reasons, s.Name+": "+reason)
			}
			kind, names := &l.allowed, &l.allowing
			if s.Effect == "Deny" {
				kind, names = &l.denied, &l.denying
			}
			*kind = max(*kind, matched)
			if matched == yes {
				*names = append(*names, s.Name)
			}
		}
	}
	return l
}

// matches is whether the statement is about the request: every element must match. The
// reasons are those of a maybe.
func (s Statement) matches(r Request, ofResource bool) (truth, []string) {
	if ofResource && !s.about(r) {
		return no, nil
	}
	acts := func(pattern string) bool { return action(pattern, r.Action) }
	if slices.ContainsFunc(s.Action, acts) != (s.Action != nil) || slices.ContainsFunc(s.NotAction, acts) {
		return no, nil
	}
	on := func(pattern string) bool { return resource(pattern, r.Resource) }
	if slices.ContainsFunc(s.Resource, on) != (s.Resource != nil) || slices.ContainsFunc(s.NotResource, on) {
		return no, nil
	}
	matched, reasons := yes, slices.Clone(s.Unsupported)
	if reasons != nil {
		matched = maybe
	}
	for _, c := range s.Condition {
		held, reason := c.holds(r.Context)
		if held == no {
			return no, nil
		}
		if held == maybe {
			matched, reasons = maybe, append(reasons, reason)
		}
	}
	return matched, reasons
}

// about is whether a resource policy's statement is about the request's principal. An
// account as the principal is denied in all its roles, but an allow only delegates to the
// account's own policies, and so allows nothing by itself.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (s Statement) about(r Request) bool {
	if slices.Contains(s.Unsupported, "NotPrincipal") || slices.Contains(s.Principal["AWS"], "*") {
		return true
	}
	if r.Service != "" {
		return slices.Contains(s.Principal["Service"], r.Service)
	}
	account := strings.Split(r.Role+":::::", ":")[4]
	return slices.ContainsFunc(s.Principal["AWS"], func(principal string) bool {
		if principal == account || strings.HasSuffix(principal, ":"+account+":root") {
			return s.Effect == "Deny"
		}
		return principal == r.Role
	})
}
