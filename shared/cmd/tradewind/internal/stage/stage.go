// Package stage finds the parts of a deployed stage of the platform, on AWS or on
// the local endpoint, for the tools that an operator runs.
//
// It exists because these tools must work where nothing but names and credentials
// are known: queues, bus, archive and functions have names made of the stage's, and
// a relay's configuration tells the rest.
package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// local is what the stage of a run on this machine is called.
const local = "local"

// The parts of a service that have names.
const (
	Consumer    = "consumer" // its queue, and its function
	ConsumerDLQ = "consumer-dlq"
	RuleDLQ     = "rule-dlq"
	RelayDLQ    = "relay-dlq"
	Relay       = "relay" // its function
)

// Stage is a deployed stage.
type Stage struct {
	Name   string
	Config aws.Config // for clients of its services
}

// nameRule is the rule for the name of a stage on AWS; the templates have the same.
const nameRule = "a lower-case letter, then at most 7 lower-case letters or digits; not local (the run on this machine), ec2 or compute (names of AWS in every network)"

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,7}$`)

// CheckName returns an error if no stage on AWS can have a name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) || slices.Contains([]string{local, "ec2", "compute"}, name) {
		return fmt.Errorf("%q is not the name of a stage on AWS: %s", name, nameRule)
	}
	return nil
}

// Here returns the stage of the run on this machine that wrote the outputs file at path.
func Here(path string) (*Stage, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: start the platform here with make run, or name a stage on AWS (--stage, with make STAGE=)", path)
	}
	if err != nil {
		return nil, err
	}
	var outputs struct{ Endpoint, Region string }
	if err := json.Unmarshal(text, &outputs); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if outputs.Endpoint == "" {
		return nil, fmt.Errorf("%s is of a stage on AWS: name that stage (--stage, with make STAGE=)", path)
	}
	return &Stage{local, aws.Config{
		Region: outputs.Region, BaseEndpoint: &outputs.Endpoint, Credentials: fixed("test", "test", ""),
	}}, nil
}

// OnAWS returns a stage in the account of the environment's credentials.
func OnAWS(name string, getenv func(string) string) (*Stage, error) {
	region := getenv("AWS_REGION")
	if region == "" {
		region = getenv("AWS_DEFAULT_REGION")
	}
	id, secret := getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	if region == "" || id == "" || secret == "" {
		return nil, fmt.Errorf("stage %s is on AWS: set AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (of a profile: aws configure export-credentials --format env)", name)
	}
	return &Stage{name, aws.Config{Region: region, Credentials: fixed(id, secret, getenv("AWS_SESSION_TOKEN"))}}, nil
}

func fixed(id, secret, token string) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token, Source: "environment"}, nil
	}
}

// Local says whether the stage is a run on this machine.
func (s *Stage) Local() bool { return s.Config.BaseEndpoint != nil }

// Bus is the name of the event bus, and of its archive.
func (s *Stage) Bus() string { return "tradewind-" + s.Name }

// Resource is the name of a part of a service.
func (s *Stage) Resource(service, part string) string { return s.Bus() + "-" + service + "-" + part }

// QueueURL returns the URL of a service's queue; the error for one that is not there
// names those that are.
func (s *Stage) QueueURL(ctx context.Context, service, part string) (string, error) {
	urls, err := s.queues(ctx)
	if err != nil {
		return "", err
	}
	name := s.Resource(service, part)
	if url, ok := urls[name]; ok {
		return url, nil
	}
	return "", fmt.Errorf("stage %s has no queue %s; it has %s", s.Name, name, strings.Join(slices.Sorted(maps.Keys(urls)), ", "))
}

// QueueARN returns the ARN of a service's queue.
func (s *Stage) QueueARN(ctx context.Context, service, part string) (string, error) {
	url, err := s.QueueURL(ctx, service, part)
	if err != nil {
		return "", err
	}
	out, err := sqs.NewFromConfig(s.Config).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", fmt.Errorf("look at queue %s: %w", s.Resource(service, part), err)
	}
	return out.Attributes[string(types.QueueAttributeNameQueueArn)], nil
}

// Services returns the names of the services, which each have a relay.
func (s *Stage) Services(ctx context.Context) ([]string, error) {
	names, err := s.Queues(ctx)
	if err != nil {
		return nil, err
	}
	var services []string
	for _, name := range names {
		if service, ok := strings.CutSuffix(strings.TrimPrefix(name, s.Bus()+"-"), "-"+RelayDLQ); ok {
			services = append(services, service)
		}
	}
	if len(services) == 0 {
		return nil, fmt.Errorf("stage %s has no services", s.Name)
	}
	return services, nil
}

// Queues returns the names of the stage's queues, without what tells them from those of
// an earlier stack.
func (s *Stage) Queues(ctx context.Context) ([]string, error) {
	urls, err := s.queues(ctx)
	return slices.Sorted(maps.Keys(urls)), err
}

// suffix ends the name of every queue: a part of its stack's id.
var suffix = regexp.MustCompile(`-[0-9a-f]{8}$`)

// queues returns the URLs of the stage's queues by name, without the suffix.
func (s *Stage) queues(ctx context.Context) (map[string]string, error) {
	prefix := s.Bus() + "-"
	urls := map[string]string{}
	pages := sqs.NewListQueuesPaginator(sqs.NewFromConfig(s.Config), &sqs.ListQueuesInput{
		QueueNamePrefix: &prefix, MaxResults: aws.Int32(1000),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the queues of stage %s: %w", s.Name, err)
		}
		for _, url := range page.QueueUrls {
			urls[suffix.ReplaceAllString(url[strings.LastIndexByte(url, '/')+1:], "")] = url
		}
	}
	return urls, nil
}

// Table returns the name of a service's table, as its relay knows it.
func (s *Stage) Table(ctx context.Context, service string) (string, error) {
	function := s.Resource(service, Relay)
	out, err := lambda.NewFromConfig(s.Config).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return "", fmt.Errorf("find the table of %s: %w", service, err)
	}
	table := ""
	if out.Environment != nil {
		table = out.Environment.Variables["TABLE_NAME"]
	}
	if table == "" {
		return "", fmt.Errorf("find the table of %s: %s has no TABLE_NAME", service, function)
	}
	return table, nil
}

// Window is a span of time.
type Window struct{ From, To time.Time }

// String is the window as people read it.
func (w Window) String() string {
	return w.From.Format("2006-01-02T15:04:05Z") + " to " + w.To.Format("2006-01-02T15:04:05Z")
}
