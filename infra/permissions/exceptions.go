package permissions

import (
	"fmt"
	"regexp"
)

// Exception is a kind of grants that stay although no call needs them as they are.
type Exception struct {
	Grant  *regexp.Regexp // matches their names
	Reason string
}

// Exceptions are all of them. One that matches no grant is a fault.
var Exceptions = []Exception{
	{
		regexp.MustCompile(`^\w+/(api|consumer|sweeper|prober) .*: dynamodb:(GetItem|Query|PutItem|DeleteItem|ConditionCheckItem) on \S+:table/[^/]+$`),
		"a function that works on its service's table gets the operations of the kit's package table, used or not, so that a new access pattern changes no role",
	},
	{
		regexp.MustCompile(`^\w+/(api|consumer|sweeper|prober) .*: dynamodb:UpdateItem on \S+:table/[^/]+$`),
		"granted with those operations, though package table has none that updates in place: it can go",
	},
	{
		regexp.MustCompile(`^\w+/(api|consumer) .*: dynamodb:Query on \S+/index/GSI1$`),
		"every api and consumer may list its service's items by the first index",
	},
	{
		regexp.MustCompile(`^\w+/consumer .*: sqs:ChangeMessageVisibility on `),
		"of the usual four actions of a consumer of a queue, Lambda's poller needs three: it can go",
	},
	{
		regexp.MustCompile(`^[\w-]+-network/VpcDynamoDB\w+\[0\]: dynamodb:\* on \S+:table/\*$`),
		"the endpoint keeps traffic inside the account, and the roles say who may do what",
	},
	{
		regexp.MustCompile(`^[\w-]+-network/VpcRegistry\w+\[0\]: \* on \*$`),
		"an endpoint without a policy has this one, and the roles say who may do what",
	},
	{
		regexp.MustCompile(`: ec2:(Create|Delete)NetworkInterface on \*$|: ec2:(Una|A)ssignPrivateIpAddresses on \*$`),
		"Lambda makes the interface itself and asks for these on any resource",
	},
	{
		regexp.MustCompile(`: servicediscovery:DiscoverInstances(Revision)? on \*$`),
		"limited to the stage's namespace by a condition on its name, which is known before the namespace is",
	},
	{
		regexp.MustCompile(`^status/consumer .*: servicediscovery:(ListInstances|UpdateInstanceCustomHealthStatus) on \*$`),
		"limited to the account's registered services by a condition on their ARN",
	},
}

// Excuse removes from a report what the exceptions allow, and counts for each how often
// it did.
func (r *Report) Excuse(used map[*Exception]int) {
	for _, list := range []*[]string{&r.Unneeded, &r.Wide} {
		var kept []string
		for _, grant := range *list {
			excused := false
			for i := range Exceptions {
				if Exceptions[i].Grant.MatchString(grant) {
					used[&Exceptions[i]]++
					excused = true
				}
			}
			if !excused {
				kept = append(kept, grant)
			}
		}
		*list = kept
	}
}

// Faults are all that a check found, each in a line.
func (r Report) Faults() []string {
	var lines []string
	for _, kind := range []struct {
		what string
		list []string
	}{
		{"no policy allows", r.Missing},
		{"not decided", r.Unknown},
		{"no call needs", r.Unneeded},
		{"wider than its calls", r.Wide},
		{"denies nothing", r.Ineffective},
		{"reaches another service", r.Reached},
	} {
		for _, item := range kind.list {
			lines = append(lines, fmt.Sprintf("%s: %s", kind.what, item))
		}
	}
	return lines
}
