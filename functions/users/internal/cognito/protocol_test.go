package cognito_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/functions/users"
	"tradewind/functions/users/internal/cognito"
	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// exchange is one call as the endpoint saw it.
type exchange struct {
	Operation string
	Body      map[string]any
}

// answer is what the endpoint says: a status and either a body or the name of an
// exception.
type answer struct {
	status int
	body   string
}

func exception(name string) answer {
	return answer{400, `{"__type":"com.amazonaws.cognito#` + name + `","message":"something about it"}`}
}

var fine = answer{200, `{}`}

// endpoint answers with answers in turn, then with the last one.
func endpoint(t *testing.T, answers ...answer) (pool *cognito.Pool, calls func() []exchange) {
	t.Helper()
	return endpointWith(t, "", answers...)
}

// endpointWith is the endpoint of a pool with a way of verification.
func endpointWith(t *testing.T, verification string, answers ...answer) (pool *cognito.Pool, calls func() []exchange) {
	t.Helper()
	var (
		mu   sync.Mutex
		seen []exchange
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchange{Operation: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService.")}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &e.Body); err != nil {
			t.Errorf("body %s: %v", body, err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%s %s, %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		}
		auth := r.Header.Get("Authorization")
		if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=AKID/") || !strings.Contains(auth, "/eu-central-1/cognito-idp/aws4_request") ||
			!strings.Contains(auth, "x-amz-target") || r.Header.Get("X-Amz-Security-Token") != "TOKEN" {
			t.Errorf("signed %q", auth)
		}
		mu.Lock()
		seen = append(seen, e)
		a := answers[min(len(seen), len(answers))-1]
		mu.Unlock()
		if a.status == 0 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	vars := env.From(func(name string) string {
		return map[string]string{
			"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET", "AWS_SESSION_TOKEN": "TOKEN",
			"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": server.URL + "/", "USER_POOL_ID": "eu-central-1_abc",
			"EMAIL_VERIFICATION": verification,
		}[name]
	})
	pool = cognito.FromEnv(vars)
	if err := vars.Err(); err != nil {
		t.Fatal(err)
	}
	return pool, func() []exchange {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func TestWhatIsSent(t *testing.T) {
	pool, calls := endpoint(t, fine, fine, fine, answer{200, `{"Username":"usr_1","UserAttributes":[]}`}, fine)
	ctx := context.Background()
	holder := ""
	err := errors.Join(
		pool.Create(ctx, "usr_1", "ada@example.com", "correct horse"),
		pool.Readdress(ctx, "usr_1", "grace@example.com"),
		func() (err error) { holder, err = pool.Holder(ctx, "grace@example.com"); return err }(),
		pool.Remove(ctx, "usr_1"),
	)
	if err != nil || holder != "usr_1" {
		t.Fatalf("%v, holder %q", err, holder)
	}
	attributes := func(email string) []any {
		return []any{map[string]any{"Name": "email", "Value": email}, map[string]any{"Name": "email_verified", "Value": "true"}}
	}
	want := []exchange{
		{"AdminCreateUser", map[string]any{"UserPoolId": "eu-central-1_abc", "Username": "usr_1", "MessageAction": "SUPPRESS", "UserAttributes": attributes("ada@example.com")}},
		{"AdminSetUserPassword", map[string]any{"UserPoolId": "eu-central-1_abc", "Username": "usr_1", "Password": "correct horse", "Permanent": true}},
		{"AdminUpdateUserAttributes", map[string]any{"UserPoolId": "eu-central-1_abc", "Username": "usr_1", "UserAttributes": attributes("grace@example.com")}},
		{"AdminGetUser", map[string]any{"UserPoolId": "eu-central-1_abc", "Username": "grace@example.com"}},
		{"AdminDeleteUser", map[string]any{"UserPoolId": "eu-central-1_abc", "Username": "usr_1"}},
	}
	if diff := cmp.Diff(want, calls()); diff != "" {
		t.Errorf("exchanges (-want +got):\n%s", diff)
	}
}

// Where addresses are verified by a code, the pool is told that a new one is not verified
// yet.
func TestUnverifiedAddress(t *testing.T) {
	for verification, want := range map[string]string{"": "true", "none": "true", "code": "false"} {
		pool, calls := endpointWith(t, verification, fine)
		ctx := context.Background()
		if err := errors.Join(pool.Create(ctx, "usr_1", "ada@example.com", "correct horse"), pool.Readdress(ctx, "usr_1", "grace@example.com")); err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, call := range calls() {
			attributes, _ := call.Body["UserAttributes"].([]any)
			for _, a := range attributes {
				if a := a.(map[string]any); a["Name"] == "email_verified" {
					told++
					if a["Value"] != want {
						t.Errorf("%s: %s says %v", verification, call.Operation, a["Value"])
					}
				}
			}
		}
		if told != 2 {
			t.Errorf("%s: told %d times", verification, told)
		}
	}
}

func TestHasTOTP(t *testing.T) {
	for body, want := range map[string]bool{
		`{"Username":"usr_1","UserMFASettingList":["SOFTWARE_TOKEN_MFA"]}`: true,
		`{"Username":"usr_1","UserMFASettingList":["SMS_MFA"]}`:            false,
		`{"Username":"usr_1"}`: false,
	} {
		pool, calls := endpoint(t, answer{200, body})
		got, err := pool.HasTOTP(context.Background(), "usr_1")
		if got != want || err != nil {
			t.Errorf("%s: %v, %v", body, got, err)
		}
		if diff := cmp.Diff([]exchange{{"AdminGetUser", map[string]any{"UserPoolId": "eu-central-1_abc", "Username": "usr_1"}}}, calls()); diff != "" {
			t.Error(diff)
		}
	}
	pool, _ := endpoint(t, answer{})
	if _, err := pool.HasTOTP(context.Background(), "usr_1"); apperr.KindOf(err) != apperr.Unavailable {
		t.Error(err)
	}
}

func TestWhatIsAnswered(t *testing.T) {
	create := func(p *cognito.Pool) error {
		return p.Create(context.Background(), "usr_1", "ada@example.com", "correct horse")
	}
	readdress := func(p *cognito.Pool) error { return p.Readdress(context.Background(), "usr_1", "ada@example.com") }
	remove := func(p *cognito.Pool) error { return p.Remove(context.Background(), "usr_1") }
	holder := func(p *cognito.Pool) error {
		id, err := p.Holder(context.Background(), "ada@example.com")
		if err == nil && id != "" {
			return errors.New("held by " + id)
		}
		return err
	}
	broken := answer{}
	tests := map[string]struct {
		call    func(*cognito.Pool) error
		answers []answer
		kind    apperr.Kind // of the error
		code    string      // empty for no error
		calls   int
	}{
		"create":                        {create, []answer{fine}, 0, "", 2},
		"begun before":                  {create, []answer{exception("UsernameExistsException"), fine}, 0, "", 2},
		"address taken":                 {create, []answer{exception("AliasExistsException")}, apperr.Conflict, "email_taken", 1},
		"address not taken":             {create, []answer{exception("InvalidParameterException")}, apperr.Invalid, "invalid", 1},
		"password not taken":            {create, []answer{fine, exception("InvalidPasswordException")}, apperr.Invalid, "invalid", 2},
		"password with odd characters":  {create, []answer{fine, exception("InvalidParameterException")}, apperr.Invalid, "invalid", 2},
		"removed in between":            {create, []answer{fine, exception("UserNotFoundException")}, apperr.Conflict, "idempotency_in_progress", 2},
		"throttled once":                {create, []answer{exception("TooManyRequestsException"), fine}, 0, "", 3},
		"connection broken once":        {create, []answer{broken, fine}, 0, "", 3},
		"created and never heard of it": {create, []answer{broken, exception("UsernameExistsException"), fine}, 0, "", 3},
		"throttled":                     {create, []answer{exception("TooManyRequestsException")}, apperr.Unavailable, "sign_in_unavailable", 3},
		"down":                          {create, []answer{{503, "<html>"}}, apperr.Unavailable, "sign_in_unavailable", 3},
		"unwell":                        {create, []answer{{500, `{"__type":"InternalErrorException"}`}}, apperr.Unavailable, "sign_in_unavailable", 3},
		"no pool":                       {create, []answer{exception("ResourceNotFoundException")}, apperr.Internal, "internal", 1},
		"not allowed":                   {create, []answer{exception("AccessDeniedException")}, apperr.Internal, "internal", 1},
		"readdress":                     {readdress, []answer{fine}, 0, "", 1},
		"readdress to a taken one":      {readdress, []answer{exception("AliasExistsException")}, apperr.Conflict, "email_taken", 1},
		"readdress to no address":       {readdress, []answer{exception("InvalidParameterException")}, apperr.Invalid, "invalid", 1},
		"readdress nobody":              {readdress, []answer{exception("UserNotFoundException")}, 0, "", 1},
		"remove":                        {remove, []answer{fine}, 0, "", 1},
		"remove nobody":                 {remove, []answer{exception("UserNotFoundException")}, 0, "", 1},
		"remove when down":              {remove, []answer{broken}, apperr.Unavailable, "sign_in_unavailable", 3},
		"held by nobody":                {holder, []answer{exception("UserNotFoundException")}, 0, "", 1},
		"holder unknown":                {holder, []answer{broken}, apperr.Unavailable, "sign_in_unavailable", 3},
		"no word of the holder":         {holder, []answer{{200, "<html>"}}, apperr.Internal, "internal", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, calls := endpoint(t, tt.answers...)
			err := tt.call(pool)
			if (err == nil) != (tt.code == "") || err != nil && (apperr.KindOf(err) != tt.kind || apperrtest.Code(err) != tt.code) {
				t.Errorf("error %v, want %s %q", err, tt.kind, tt.code)
			}
			if seen := calls(); len(seen) != tt.calls {
				t.Errorf("%d calls %v, want %d", len(seen), seen, tt.calls)
			}
			if err != nil && strings.Contains(err.Error(), "correct horse") {
				t.Errorf("a password in an error: %v", err)
			}
		})
	}
}

func TestPointers(t *testing.T) {
	tests := map[string][]answer{
		"/email":    {exception("InvalidParameterException")},
		"/password": {fine, exception("InvalidPasswordException")},
	}
	for want, answers := range tests {
		pool, _ := endpoint(t, answers...)
		err := pool.Create(context.Background(), "usr_1", "ada@example.com", "correct horse")
		e, _ := errors.AsType[*apperr.Error](err)
		if e == nil || !slices.ContainsFunc(e.Fields, func(f apperr.Field) bool { return f.Pointer == want }) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestTimeIsUp(t *testing.T) {
	pool, calls := endpoint(t, answer{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := pool.Remove(ctx, "usr_1"); apperr.KindOf(err) != apperr.Unavailable || len(calls()) != 0 {
		t.Errorf("%v after %d calls", err, len(calls()))
	}
}

func TestAddressOfTheService(t *testing.T) {
	cfg := awsclient.Config(func(name string) string {
		return map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET"}[name]
	}, "COGNITO_IDENTITY_PROVIDER")
	var called string
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		called = r.URL.String()
		return nil, errors.New("no network here")
	})
	_ = cognito.New(cfg, "eu-central-1_abc").Remove(context.Background(), "usr_1")
	if called != "https://cognito-idp.eu-central-1.amazonaws.com/" {
		t.Errorf("called %q", called)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

var _ users.SignIns = (*cognito.Pool)(nil)
