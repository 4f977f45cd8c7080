// Package redeploy gives a function that is deployed other variables, in the steps in
// which a deployment does it: configuration, a new version of the same code, and the
// alias that callers use moved to it.
//
// It is for tests of what variables decide. A deployment would do too, but a synthesis
// and the stacks take ten times as long.
package redeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// alias is the one that gateway and balancer call, as infra names it.
const alias = "live"

// patience is for how long a change of configuration may be under way.
const patience = time.Minute

// Function is a deployed function.
type Function struct {
	client *lambda.Client
	name   string
}

// New returns the function with a name.
func New(cfg aws.Config, name string) Function {
	return Function{lambda.NewFromConfig(cfg), name}
}

// Live is what callers of the function get.
type Live struct {
	Version   string
	Variables map[string]string
	Code      string // SHA-256 of the archive
}

// Live returns the version behind the alias.
func (f Function) Live(ctx context.Context) (Live, error) {
	// Not GetFunctionConfiguration, for which LocalStack knows no alias.
	found, err := f.client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String(f.name), Qualifier: aws.String(alias)})
	if err != nil {
		return Live{}, fmt.Errorf("configuration of %s: %w", f.name, err)
	}
	out := found.Configuration
	live := Live{Version: aws.ToString(out.Version), Code: aws.ToString(out.CodeSha256), Variables: map[string]string{}}
	if out.Environment != nil {
		live.Variables = out.Environment.Variables
	}
	return live, nil
}

// SetVariables replaces the variables. When it returns, the next call of the function
// meets them.
func (f Function) SetVariables(ctx context.Context, variables map[string]string) error {
	version, err := f.Publish(ctx, variables)
	if err != nil {
		return err
	}
	return f.MoveTo(ctx, version.Number)
}

// MoveTo has callers get a version that is published.
func (f Function) MoveTo(ctx context.Context, version string) error {
	_, err := f.client.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: aws.String(f.name), Name: aws.String(alias), FunctionVersion: aws.String(version),
	})
	if err != nil {
		return fmt.Errorf("move the callers of %s to version %s: %w", f.name, version, err)
	}
	return nil
}

// Version is one that was published.
type Version struct{ Number, ARN string }

// Publish makes a version with other variables, which nobody calls yet.
func (f Function) Publish(ctx context.Context, variables map[string]string) (v Version, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("a version of %s with other variables: %w", f.name, err)
		}
	}()
	_, err = f.client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String(f.name), Environment: &types.Environment{Variables: variables},
	})
	if err != nil {
		return v, err
	}
	changed := lambda.NewFunctionUpdatedV2Waiter(f.client)
	if err := changed.Wait(ctx, &lambda.GetFunctionInput{FunctionName: aws.String(f.name)}, patience); err != nil {
		return v, err
	}
	out, err := f.client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String(f.name)})
	if err != nil {
		return v, err
	}
	return Version{aws.ToString(out.Version), aws.ToString(out.FunctionArn)}, nil
}
