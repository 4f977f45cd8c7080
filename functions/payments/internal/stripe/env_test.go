package stripe_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tradewind/functions/payments"
	"tradewind/functions/payments/internal/stripe"
	"tradewind/shared/env"
)

const arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf"

// secrets is Secrets Manager with one secret.
func secrets(t *testing.T, value string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || string(body) != `{"SecretId":"`+arn+`"}` {
			t.Errorf("asked %s %s", r.Header.Get("X-Amz-Target"), body)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if value == "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"ARN":%q,"Name":"stripe","VersionId":"1","SecretString":%q}`, arn, value)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestFromEnv(t *testing.T) {
	tests := map[string]struct {
		arn, secret string
		want        string // of the error; "" for none
	}{
		"a secret key":     {arn, "sk_test_x\n", ""},
		"another's key":    {arn, "whsec_x", "no secret or restricted key"},
		"no such secret":   {arn, "", "ResourceNotFoundException"},
		"no secret's name": {"", "sk_test_x", "STRIPE_SECRET_ARN is not set"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p, err := stripe.FromEnv(env.From(func(name string) string {
				return map[string]string{
					"STRIPE_SECRET_ARN": tt.arn, "STRIPE_API_URL": f.URL, "AWS_REGION": "eu-central-1",
					"AWS_ENDPOINT_URL_SECRETSMANAGER": secrets(t, tt.secret).URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
				}[name]
			}))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sec_x") {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c := charge("pm_card_visa")
			if got, err := p.Charge(t.Context(), c); err != nil || got.Result != payments.Paid {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
