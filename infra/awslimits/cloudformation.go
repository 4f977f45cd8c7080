package awslimits

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// whole stands for a template itself in a finding.
func whole(stack string) located { return located{stack, "template", Resource{Type: "template"}} }

// MaxTemplate is how many bytes a template may have.
const MaxTemplate = 1 << 20

func templateSize(s Stage, report report) {
	for stack, t := range s {
		for _, limit := range []struct {
			property string
			n, most  int
		}{
			{"Resources", len(t.Resources), 500},
			{"Outputs", len(t.Outputs), 200},
			{"Parameters", len(t.Parameters), 200},
			{"size in bytes", t.Size, MaxTemplate},
		} {
			if limit.n > limit.most {
				report(whole(stack), limit.property, "%d, at most %d are taken: split the stack", limit.n, limit.most)
			}
		}
	}
}

func dynamicReferences(s Stage, report report) {
	const most = 60
	for stack, t := range s {
		n := 0
		for _, r := range t.Resources {
			n += strings.Count(fmt.Sprint(r.Properties), "{{resolve:")
		}
		if n > most {
			report(whole(stack), "Resources", "has %d dynamic references, at most %d are taken: read the value once, by a parameter", n, most)
		}
	}
}

func resolvedReferences(s Stage, report report) {
	check := func(r located, id, attribute string) {
		target, isResource := s[r.stack].Resources[id]
		_, isParameter := s[r.stack].Parameters[id]
		switch {
		case !isResource && (!isParameter || attribute != ""):
			report(r, "", "refers to %s, which is not in the template: correct the reference", id)
		case attribute != "" && !slices.Contains(described().attributes[TypeName(target.Type)], attribute):
			report(r, "", "asks %s, a %s, for %s: take an attribute of that type, and run `make limits` after the first use of one", id, target.Type, attribute)
		}
	}
	for r := range s.all() {
		for id, attribute := range references(r.Properties) {
			check(r, id, attribute)
		}
		for _, id := range r.DependsOn {
			if _, ok := s[r.stack].Resources[id]; !ok {
				report(r, "DependsOn", "names %s, which is not in the template: correct it", id)
			}
		}
		if s[r.stack].needs(r.id, r.id) {
			report(r, "", "depends on itself, maybe through others: break the circle")
		}
	}
	for stack, t := range s {
		for name, output := range t.Outputs {
			for id, attribute := range references(output) {
				check(located{stack, "output " + name, Resource{Type: "output"}}, id, attribute)
			}
		}
	}
}

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)

func logicalIDs(s Stage, report report) {
	for stack, t := range s {
		for _, id := range slices.Concat(slices.Collect(maps.Keys(t.Resources)), slices.Collect(maps.Keys(t.Outputs)), slices.Collect(maps.Keys(t.Parameters))) {
			if !alphanumeric.MatchString(id) {
				report(located{stack, id, t.Resources[id]}, "logical id", "%q: take letters and digits, at most 255", id)
			}
		}
	}
}

// named are the properties with names that an account has once, in a region or at all.
var named = map[string]string{
	"AWS::CloudWatch::Alarm": "AlarmName", "AWS::CloudWatch::CompositeAlarm": "AlarmName", "AWS::CloudWatch::Dashboard": "DashboardName",
	"AWS::DynamoDB::GlobalTable":                "TableName",
	"AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
	"AWS::ElasticLoadBalancingV2::TargetGroup":  "Name",
	"AWS::Events::Archive":                      "ArchiveName",
	"AWS::Events::EventBus":                     "Name",
	"AWS::Events::Rule":                         "Name",
	"AWS::IAM::ManagedPolicy":                   "ManagedPolicyName",
	"AWS::IAM::Role":                            "RoleName",
	"AWS::Lambda::Function":                     "FunctionName",
	"AWS::Logs::LogGroup":                       "LogGroupName",
	"AWS::S3::Bucket":                           "BucketName",
	"AWS::SNS::Topic":                           "TopicName",
	"AWS::SQS::Queue":                           "QueueName",
	"AWS::SSM::Parameter":                       "Name",
	"AWS::SecretsManager::Secret":               "Name",
	"AWS::ServiceDiscovery::HttpNamespace":      "Name",
}

func uniqueNames(s Stage, report report) {
	seen := map[string]located{}
	for r := range s.all() {
		property, ok := named[r.Type]
		name, exact := text(r.At(property))
		if !ok || !exact {
			continue
		}
		key := r.Type + " " + name
		if other, taken := seen[key]; taken {
			report(r, property, "%q is the name of %s/%s already: put the stage and the service into it", name, other.stack, other.id)
		}
		seen[key] = r
	}
}

// SharedNames returns the names that two stages of an account both take.
func SharedNames(stages map[string]Stage) []Finding {
	account := Stage{}
	for name, stage := range stages {
		for stack, template := range stage {
			account[name+"/"+stack] = template
		}
	}
	i := slices.IndexFunc(Rules, func(r Rule) bool { return r.Name == "unique-names" })
	return Rules[i].Check(account)
}

// An empty text is not an absent property: a service may refuse it, and one does so in
// some regions only. The arguments of intrinsic functions are left out: a join has an
// empty separator, and Fn::GetAZs of "" means the stack's region.
func emptyText(s Stage, report report) {
	for r := range s.all() {
		var visit func(path string, v any)
		visit = func(path string, v any) {
			switch v := v.(type) {
			case string:
				if v == "" {
					report(r, path, "is an empty text: leave the property out")
				}
			case []any:
				for i, item := range v {
					visit(join(path, fmt.Sprint(i)), item)
				}
			case map[string]any:
				for key, item := range v {
					if !strings.HasPrefix(key, "Fn::") {
						visit(join(path, key), item)
					}
				}
			}
		}
		visit("", r.Properties)
	}
}

func tags(s Stage, report report) {
	for r := range s.all() {
		tags := list(r.Properties["Tags"])
		if len(tags) > 50 {
			report(r, "Tags", "has %d, at most 50 are taken: drop some", len(tags))
		}
		for i, tag := range tags {
			key, _ := text(at(tag, "Key"))
			value, _ := text(at(tag, "Value"))
			if strings.HasPrefix(strings.ToLower(key), "aws:") || len(key) > 128 || len(value) > 256 {
				report(r, fmt.Sprint("Tags/", i), "%q = %q: a key has at most 128 characters and does not begin with aws:, a value has at most 256", key, value)
			}
		}
	}
}

func customResourceTimeout(s Stage, report report) {
	for r := range s.all() {
		if TypeName(r.Type) != "AWS::CloudFormation::CustomResource" {
			continue
		}
		wait := r.number("ServiceTimeout", 3600)
		if wait < 1 || wait > 3600 {
			report(r, "ServiceTimeout", "is %v s, give 1 to 3600", wait)
		}
		if runs := s.function(r, "ServiceToken").number("Timeout", 3); runs >= wait {
			report(r, "ServiceTimeout", "ends after %v s, before its function, which may take %v: give it more", wait, runs)
		}
	}
}
