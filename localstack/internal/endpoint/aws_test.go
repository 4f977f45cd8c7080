package endpoint_test

import (
	"testing"

	"tradewind/localstack/internal/endpoint"
)

func TestALocalEndpointNeverGetsTheUsersCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "of-the-user")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	cfg := endpoint.AWS("http://127.0.0.1:4566", "us-east-1")
	c, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || c.AccessKeyID != "test" {
		t.Errorf("credentials: %q, %v", c.AccessKeyID, err)
	}
	if cfg.BaseEndpoint == nil || *cfg.BaseEndpoint != "http://127.0.0.1:4566" {
		t.Errorf("endpoint: %v", cfg.BaseEndpoint)
	}
}

func TestAWS(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "of-the-user")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	cfg := endpoint.AWS("", "eu-central-1")
	if cfg.BaseEndpoint != nil || cfg.Region != "eu-central-1" {
		t.Errorf("endpoint %v, region %q", cfg.BaseEndpoint, cfg.Region)
	}
	if c, err := cfg.Credentials.Retrieve(t.Context()); err != nil || c.AccessKeyID != "of-the-user" {
		t.Errorf("credentials: %q, %v", c.AccessKeyID, err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	if _, err := cfg.Credentials.Retrieve(t.Context()); err == nil {
		t.Error("no error without credentials")
	}
}
