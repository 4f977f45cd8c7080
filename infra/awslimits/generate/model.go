package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// operations are the calls by which CloudFormation makes a resource, as service and
// operation. Properties are found among an operation's parameters by name. Where the
// names differ, property=parameter says how; an empty side is the whole.
var operations = map[string][]string{
	"AWS::ApiGatewayV2::Api":         {"apigatewayv2 CreateApi"},
	"AWS::ApiGatewayV2::ApiMapping":  {"apigatewayv2 CreateApiMapping"},
	"AWS::ApiGatewayV2::Authorizer":  {"apigatewayv2 CreateAuthorizer"},
	"AWS::ApiGatewayV2::DomainName":  {"apigatewayv2 CreateDomainName"},
	"AWS::ApiGatewayV2::Integration": {"apigatewayv2 CreateIntegration"},
	"AWS::ApiGatewayV2::Route":       {"apigatewayv2 CreateRoute"},
	"AWS::ApiGatewayV2::Stage":       {"apigatewayv2 CreateStage"},
	"AWS::Budgets::Budget":           {"budgets CreateBudget"},
	"AWS::CloudWatch::Alarm":         {"cloudwatch PutMetricAlarm"},
	"AWS::CloudWatch::CompositeAlarm": {
		"cloudwatch PutCompositeAlarm",
	},
	"AWS::CloudWatch::Dashboard":       {"cloudwatch PutDashboard"},
	"AWS::CodeDeploy::Application":     {"codedeploy CreateApplication"},
	"AWS::CodeDeploy::DeploymentGroup": {"codedeploy CreateDeploymentGroup"},
	"AWS::Cognito::UserPool":           {"cognito-idp CreateUserPool UserPoolName=PoolName"},
	"AWS::Cognito::UserPoolClient":     {"cognito-idp CreateUserPoolClient"},
	"AWS::Cognito::UserPoolGroup":      {"cognito-idp CreateGroup"},
	"AWS::DynamoDB::GlobalTable":       {"dynamodb CreateTable", "dynamodb UpdateTimeToLive"},
	"AWS::EC2::FlowLog":                {"ec2 CreateFlowLogs"},
	"AWS::EC2::SecurityGroup":          {"ec2 CreateSecurityGroup GroupDescription=Description"},
	"AWS::EC2::Subnet":                 {"ec2 CreateSubnet"},
	"AWS::EC2::VPC":                    {"ec2 CreateVpc"},
	"AWS::EC2::VPCEndpoint":            {"ec2 CreateVpcEndpoint"},
	"AWS::ElasticLoadBalancingV2::Listener": {
		"elbv2 CreateListener",
	},
	"AWS::ElasticLoadBalancingV2::ListenerRule": {"elbv2 CreateRule"},
	"AWS::ElasticLoadBalancingV2::LoadBalancer": {
		"elbv2 CreateLoadBalancer", "elbv2 ModifyLoadBalancerAttributes LoadBalancerAttributes=Attributes",
	},
	"AWS::ElasticLoadBalancingV2::TargetGroup": {
		"elbv2 CreateTargetGroup", "elbv2 ModifyTargetGroupAttributes TargetGroupAttributes=Attributes", "elbv2 RegisterTargets",
	},
	"AWS::Events::Archive":            {"events CreateArchive SourceArn=EventSourceArn"},
	"AWS::Events::EventBus":           {"events CreateEventBus"},
	"AWS::Events::Rule":               {"events PutRule", "events PutTargets"},
	"AWS::IAM::Policy":                {"iam PutRolePolicy", "iam PutRolePolicy Roles/*=RoleName"},
	"AWS::IAM::Role":                  {"iam CreateRole"},
	"AWS::Lambda::Alias":              {"lambda CreateAlias"},
	"AWS::Lambda::EventInvokeConfig":  {"lambda PutFunctionEventInvokeConfig"},
	"AWS::Lambda::EventSourceMapping": {"lambda CreateEventSourceMapping"},
	"AWS::Lambda::Function":           {"lambda CreateFunction"},
	"AWS::Lambda::Permission":         {"lambda AddPermission"},
	"AWS::Lambda::Version":            {"lambda PublishVersion"},
	"AWS::Logs::LogGroup":             {"logs CreateLogGroup", "logs PutRetentionPolicy"},
	"AWS::Logs::MetricFilter":         {"logs PutMetricFilter"},
	"AWS::Logs::QueryDefinition":      {"logs PutQueryDefinition"},
	"AWS::Logs::SubscriptionFilter":   {"logs PutSubscriptionFilter"},
	"AWS::Route53::HostedZone":        {"route53 CreateHostedZone VPCs/*=VPC"},
	"AWS::Route53::RecordSet":         {"route53 ChangeResourceRecordSets =ChangeBatch/Changes/*/ResourceRecordSet"},
	"AWS::SecretsManager::Secret":     {"secretsmanager CreateSecret", "secretsmanager GetRandomPassword GenerateSecretString="},
	"AWS::ServiceDiscovery::HttpNamespace": {
		"servicediscovery CreateHttpNamespace",
	},
	"AWS::ServiceDiscovery::Instance": {"servicediscovery RegisterInstance InstanceAttributes=Attributes"},
	"AWS::ServiceDiscovery::Service":  {"servicediscovery CreateService"},
	"AWS::SNS::Subscription":          {"sns Subscribe"},
	"AWS::SNS::Topic":                 {"sns CreateTopic TopicName=Name"},
	"AWS::SQS::Queue":                 {"sqs CreateQueue"},
	"AWS::SSM::Parameter":             {"ssm PutParameter"},
}

// withoutModel have no call whose parameters say more than their schema: they are one
// parameter as a whole, or their parameters have no limits.
var withoutModel = []string{
	"AWS::CloudFormation::CustomResource", "AWS::EC2::RouteTable", "AWS::EC2::SubnetRouteTableAssociation",
	"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
}

// models finds the API model of a service.
type models struct {
	version string
	folder  string
	read    map[string]*model
}

type model struct {
	Operations map[string]struct{ Input struct{ Shape string } }
	Shapes     map[string]shape
}

type shape struct {
	Type       string
	Enum       []any
	Pattern    string
	Min, Max   *float64
	Members    map[string]struct{ Shape string }
	Member     struct{ Shape string } // of a list
	Key, Value struct{ Shape string } // of a map
}

func openModels(folder string) (*models, error) {
	version, err := installed(folder, "botocore")
	if err != nil {
		return nil, err
	}
	return &models{"botocore " + version, filepath.Join(folder, "botocore", "data"), map[string]*model{}}, nil
}

func (m *models) model(service string) (*model, error) {
	if known := m.read[service]; known != nil {
		return known, nil
	}
	versions, err := filepath.Glob(filepath.Join(m.folder, service, "*", "service-2.json.gz"))
	if err != nil || len(versions) == 0 {
		return nil, fmt.Errorf("%s has no model of %s", m.version, service)
	}
	file, err := os.Open(slices.Max(versions))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	read := &model{}
	if err := json.NewDecoder(raw).Decode(read); err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	m.read[service] = read
	return read, nil
}

// describe adds to each property the claims of the API about the parameter that it
// becomes.
func (m *models) describe(name string, d *description) error {
	calls, known := operations[name]
	if !known && !slices.Contains(withoutModel, name) {
		return fmt.Errorf("which call makes a %s? Add it to operations in infra/awslimits/generate/model.go", name)
	}
	var faults []error
	for _, call := range calls {
		words := strings.Fields(call)
		api, err := m.model(words[0])
		if err != nil {
			return err
		}
		operation, ok := api.Operations[words[1]]
		if !ok {
			return fmt.Errorf("%s: there is no %s", words[0], words[1])
		}
		found := 0
		for path, all := range d.paths {
			parameter, ok := rename(path, words[2:])
			if !ok || parameter == "" {
				continue
			}
			shape, spelled, ok := api.parameter(operation.Input.Shape, strings.Split(parameter, "/"))
			if !ok {
				continue
			}
			found++
			made, err := api.claims(shape)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s %s: %w", name, path, err))
				continue
			}
			maps.DeleteFunc(made, func(word string, limit any) bool {
				return slices.ContainsFunc(all, func(other claims) bool { return implies(word, other[word], limit) })
			})
			if len(made) > 0 {
				made["from"] = strings.Join([]string{words[0], words[1], spelled}, " ")
				d.paths[path] = append(all, made)
			}
		}
		if found == 0 && len(d.paths) > 1 {
			faults = append(faults, fmt.Errorf("%s: no property of %s is a parameter of it", call, name))
		}
	}
	return errors.Join(faults...)
}

// implies reports whether a limit leaves another of the same kind without effect.
func implies(word string, limit, other any) bool {
	a, isNumber := limit.(float64)
	b, areNumbers := other.(float64)
	switch {
	case isNumber && areNumbers && strings.HasPrefix(word, "max"):
		return a <= b
	case isNumber && areNumbers && strings.HasPrefix(word, "min"):
		return a >= b
	}
	return reflect.DeepEqual(limit, other)
}

// rename is the parameter of a property. With renames, it is none but for those.
func rename(path string, renames []string) (string, bool) {
	for _, r := range renames {
		from, to, _ := strings.Cut(r, "=")
		switch {
		case from == "":
			return to + "/" + path, path != ""
		case path == from && to != "":
			return to, true
		case strings.HasPrefix(path, from+"/"):
			return strings.TrimPrefix(to+strings.TrimPrefix(path, from), "/"), true
		}
	}
	return path, true
}

// parameter follows the steps of a path whatever their case, and spells them as the
// model does.
func (m *model) parameter(name string, path []string) (shape, string, bool) {
	s := m.named(name)
	if len(path) == 0 {
		return s, "", true
	}
	next, spelled := "", path[0]
	switch {
	case s.Type == "structure":
		for member, of := range s.Members {
			if strings.EqualFold(member, path[0]) {
				next, spelled = of.Shape, member
			}
		}
	case s.Type == "list" && path[0] == "*":
		next = s.Member.Shape
	case s.Type == "map" && path[0] == "*":
		next = s.Value.Shape
	}
	if next == "" {
		return shape{}, "", false
	}
	found, rest, ok := m.parameter(next, path[1:])
	return found, strings.Trim(spelled+"/"+rest, "/"), ok
}

// lengths are in the names of API Gateway's shapes only.
var lengths = regexp.MustCompile(`^(?:String|Uri)WithLengthBetween(\d+)And(\d+)$`)

func (m *model) claims(s shape) (claims, error) {
	c := claims{}
	bounds := func(s shape, least, most string) {
		if s.Min != nil && *s.Min > 0 {
			c[least] = *s.Min
		}
		if s.Max != nil {
			c[most] = *s.Max
		}
	}
	switch s.Type {
	case "string":
		bounds(s, "minLength", "maxLength")
		if len(s.Enum) > 0 {
			c["enum"] = s.Enum
			c.sortEnum()
		}
		if s.Pattern != "" {
			return c, c.pattern(s.Pattern, true)
		}
	case "integer", "long", "float", "double":
		if s.Min != nil {
			c["minimum"] = *s.Min
		}
		if s.Max != nil {
			c["maximum"] = *s.Max
		}
	case "list":
		bounds(s, "minItems", "maxItems")
	case "map":
		bounds(s, "minItems", "maxItems")
		key := m.Shapes[s.Key.Shape]
		if key.Max != nil {
			c["keyLength"] = *key.Max
		}
		if key.Pattern != "" {
			inner := claims{}
			if err := inner.pattern(key.Pattern, true); err != nil {
				return nil, err
			}
			if inner["pattern"] != nil {
				c["keyPattern"] = inner["pattern"]
			}
		}
	}
	return c, nil
}

// named is a shape. API Gateway has some lengths in the names of shapes only.
func (m *model) named(name string) shape {
	s := m.Shapes[name]
	if found := lengths.FindStringSubmatch(name); found != nil && s.Min == nil && s.Max == nil {
		least, _ := strconv.ParseFloat(found[1], 64)
		most, _ := strconv.ParseFloat(found[2], 64)
		s.Min, s.Max = &least, &most
	}
	return s
}
