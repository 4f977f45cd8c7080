package permissions

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The account that the templates' references are resolved in.
const (
	partition = "aws"
	region    = "eu-central-1"
	account   = "111122223333"
)

// arn is that of a resource in the account.
func arn(service, resource string) string {
	return strings.Join([]string{"arn", partition, service, region, account, resource}, ":")
}

type template struct {
	Resources  map[string]cfn
	Parameters map[string]struct{ Type, Default string }

	stack string
	all   *Stage
}

// cfn is a resource as it stands in a template.
type cfn struct {
	Type         string
	Properties   map[string]any
	UpdatePolicy map[string]any
}

// resolve replaces the intrinsic functions in a value by what they would be after a
// deployment. One that it does not know is an error, never a guess.
func (t *template) resolve(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		var list []any
		for _, item := range v {
			value, err := t.resolve(item)
			if err != nil {
				return nil, err
			}
			if value != nil {
				list = append(list, value)
			}
		}
		return list, nil
	case map[string]any:
		for function, argument := range v {
			if len(v) == 1 && (function == "Ref" || strings.HasPrefix(function, "Fn::")) {
				return t.call(function, argument)
			}
		}
		values := map[string]any{}
		for key, item := range v {
			value, err := t.resolve(item)
			if err != nil {
				return nil, err
			}
			if value != nil {
				values[key] = value
			}
		}
		return values, nil
	}
	return v, nil
}

func (t *template) call(function string, argument any) (any, error) {
	switch function {
	case "Ref":
		return t.ref(fmt.Sprint(argument))
	case "Fn::GetAtt":
		if path, ok := argument.([]any); ok && len(path) == 2 {
			return t.attribute(fmt.Sprint(path[0]), fmt.Sprint(path[1]))
		}
	case "Fn::Join":
		if parts, ok := argument.([]any); ok && len(parts) == 2 {
			list, err := t.texts(parts[1])
			return strings.Join(list, fmt.Sprint(parts[0])), err
		}
	case "Fn::Split":
		if parts, ok := argument.([]any); ok && len(parts) == 2 {
			text, err := t.text(parts[1])
			var list []any
			for part := range strings.SplitSeq(text, fmt.Sprint(parts[0])) {
				list = append(list, part)
			}
			return list, err
		}
	case "Fn::Select":
		if parts, ok := argument.([]any); ok && len(parts) == 2 {
			list, err := t.texts(parts[1])
			if err != nil {
				return nil, err
			}
			if i, ok := parts[0].(float64); ok && int(i) < len(list) {
				return list[int(i)], nil
			}
		}
	}
	raw, _ := json.Marshal(argument)
	return nil, fmt.Errorf("%s: %s %s is not resolved", t.stack, function, raw)
}

// texts resolves a list, or one value, of texts.
func (t *template) texts(v any) ([]string, error) {
	value, err := t.resolve(v)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("%s: %v is no text", t.stack, item)
		}
	}
	return out, nil
}

func (t *template) text(v any) (string, error) {
	list, err := t.texts(v)
	if err != nil || len(list) != 1 {
		return "", fmt.Errorf("%s: %v is not one text: %w", t.stack, v, err)
	}
	return list[0], nil
}

func (t *template) ref(id string) (any, error) {
	switch id {
	case "AWS::Partition":
		return partition, nil
	case "AWS::Region":
		return region, nil
	case "AWS::AccountId":
		return account, nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::StackName":
		return t.stack, nil
	case "AWS::StackId":
		return arn("cloudformation", "stack/"+t.stack+"/0a1b2c3d-0000-11f1-8000-0123456789ab"), nil
	case "AWS::NoValue":
		return nil, nil
	}
	if p, ok := t.Parameters[id]; ok {
		if p.Type == "AWS::SSM::Parameter::Value<String>" {
			return t.all.parameter(p.Default)
		}
		return p.Default, nil
	}
	return t.attribute(id, "")
}

// attribute is what a resource has under a name after its creation, and its Ref under
// none. The forms are those of the resource's page in CloudFormation's reference.
func (t *template) attribute(id, name string) (any, error) {
	r, ok := t.Resources[id]
	if !ok {
		return nil, fmt.Errorf("%s: there is no %s", t.stack, id)
	}
	named := func(property string) (string, error) {
		if r.Properties[property] == nil {
			return t.stack + "-" + id, nil
		}
		return t.text(r.Properties[property])
	}
	// The first is the property that names the resource, then its ARN's service and form.
	form := map[string][3]string{
		"AWS::ApiGatewayV2::Api":               {"", "", ""},
		"AWS::CloudWatch::Alarm":               {"AlarmName", "cloudwatch", "alarm:%s"},
		"AWS::Cognito::UserPool":               {"", "cognito-idp", "userpool/%s"},
		"AWS::Cognito::UserPoolClient":         {"", "", ""},
		"AWS::DynamoDB::GlobalTable":           {"TableName", "dynamodb", "table/%s"},
		"AWS::Events::EventBus":                {"Name", "events", "event-bus/%s"},
		"AWS::Lambda::Function":                {"FunctionName", "lambda", "function:%s"},
		"AWS::Logs::LogGroup":                  {"LogGroupName", "logs", "log-group:%s:*"},
		"AWS::S3::Bucket":                      {"BucketName", "", ""},
		"AWS::SecretsManager::Secret":          {"Name", "secretsmanager", "secret:%s-AbCdEf"},
		"AWS::ServiceDiscovery::HttpNamespace": {"", "servicediscovery", "namespace/%s"},
		"AWS::ServiceDiscovery::Service":       {"", "servicediscovery", "service/%s"},
		"AWS::SNS::Topic":                      {"TopicName", "sns", "%s"},
		"AWS::SQS::Queue":                      {"QueueName", "sqs", "%s"},
	}
	switch {
	case r.Type == "AWS::IAM::Role" && name == "Arn":
		role, err := named("RoleName")
		return "arn:" + partition + ":iam::" + account + ":role/" + role, err
	case r.Type == "AWS::IAM::Role" && name == "":
		return named("RoleName")
	case r.Type == "AWS::Events::Rule" && name == "Arn":
		rule, err := named("Name")
		if err != nil || r.Properties["EventBusName"] == nil {
			return arn("events", "rule/"+rule), err
		}
		bus, err := t.text(r.Properties["EventBusName"])
		return arn("events", "rule/"+bus+"/"+rule), err
	case r.Type == "AWS::S3::Bucket" && name != "":
		bucket, err := named("BucketName")
		return "arn:" + partition + ":s3:::" + bucket, err
	case r.Type == "AWS::Lambda::Alias" && name == "":
		function, err := t.text(r.Properties["FunctionName"])
		return arn("lambda", "function:"+function+":"+fmt.Sprint(r.Properties["Name"])), err
	}
	f, known := form[r.Type]
	if !known {
		return nil, fmt.Errorf("%s: %s of %s (%s) is not resolved", t.stack, name, id, r.Type)
	}
	physical, err := named(f[0])
	if err != nil {
		return nil, err
	}
	full := arn(f[1], fmt.Sprintf(f[2], physical))
	switch {
	case name == "Arn" && f[1] != "":
		return full, nil
	case name == "StreamArn":
		return full + "/stream/2026-01-01T00:00:00.000", nil
	case name == "" && r.Type == "AWS::SQS::Queue":
		return "https://sqs." + region + ".amazonaws.com/" + account + "/" + physical, nil
	case name == "" && (r.Type == "AWS::SNS::Topic" || r.Type == "AWS::SecretsManager::Secret"):
		return full, nil
	case name == "", name == "Id", name == f[0]:
		return physical, nil
	}
	return nil, fmt.Errorf("%s: %s of %s (%s) is not resolved", t.stack, name, id, r.Type)
}
