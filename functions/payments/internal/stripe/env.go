package stripe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	api "github.com/stripe/stripe-go/v82"

	"tradewind/functions/payments"
	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// FromEnv returns the provider with the secret key that STRIPE_SECRET_ARN names
// in Secrets Manager. It is read once, when the function starts: a rotated key
// reaches the next environments, and the old one has to stay valid for the life
// of those that run. STRIPE_API_URL puts another address in the place of
// Stripe's.
func FromEnv(vars *env.Vars) (payments.Provider, error) {
	arn, address := vars.Require("STRIPE_SECRET_ARN"), vars.String("STRIPE_API_URL", api.APIURL)
	if err := vars.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	secrets := secretsmanager.NewFromConfig(awsclient.Config(vars.Getenv, "SECRETSMANAGER"))
	out, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return nil, fmt.Errorf("stripe: read the secret key: %w", err)
	}
	key := strings.TrimSpace(aws.ToString(out.SecretString))
	if !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_") {
		return nil, errors.New("stripe: the secret holds no secret or restricted key")
	}
	return New(address, key, time.Now), nil
}
