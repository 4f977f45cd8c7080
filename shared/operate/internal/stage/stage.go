// Package stage finds the parts of a deployed stage of the platform, on AWS or on
// the local endpoint, for the tools that an operator runs.
//
// It exists because these tools must work where nothing but names and credentials
// are known: queues, bus, archive and functions have names made of the stage's, and
// a relay's configuration tells the rest.
//
// Callers must keep: a stage that was not asked for by name is that of a run on this
// machine, and never an account that happens to be set in the environment.
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

// Open returns the stage that TRADEWIND_STAGE names, on AWS with the credentials in
// the environment; without it the run whose outputs file TRADEWIND_OUTPUTS names, or
// that of `make run`.
func Open(getenv func(string) string) (*Stage, error) {
	if name := getenv("TRADEWIND_STAGE"); name != "" {
		return onAWS(getenv, name)
	}
	path := getenv("TRADEWIND_OUTPUTS")
	if path == "" {
		path = ".local/outputs.json"
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there: start the platform here with make run, or name a stage on AWS with STAGE=", path)
	}
	if err != nil {
		return nil, err
	}
	var outputs struct{ Endpoint, Region string }
	if err := json.Unmarshal(text, &outputs); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if outputs.Endpoint == "" {
		return nil, fmt.Errorf("%s is of a stage on AWS: name it with STAGE=", path)
	}
	return &Stage{local, aws.Config{
		Region: outputs.Region, BaseEndpoint: &outputs.Endpoint, Credentials: fixed("test", "test", ""),
	}}, nil
}

func onAWS(getenv func(string) string, name string) (*Stage, error) {
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

// Split returns the names in a list with commas.
func Split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// Window is a span of time.
type Window struct{ From, To time.Time }

// ParseWindow reads the ends of a window: a time in RFC 3339, or how long ago, as
// "90m" is. An empty end is now.
func ParseWindow(from, to string, now time.Time) (Window, error) {
	var w Window
	var err error
	if from == "" {
		return w, errors.New("FROM= is missing: a time such as 2026-11-12T14:00:00Z, or how long ago, such as 2h")
	}
	if w.From, err = moment("FROM", from, now); err != nil {
		return w, err
	}
	if w.To, err = moment("TO", to, now); err != nil {
		return w, err
	}
	if !w.From.Before(w.To) {
		return w, fmt.Errorf("the window from %s to %s is empty", w.From.Format(time.RFC3339), w.To.Format(time.RFC3339))
	}
	return w, nil
}

func moment(end, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now.UTC(), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s=%s is neither a time such as 2026-11-12T14:00:00Z nor how long ago, such as 2h", end, text)
	}
	return t.UTC(), nil
}

// String is the window as people read it.
func (w Window) String() string {
	return w.From.Format("2006-01-02T15:04:05Z") + " to " + w.To.Format("2006-01-02T15:04:05Z")
}
