// Package fixups does by API what a local endpoint leaves undone when it deploys a
// template, so that the platform behaves as on AWS. Each function says what it
// makes up for. None of them is called on AWS.
package fixups

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"tradewind/localstack/internal/cdk"
)

// BalancerURL is where the endpoint serves a load balancer.
func BalancerURL(endpoint, name string) string {
	return endpoint + "/_alb/" + url.PathEscape(name)
}

// BalancerAddress publishes the internal load balancer's address, which on AWS its
// stack does: here its DNS name does not resolve, and only who started the endpoint
// knows the port. Call it before the service stacks are deployed, for they read it.
func BalancerAddress(ctx context.Context, cfg aws.Config, parameter, address string) error {
	return publish(ctx, cfg, parameter, address, "the load balancer's address")
}

// NameServer publishes where the private zone is served, which on AWS every network
// does by itself. Call it at the same time.
func NameServer(ctx context.Context, cfg aws.Config, parameter, address string) error {
	return publish(ctx, cfg, parameter, address, "the name server's address")
}

func publish(ctx context.Context, cfg aws.Config, parameter, value, what string) error {
	_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{
		Name:      aws.String(parameter),
		Value:     aws.String(value),
		Type:      ssmtypes.ParameterTypeString,
		Overwrite: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("publish %s: %w", what, err)
	}
	return nil
}

// Targets registers the functions behind the load balancer; the endpoint drops the
// targets a template gives a target group. It returns how many there are.
func Targets(ctx context.Context, cfg aws.Config, stacks cdk.Outputs) (int, error) {
	client := elb.NewFromConfig(cfg)
	n := 0
	for stack, o := range stacks {
		group, function := o["TargetGroupArn"], o["ApiFunctionArn"]
		if group == "" || function == "" {
			continue
		}
		_, err := client.RegisterTargets(ctx, &elb.RegisterTargetsInput{
			TargetGroupArn: aws.String(group),
			Targets:        []elbtypes.TargetDescription{{Id: aws.String(function)}},
		})
		if err != nil {
			return n, fmt.Errorf("register the target of %s: %w", stack, err)
		}
		n++
	}
	return n, nil
}

// archiveDays is how long events can be replayed, as on AWS.
const archiveDays = 14

// Archive keeps what passes a bus, so that it can be replayed; the endpoint refuses a
// template with an archive. No bus, nothing to do.
func Archive(ctx context.Context, cfg aws.Config, bus string) error {
	if bus == "" {
		return nil
	}
	client := eventbridge.NewFromConfig(cfg)
	found, err := client.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &bus})
	if err != nil {
		return fmt.Errorf("archive the events of %s: %w", bus, err)
	}
	_, err = client.CreateArchive(ctx, &eventbridge.CreateArchiveInput{
		ArchiveName: &bus, EventSourceArn: found.Arn, RetentionDays: aws.Int32(archiveDays),
	})
	if err != nil {
		return fmt.Errorf("archive the events of %s: %w", bus, err)
	}
	return nil
}

// CORS gives the HTTP API the cross-origin rules its template asks for; the endpoint
// stores a template's in a form that it then cannot read. No rules, nothing to do.
func CORS(ctx context.Context, cfg aws.Config, app, stack, apiID string) error {
	rules, err := corsOf(filepath.Join(app, stack+".template.json"))
	if err != nil || rules == nil {
		return err
	}
	_, err = apigatewayv2.NewFromConfig(cfg).UpdateApi(ctx, &apigatewayv2.UpdateApiInput{
		ApiId: aws.String(apiID), CorsConfiguration: rules,
	})
	if err != nil {
		return fmt.Errorf("set cross-origin rules: %w", err)
	}
	return nil
}

// corsOf reads the rules of the one HTTP API in a template. CloudFormation's names
// are the SDK's fields', so they decode as they are.
func corsOf(template string) (*apitypes.Cors, error) {
	text, err := os.ReadFile(template)
	if err != nil {
		return nil, fmt.Errorf("read cross-origin rules: %w", err)
	}
	var t struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ CorsConfiguration *apitypes.Cors }
		}
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("read cross-origin rules from %s: %w", template, err)
	}
	for _, r := range t.Resources {
		if r.Type == "AWS::ApiGatewayV2::Api" {
			return r.Properties.CorsConfiguration, nil
		}
	}
	return nil, nil
}
