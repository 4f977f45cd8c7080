// Package cognito makes sign-ins in an Amazon Cognito user pool.
//
// It calls the pool's API over HTTP, signed by the SDK's signer, and not by the
// SDK's Cognito package: that one brings the code of 120 operations, of which
// five are needed here, and with it 0.45 MB, which is more than the api
// function's budget has left (measured with cognitoidentityprovider v1.61.0:
// 8.73 MB against 8.32 MB, and a start of 1.22 against 1.19 times bare).
package cognito

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tradewind/functions/users"
	"tradewind/shared/apperr"
	"tradewind/shared/auth"
	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// Pool is a users.SignIns.
type Pool struct {
	id         string
	cfg        aws.Config
	url        string
	signer     *v4.Signer
	unverified bool // addresses are, until their owner has entered a code
}

var _ users.SignIns = (*Pool)(nil)

// FromEnv returns the pool that USER_POOL_ID names. EMAIL_VERIFICATION says how it comes to
// trust an address: none, at once; code, when its owner has entered one.
func FromEnv(vars *env.Vars) *Pool {
	p := New(awsclient.Config(vars.Getenv, "COGNITO_IDENTITY_PROVIDER"), vars.Require("USER_POOL_ID"))
	p.unverified = vars.OneOf("EMAIL_VERIFICATION", "none", "code") == "code"
	return p
}

// New returns the pool with an id.
func New(cfg aws.Config, id string) *Pool {
	url := "https://cognito-idp." + cfg.Region + ".amazonaws.com/"
	if cfg.BaseEndpoint != nil {
		url = *cfg.BaseEndpoint
	}
	return &Pool{id: id, cfg: cfg, url: url, signer: v4.NewSigner()}
}

// request has the parameters of all operations
// (https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/).
type request struct {
	UserPoolID     string      `json:"UserPoolId"`
	Username       string      `json:"Username"`
	UserAttributes []attribute `json:"UserAttributes,omitempty"`
	MessageAction  string      `json:"MessageAction,omitempty"`
	Password       string      `json:"Password,omitempty"`
	Permanent      bool        `json:"Permanent,omitempty"`
}

type attribute struct{ Name, Value string }

// attributes make an address a name to sign in by, which only a verified one is. One that
// is not yet verified belongs to no sign-in: two may have it, and Holder finds neither.
func (p *Pool) attributes(email string) []attribute {
	return []attribute{{"email", email}, {"email_verified", strconv.FormatBool(!p.unverified)}}
}

// Create implements users.SignIns.
func (p *Pool) Create(ctx context.Context, id, email, password string) error {
	err := p.call(ctx, "AdminCreateUser", request{Username: id, UserAttributes: p.attributes(email), MessageAction: "SUPPRESS"}, nil)
	switch code(err) {
	case "UsernameExistsException": // begun before: the id is nobody else's
	case "InvalidParameterException":
		return refused("/email", err)
	default:
		if err != nil {
			return err
		}
	}
	err = p.call(ctx, "AdminSetUserPassword", request{Username: id, Password: password, Permanent: true}, nil)
	switch code(err) {
	case "InvalidPasswordException", "InvalidParameterException":
		return refused("/password", err)
	case "UserNotFoundException":
		return users.ErrOvertaken // who overtook this attempt has removed it
	}
	return err
}

// Readdress implements users.SignIns.
func (p *Pool) Readdress(ctx context.Context, id, email string) error {
	err := p.call(ctx, "AdminUpdateUserAttributes", request{Username: id, UserAttributes: p.attributes(email)}, nil)
	switch code(err) {
	case "InvalidParameterException":
		return refused("/email", err)
	case "UserNotFoundException":
		return nil // then it answers under no address
	}
	return err
}

// Holder implements users.SignIns.
func (p *Pool) Holder(ctx context.Context, email string) (string, error) {
	var found struct{ Username string }
	err := p.call(ctx, "AdminGetUser", request{Username: email}, &found)
	if code(err) == "UserNotFoundException" {
		return "", nil
	}
	return found.Username, err
}

// Remove implements users.SignIns.
func (p *Pool) Remove(ctx context.Context, id string) error {
	err := p.call(ctx, "AdminDeleteUser", request{Username: id}, nil)
	if code(err) == "UserNotFoundException" {
		return nil
	}
	return err
}

// HasTOTP reports whether a user signs in with a time-based one-time password too.
func (p *Pool) HasTOTP(ctx context.Context, username string) (bool, error) {
	var found struct{ UserMFASettingList []string }
	err := p.call(ctx, "AdminGetUser", request{Username: username}, &found)
	return slices.Contains(found.UserMFASettingList, "SOFTWARE_TOKEN_MFA"), err
}

// Keys returns the public keys that verify the pool's tokens, in the form of POOL_KEYS,
// and where it publishes them. Anybody may ask there, so nothing is signed.
func (p *Pool) Keys(ctx context.Context) (keys, url string, err error) {
	url = strings.TrimSuffix(p.url, "/") + "/" + p.id + "/.well-known/jwks.json"
	keys, err = auth.FetchKeys(ctx, url)
	return keys, url, err
}

func refused(pointer string, cause error) error {
	return &apperr.Error{
		Kind: apperr.Invalid, Code: "invalid", Message: "The request is well-formed but not valid; see errors.",
		Fields: []apperr.Field{{Pointer: pointer, Message: "is not one that can be signed in with"}}, Err: cause,
	}
}

// failure is an error that the pool answered with.
type failure struct {
	operation, code, message string
}

func (f *failure) Error() string { return f.operation + ": " + f.code + ": " + f.message }

func code(err error) string {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return ""
}

// maxAttempts bounds how often one operation is tried.
const maxAttempts = 3

// call performs an operation. Any of them may be repeated, so what may pass by
// itself is tried again before it becomes an Unavailable error.
func (p *Pool) call(ctx context.Context, operation string, in request, out any) error {
	in.UserPoolID = p.id
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	for attempt := 1; ; attempt++ {
		err = p.exchange(ctx, operation, body, out)
		if !transient(err) {
			break
		}
		if attempt == maxAttempts || !sleep(ctx, attempt) {
			return apperr.Wrap(err, apperr.Unavailable, "sign_in_unavailable", "Sign-ins cannot be changed at the moment; try again shortly.")
		}
	}
	if code(err) == "AliasExistsException" {
		return users.ErrEmailTaken
	}
	return err
}

// maxAnswer is more than any answer of these operations has.
const maxAnswer = 64 << 10

// exchange is one request and its answer, which is decoded into out unless nil.
func (p *Pool) exchange(ctx context.Context, operation string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	credentials, err := p.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	if err := p.signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(digest[:]), "cognito-idp", p.cfg.Region, time.Now()); err != nil {
		return err
	}
	res, err := p.cfg.HTTPClient.Do(req)
	if err != nil {
		return &failure{operation, unreachable, err.Error()}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &failure{operation, unreachable, err.Error()}
	}
	if res.StatusCode == http.StatusOK {
		if out == nil {
			return nil
		}
		return json.Unmarshal(answer, out)
	}
	var fault struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &fault) != nil || fault.Type == "" || res.StatusCode >= http.StatusInternalServerError {
		return &failure{operation, unreachable, res.Status + " " + fault.Type}
	}
	return &failure{operation, fault.Type[strings.LastIndexByte(fault.Type, '#')+1:], fault.Message}
}

// unreachable is the code of a failure that is not the pool's word.
const unreachable = "Unreachable"

// transient reports whether a failure may pass by itself.
func transient(err error) bool {
	switch code(err) {
	case unreachable, "TooManyRequestsException", "ThrottlingException", "LimitExceededException", "InternalErrorException", "ConcurrentModificationException":
		return true
	}
	return false
}

// sleep waits before a repeat, with full jitter under a bound that doubles from
// 100 ms; false when the time is up.
func sleep(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(rand.N(100 * time.Millisecond << (attempt - 1)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
