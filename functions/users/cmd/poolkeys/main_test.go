package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tradewind/shared/auth"
	"tradewind/shared/logs"
)

// set is a pool's key set with members that have no business in a configuration, and a
// key that no token can be signed with.
const set = `{"keys":[
	{"kid":"k1","kty":"RSA","use":"sig","alg":"RS256","e":"AQAB","n":"%[1]s","d":"secret","x5c":["certificate"]},
	{"kid":"k2","kty":"EC","crv":"P-256","x":"x","y":"y"}]}`

var modulus = strings.Repeat("z", 341) + "8"

// TestDeployment plays CloudFormation and the pool.
func TestDeployment(t *testing.T) {
	var answer struct {
		Status, Reason, PhysicalResourceId string
		Data                               struct{ Keys, Url string }
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("GET /eu-central-1_pool/.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a public address was asked with credentials")
		}
		fmt.Fprintf(w, set, modulus)
	})
	mux.HandleFunc("PUT /answer", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) > 4096 {
			t.Errorf("CloudFormation takes 4096 bytes, not %d; %v", len(body), err)
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Error(err)
		}
	})
	handler := build(func(name string) string {
		return map[string]string{"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": server.URL}[name]
	})
	event := `{"RequestType":"Create","RequestId":"1","ResponseURL":"` + server.URL + `/answer","StackId":"stack",
		"ResourceType":"Custom::PoolKeys","LogicalResourceId":"PoolKeys","ResourceProperties":{"ServiceToken":"arn","UserPoolId":"eu-central-1_pool"}}`
	if _, err := handler.Invoke(t.Context(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"kid":"k1","kty":"RSA","use":"sig","alg":"RS256","n":"` + modulus + `","e":"AQAB"}]}`
	if answer.Status != "SUCCESS" || answer.Data.Keys != want || answer.Data.Url != server.URL+"/eu-central-1_pool/.well-known/jwks.json" {
		t.Errorf("%+v", answer)
	}
	verifier := auth.New(auth.Config{Issuer: "i", ClientID: "c", Keys: answer.Data.Keys, Log: logs.Discard(), Now: time.Now})
	// {"alg":"RS256","kid":"k1"}: the key is known, and the signature is not its.
	_, err := verifier.Verify(t.Context(), "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.AA")
	if err == nil || !strings.Contains(err.Error(), "signature is invalid") {
		t.Errorf("with the answer's keys: %v", err)
	}

	event = strings.Replace(event, `,"UserPoolId":"eu-central-1_pool"`, "", 1)
	if _, err := handler.Invoke(t.Context(), []byte(event)); err != nil || answer.Status != "FAILED" || !strings.Contains(answer.Reason, "UserPoolId") {
		t.Errorf("without a pool: %+v, %v", answer, err)
	}
}
