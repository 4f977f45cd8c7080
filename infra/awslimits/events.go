package awslimits

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

func ruleTargets(s Stage, report report) {
	const most = 5
	for r := range s.of("AWS::Events::Rule") {
		targets := r.list("Targets")
		if len(targets) > most {
			report(r, "Targets", "has %d, at most %d are taken: make a second rule", len(targets), most)
		}
		if fault := repeated(targets, func(target any) any { return at(target, "Id") }); fault != "" {
			report(r, "Targets", "%s", fault)
		}
	}
}

func busQuotas(s Stage, report report) {
	const (
		rules         = 300
		withWildcards = 30
		characters    = 2048
	)
	onBus, wild := map[string]int{}, map[string]int{}
	for r := range s.of("AWS::Events::Rule") {
		bus := "default"
		if r.At("EventBusName") != nil {
			bus = "the stage's bus"
		}
		if onBus[bus]++; onBus[bus] == rules+1 {
			report(r, "", "is number %d on %s, at most %d are allowed: join rules", onBus[bus], bus, rules)
		}
		if wildcards(r.At("EventPattern")) {
			if wild[bus]++; wild[bus] == withWildcards+1 {
				report(r, "EventPattern", "is number %d with a wildcard on %s, at most %d are allowed: use prefixes", wild[bus], bus, withWildcards)
			}
		}
		if size := estimatedSize(r.At("EventPattern")); size > characters {
			report(r, "EventPattern", "has %d characters, at most %d are taken: use prefixes, or make a second rule", size, characters)
		}
	}
}

func busName(s Stage, report report) {
	for b := range s.of("AWS::Events::EventBus") {
		if name := b.text("Name"); name == "default" || strings.Contains(name, "/") || strings.HasPrefix(name, "aws.") {
			report(b, "Name", "is %q: a bus of one's own is not called default or aws.… and has no /", name)
		}
	}
}

func eventPattern(s Stage, report report) {
	for _, kind := range []string{"AWS::Events::Rule", "AWS::Events::Archive"} {
		for r := range s.of(kind) {
			pattern, _ := estimated(r.At("EventPattern")).(map[string]any)
			if r.At("EventPattern") == nil {
				continue
			}
			for _, fault := range PatternFaults(pattern) {
				report(r, "EventPattern", "%s", fault)
			}
		}
	}
}

var (
	rate = regexp.MustCompile(`^rate\(([1-9]\d*) (minute|hour|day)(s?)\)$`)
	cron = regexp.MustCompile(`^cron\(\S+ \S+ \S+ \S+ \S+ \S+\)$`)
)

func schedule(s Stage, report report) {
	for r := range s.of("AWS::Events::Rule") {
		expression := r.text("ScheduleExpression")
		if expression == "" {
			continue
		}
		if bus := r.At("EventBusName"); bus != nil && cmp.Or(r.text("EventBusName"), "?") != "default" {
			report(r, "EventBusName", "is set, a schedule works on the default bus only: drop it")
		}
		parts := rate.FindStringSubmatch(expression)
		if !cron.MatchString(expression) && (parts == nil || (parts[1] == "1") != (parts[3] == "")) {
			report(r, "ScheduleExpression", "is %q, give rate(1 minute), rate(5 minutes) or cron with six fields", expression)
		}
	}
}

var queueNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$|^[A-Za-z0-9_-]{1,75}\.fifo$`)

func queueName(s Stage, report report) {
	for q := range s.of("AWS::SQS::Queue") {
		name, exact := text(q.At("QueueName"))
		fifo := q.At("FifoQueue") == true
		if exact && (!queueNames.MatchString(name) || fifo != strings.HasSuffix(name, ".fifo")) {
			report(q, "QueueName", "is %q: take at most 80 letters, digits, hyphens and underscores, with .fifo at the end of a FIFO queue's only", name)
		}
	}
}

// queueNameReuse finds queues that a stack cannot make again at once: after a rollback,
// say, or for a replacement.
func queueNameReuse(s Stage, report report) {
	for q := range s.of("AWS::SQS::Queue") {
		if name, exact := text(q.At("QueueName")); exact {
			report(q, "QueueName", "is %q, which SQS blocks for 60 s after the queue is deleted: leave the name to CloudFormation", name)
		}
	}
}

func queueRedrive(s Stage, report report) {
	for q := range s.of("AWS::SQS::Queue") {
		if q.At("RedrivePolicy") == nil {
			continue
		}
		if n := q.number("RedrivePolicy/maxReceiveCount", 0); n < 1 || n > 1000 {
			report(q, "RedrivePolicy/maxReceiveCount", "is %v, give 1 to 1000", n)
		}
		dead := s.target(q, "RedrivePolicy/deadLetterTargetArn")
		if dead.Type != "AWS::SQS::Queue" || (dead.At("FifoQueue") == true) != (q.At("FifoQueue") == true) {
			report(q, "RedrivePolicy/deadLetterTargetArn", "is %s, give a queue of the same kind", cmp.Or(dead.id, "nothing of this stack"))
		}
	}
}

func queuePolicySize(s Stage, report report) {
	for p := range s.of("AWS::SQS::QueuePolicy") {
		statements := p.list("PolicyDocument/Statement")
		principals, conditions := 0, 0
		for i, statement := range statements {
			if n := len(list(at(statement, "Action"))); n > 7 {
				report(p, fmt.Sprintf("PolicyDocument/Statement/%d/Action", i), "has %d, at most 7 are taken: split the statement", n)
			}
			switch who := at(statement, "Principal").(type) {
			case map[string]any:
				for _, one := range who {
					principals += len(list(one))
				}
			case string:
				principals++
			}
			operators, _ := at(statement, "Condition").(map[string]any)
			for _, keys := range operators {
				conditions += size(keys)
			}
		}
		for _, limit := range []struct {
			what    string
			n, most int
		}{
			{"statements", len(statements), 20},
			{"principals", principals, 50},
			{"conditions", conditions, 10},
			{"bytes", estimatedSize(p.At("PolicyDocument")), 8192},
		} {
			if limit.n > limit.most {
				report(p, "PolicyDocument", "has %d %s, at most %d are taken: permit more with one pattern", limit.n, limit.what, limit.most)
			}
		}
	}
}

// onePolicy finds two policies for one queue or topic: the second replaces the first.
func onePolicy(s Stage, report report) {
	seen := map[string]string{}
	for _, kind := range []struct{ policy, of string }{{"AWS::SQS::QueuePolicy", "Queues"}, {"AWS::SNS::TopicPolicy", "Topics"}} {
		for p := range s.of(kind.policy) {
			for _, target := range p.list(kind.of) {
				key := p.stack + "/" + ref(target)
				if other := seen[key]; other != "" {
					report(p, kind.of, "replaces %s, for %s has one policy: join them", other, ref(target))
				}
				seen[key] = p.id
			}
		}
	}
}
