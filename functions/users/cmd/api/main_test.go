package main

import (
	"context"
	"strings"
	"testing"
)

func environment(name string) string {
	return map[string]string{
		"AWS_REGION": "eu-central-1", "TABLE_NAME": "users", "USER_POOL_ID": "eu-central-1_abc", "CURSOR_KEY": strings.Repeat("k", 32),
		"TOKEN_ISSUER": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc", "USER_POOL_CLIENT_ID": "client", "POOL_KEYS": "{}",
	}[name]
}

func TestBuild(t *testing.T) {
	handler, err := build(environment)
	if err != nil {
		t.Fatal(err)
	}
	const event = `{"version":"2.0","rawPath":"/api/users/openapi.json","headers":{},"requestContext":{"http":{"method":"GET"}}}`
	answer, err := handler.Invoke(context.Background(), []byte(event))
	if err != nil || !strings.Contains(string(answer), `"statusCode":200`) {
		t.Errorf("%s, %v", answer, err)
	}
}

func TestBuildReportsAllThatIsMissing(t *testing.T) {
	_, err := build(func(string) string { return "" })
	for _, name := range []string{"TABLE_NAME", "USER_POOL_ID", "CURSOR_KEY", "TOKEN_ISSUER", "USER_POOL_CLIENT_ID", "JWKS_URL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing in %v", name, err)
		}
	}
}
