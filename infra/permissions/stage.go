// Package permissions holds a stage's templates to the calls that are made in it: a call
// that no policy allows is a fault, and so is a grant that no call needs.
//
// The calls are of two kinds. Those of the functions' code are in a table, which the
// integration suite records and a test holds to the code. Those that AWS makes for the
// platform (pollers, rules, alarms, routes) follow from the resources that ask for them,
// each with the page that says which permission it takes. Package policy decides.
//
// The templates are resolved as one account would see them after a deployment of all
// stacks: see resolve.go.
package permissions

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tradewind/infra/policy"
)

// Stage is what the templates of a stage grant.
type Stage struct {
	templates map[string]*template
	roles     map[string]*role // by ARN
	functions []*function
	resources map[string][]policy.Document // resource policies, by ARN
	tagged    map[string][]string          // the stages that registered services are tagged with, by ARN
	network   bool                         // the stage has one of its own
	endpoints map[string][]policy.Document // of the network's endpoints, by the service's name
}

// role is what a role may do, and who may take it.
type role struct {
	name     string // for messages: that of its function
	stack    string
	arn      string
	function string // ARN of the function that takes it, or ""
	identity []policy.Document
	boundary []policy.Document
	trust    []policy.Document
}

// function is a Lambda function with its role.
type function struct {
	*template
	*role
	properties map[string]any
	arn        string
	inNetwork  bool
}

// Read takes a stage's templates by the names of their stacks, and the documents of the
// managed policies that they name, which are not part of them.
func Read(templates, managed map[string][]byte) (*Stage, error) {
	s := &Stage{
		templates: map[string]*template{}, roles: map[string]*role{}, tagged: map[string][]string{},
		resources: map[string][]policy.Document{}, endpoints: map[string][]policy.Document{},
	}
	for stack, raw := range templates {
		t := &template{stack: stack, all: s}
		if err := json.Unmarshal(raw, t); err != nil {
			return nil, fmt.Errorf("%s: %w", stack, err)
		}
		s.templates[stack] = t
	}
	for _, add := range []func(*template, string) error{
		func(t *template, id string) error {
			if t.Resources[id].Type != "AWS::IAM::Role" {
				return nil
			}
			return s.addRole(t, id, managed)
		},
		s.add,
	} {
		for _, stack := range slices.Sorted(maps.Keys(s.templates)) {
			t := s.templates[stack]
			for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
				if err := add(t, id); err != nil {
					return nil, fmt.Errorf("%s/%s: %w", stack, id, err)
				}
			}
		}
	}
	return s, nil
}

func (s *Stage) add(t *template, id string) error {
	r := t.Resources[id]
	switch r.Type {
	case "AWS::Lambda::Function":
		return s.addFunction(t, id)
	case "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::SecretsManager::ResourcePolicy", "AWS::S3::BucketPolicy":
		d, err := t.document(t.stack+"/"+id, r.Properties["PolicyDocument"], r.Properties["ResourcePolicy"])
		if err != nil {
			return err
		}
		for _, property := range []string{"Queues", "Topics", "SecretId", "Bucket"} {
			if r.Properties[property] == nil {
				continue
			}
			owners, err := t.texts(r.Properties[property])
			if err != nil {
				return err
			}
			for _, owner := range owners {
				owner = queueARN(owner)
				if property == "Bucket" {
					owner = "arn:" + partition + ":s3:::" + owner
				}
				s.resources[owner] = append(s.resources[owner], d)
			}
		}
	case "AWS::Lambda::Permission":
		return s.addPermission(t, id)
	case "AWS::ServiceDiscovery::Service":
		own, err := t.attribute(id, "Arn")
		if err != nil {
			return err
		}
		tags, _ := r.Properties["Tags"].([]any)
		s.tagged[own.(string)] = nil
		for _, tag := range tags {
			if tag := tag.(map[string]any); tag["Key"] == "stage" {
				s.tagged[own.(string)] = []string{fmt.Sprint(tag["Value"])}
			}
		}
	case "AWS::EC2::VPC":
		s.network = true
	case "AWS::EC2::VPCEndpoint":
		name, err := t.text(r.Properties["ServiceName"])
		if err != nil {
			return err
		}
		allows := r.Properties["PolicyDocument"]
		if allows == nil { // then AWS gives it this one
			allows = map[string]any{"Statement": map[string]any{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}
		}
		d, err := t.document(t.stack+"/"+id, allows)
		s.endpoints[name[strings.LastIndex(name, ".")+1:]] = []policy.Document{d}
		return err
	case "AWS::IAM::Role", "AWS::IAM::Policy": // read before
	default:
		if strings.HasSuffix(r.Type, "Policy") || strings.HasPrefix(r.Type, "AWS::IAM::") || r.Type == "AWS::KMS::Key" {
			return fmt.Errorf("the policies of %s are not read", r.Type)
		}
	}
	return nil
}

// queueARN is the ARN of a queue by its URL, and any other text as it is.
func queueARN(url string) string {
	if _, path, found := strings.Cut(url, ".amazonaws.com/"); found {
		_, name, _ := strings.Cut(path, "/")
		return arn("sqs", name)
	}
	return url
}

// document is a policy of a resource: the first of the properties that there is.
func (t *template) document(name string, properties ...any) (policy.Document, error) {
	for _, property := range properties {
		if property == nil {
			continue
		}
		resolved, err := t.resolve(property)
		if err != nil {
			return policy.Document{}, err
		}
		raw, err := json.Marshal(resolved)
		if err != nil {
			return policy.Document{}, err
		}
		d, err := policy.Parse(name, raw)
		return d.Split(), err
	}
	return policy.Document{}, fmt.Errorf("has no policy")
}

func (s *Stage) addFunction(t *template, id string) error {
	r := t.Resources[id]
	name, err := t.text(r.Properties["FunctionName"])
	if err != nil {
		return err
	}
	taken, err := t.text(r.Properties["Role"])
	if err != nil {
		return err
	}
	f := &function{template: t, role: s.roles[taken], properties: r.Properties, arn: arn("lambda", "function:"+name), inNetwork: r.Properties["VpcConfig"] != nil}
	if f.role == nil {
		return fmt.Errorf("no stack has the role %s", taken)
	}
	f.function = f.arn
	s.functions = append(s.functions, f)
	return nil
}

func (s *Stage) addRole(t *template, id string, managed map[string][]byte) error {
	own, err := t.attribute(id, "Arn")
	if err != nil {
		return err
	}
	r := &role{name: t.stack + "/" + id, stack: t.stack, arn: own.(string)}
	for _, f := range t.Resources {
		if f.Type != "AWS::Lambda::Function" {
			continue
		}
		taken, err := t.text(f.Properties["Role"])
		if err != nil {
			return err
		}
		if taken == r.arn {
			name, err := t.text(f.Properties["FunctionName"])
			if err != nil {
				return err
			}
			parts := strings.Split(name, "-")
			r.name = strings.Join(parts[len(parts)-2:], "/")
		}
	}
	s.roles[r.arn] = r
	properties := t.Resources[id].Properties
	for _, property := range []string{"ManagedPolicyArns", "Policies"} {
		if properties[property] != nil {
			return fmt.Errorf("the %s of roles are not read", property)
		}
	}
	trust, err := t.document(r.name+" is assumed", properties["AssumeRolePolicyDocument"])
	if err != nil {
		return err
	}
	r.trust = []policy.Document{trust}
	if bounds := properties["PermissionsBoundary"]; bounds != nil {
		if r.boundary, err = s.managed(t, bounds, managed); err != nil {
			return err
		}
	}
	name, err := t.attribute(id, "")
	if err != nil {
		return err
	}
	for _, other := range slices.Sorted(maps.Keys(t.Resources)) {
		p := t.Resources[other]
		if p.Type != "AWS::IAM::Policy" {
			continue
		}
		roles, err := t.texts(p.Properties["Roles"])
		if err != nil {
			return err
		}
		if !slices.Contains(roles, name.(string)) {
			continue
		}
		d, err := t.document(r.name+" "+other, p.Properties["PolicyDocument"])
		if err != nil {
			return err
		}
		r.identity = append(r.identity, d)
	}
	return nil
}

func (s *Stage) managed(t *template, name any, documents map[string][]byte) ([]policy.Document, error) {
	arn, err := t.text(name)
	if err != nil {
		return nil, err
	}
	raw, ok := documents[arn]
	if !ok {
		return nil, fmt.Errorf("the managed policy %s is unknown", arn)
	}
	d, err := policy.Parse(arn, raw)
	return []policy.Document{d}, err
}

// addPermission adds a permission to call a function, in the form in which Lambda writes
// it into the function's policy.
// https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html
func (s *Stage) addPermission(t *template, id string) error {
	p := map[string]string{}
	for property, value := range t.Resources[id].Properties {
		var err error
		if p[property], err = t.text(value); err != nil {
			return err
		}
	}
	target := p["FunctionName"]
	if !strings.HasPrefix(target, "arn:") {
		target = arn("lambda", "function:"+target)
	}
	conditions := map[string]any{}
	for property, condition := range map[string][2]string{"SourceArn": {"ArnLike", "AWS:SourceArn"}, "SourceAccount": {"StringEquals", "AWS:SourceAccount"}} {
		if p[property] != "" {
			conditions[condition[0]] = map[string]string{condition[1]: p[property]}
		}
		delete(p, property)
	}
	statement := map[string]any{"Effect": "Allow", "Action": p["Action"], "Principal": map[string]string{"Service": p["Principal"]}, "Resource": target, "Condition": conditions}
	for _, known := range []string{"Action", "FunctionName", "Principal"} {
		delete(p, known)
	}
	if len(p) > 0 {
		return fmt.Errorf("%v are not read", slices.Sorted(maps.Keys(p)))
	}
	d, err := t.document(t.stack+"/"+id, map[string]any{"Version": "2012-10-17", "Statement": statement})
	s.resources[target] = append(s.resources[target], d)
	return err
}

// all are the ARNs of the stage's resources of a type.
func (s *Stage) all(kind string) []string {
	var arns []string
	for _, stack := range slices.Sorted(maps.Keys(s.templates)) {
		t := s.templates[stack]
		for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
			if t.Resources[id].Type != kind {
				continue
			}
			if own, err := t.attribute(id, "Arn"); err == nil {
				arns = append(arns, own.(string))
			}
		}
	}
	return arns
}

// parameter is the value of an SSM parameter, which one of the stacks writes.
func (s *Stage) parameter(name string) (any, error) {
	for _, t := range s.templates {
		for _, r := range t.Resources {
			if r.Type == "AWS::SSM::Parameter" && r.Properties["Name"] == name {
				return t.resolve(r.Properties["Value"])
			}
		}
	}
	return nil, fmt.Errorf("no stack writes the parameter %s", name)
}
