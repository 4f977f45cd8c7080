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
		regexp.MustCompile(`: ec2:(Create|Delete)NetworkInterface on \*$|: ec2:(Una|A)ssignPrivateIpAddresses on \*$`),
		"Lambda makes the interface itself and asks for these on any resource",
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
		{"reaches what is another's", r.Reached},
	} {
		for _, item := range kind.list {
			lines = append(lines, fmt.Sprintf("%s: %s", kind.what, item))
		}
	}
	return lines
}
