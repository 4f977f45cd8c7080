package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSignIn plays the user pool, which sends version two of the event and reads groups
// from the answer.
func TestSignIn(t *testing.T) {
	for settings, want := range map[string][]string{
		`["SOFTWARE_TOKEN_MFA"]`: {"admin"},
		`[]`:                     {},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || r.Header.Get("X-Amz-Target") != "AWSCognitoIdentityProviderService.AdminGetUser" || !strings.Contains(string(body), `"Username":"usr_01k"`) {
				t.Errorf("%v: %s %s", err, r.Header.Get("X-Amz-Target"), body)
			}
			_, _ = io.WriteString(w, `{"Username": "usr_01k", "UserMFASettingList": `+settings+`}`)
		}))
		defer server.Close()
		handler := build(func(name string) string {
			return map[string]string{
				"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
			}[name]
		})
		answer, err := handler.Invoke(t.Context(), []byte(`{"version": "2", "triggerSource": "TokenGeneration_Authentication", "region": "eu-central-1",
			"userPoolId": "eu-central-1_pool", "userName": "usr_01k", "callerContext": {"awsSdkVersion": "1", "clientId": "c"},
			"request": {"userAttributes": {"sub": "s", "email": "a@example.com"}, "scopes": ["aws.cognito.signin.user.admin"],
				"groupConfiguration": {"groupsToOverride": ["admin"], "iamRolesToOverride": [], "preferredRole": null}},
			"response": {"claimsAndScopeOverrideDetails": null}}`))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Version, UserName string
			Response          struct {
				ClaimsAndScopeOverrideDetails struct {
					GroupOverrideDetails struct{ GroupsToOverride []string }
				}
			}
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Response.ClaimsAndScopeOverrideDetails.GroupOverrideDetails.GroupsToOverride); diff != "" || got.Version != "2" || got.UserName != "usr_01k" {
			t.Errorf("%s: %s", answer, diff)
		}
	}
}
