package ses_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"tradewind/functions/notifications"
	"tradewind/functions/notifications/internal/ses"
	"tradewind/shared/apperr"
	"tradewind/shared/env"
)

// server is SES: it answers as it is told and keeps what it was sent.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []map[string]any
}

func (s *server) received() []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent map[string]any
		if err := json.Unmarshal(body, &sent); err != nil || r.Method != http.MethodPost || r.URL.Path != "/v2/email/outbound-emails" {
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
		s.mu.Lock()
		s.requests = append(s.requests, sent)
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func mailer(t *testing.T, url string) notifications.Mailer {
	t.Helper()
	vars := env.From(func(name string) string {
		return map[string]string{
			"MAILER": "ses", "MAIL_FROM": "shop@tradewind.example", "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_SESV2": url,
			"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		}[name]
	})
	m := ses.FromEnv(vars)
	if err := vars.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

var message = notifications.Message{To: "ada@example.com", Subject: "Grüße", Body: "Hello Ada,\n\nall is well."}

// answers returns a handler with an answer in the shape that SES has.
func answers(status int, errorType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if errorType != "" {
			w.Header().Set("X-Amzn-Errortype", errorType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestSend(t *testing.T) {
	s := newServer(t, answers(http.StatusOK, "", `{"MessageId":"0100018f-1"}`))
	if err := mailer(t, s.URL).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(s.received())
	want := `[{"Content":{"Simple":{"Body":{"Text":{"Charset":"UTF-8","Data":"Hello Ada,\n\nall is well."}},"Subject":{"Charset":"UTF-8","Data":"Grüße"}}},` +
		`"Destination":{"ToAddresses":["ada@example.com"]},"FromEmailAddress":"shop@tradewind.example"}]`
	if string(got) != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

// What each answer means, and that none makes the SDK try again by itself.
func TestAnswers(t *testing.T) {
	const unknown = apperr.Internal
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		want   apperr.Kind
	}{
		"rejected":         {answers(400, "MessageRejected", `{"message":"The message contains a virus."}`), apperr.Invalid},
		"sender unknown":   {answers(400, "MessageRejected", `{"message":"Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: shop@tradewind.example"}`), apperr.Unavailable},
		"bad address":      {answers(400, "BadRequestException", `{"message":"Missing final '@domain'"}`), apperr.Invalid},
		"too fast":         {answers(429, "TooManyRequestsException", `{"message":"Maximum sending rate exceeded."}`), apperr.Unavailable},
		"quota used up":    {answers(400, "LimitExceededException", `{"message":"Daily message quota exceeded."}`), apperr.Unavailable},
		"paused":           {answers(400, "SendingPausedException", `{"message":"Email sending is disabled."}`), apperr.Unavailable},
		"suspended":        {answers(400, "AccountSuspendedException", `{"message":"suspended"}`), apperr.Unavailable},
		"domain not ready": {answers(400, "MailFromDomainNotVerifiedException", `{"message":"not verified"}`), apperr.Unavailable},
		"not allowed":      {answers(403, "AccessDeniedException", `{"message":"not authorized to perform: ses:SendEmail"}`), apperr.Unavailable},
		"not serving":      {answers(503, "ServiceUnavailableException", `{}`), apperr.Unavailable},
		"failed inside":    {answers(500, "InternalFailure", `{}`), unknown},
		"gateway timeout":  {answers(504, "", ``), unknown},
		"no JSON":          {answers(200, "", `<html>`), unknown},
		"hangs up":         {hangUp, unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, tt.answer)
			err := mailer(t, s.URL).Send(t.Context(), message)
			if err == nil || apperr.KindOf(err) != tt.want {
				t.Errorf("got kind %v of %v, want %v", apperr.KindOf(err), err, tt.want)
			}
			if n := len(s.received()); n != 1 {
				t.Errorf("%d messages were handed over", n)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	if err := mailer(t, s.URL).Send(t.Context(), message); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestFromEnv(t *testing.T) {
	tests := map[string]struct {
		env    map[string]string
		mailer bool
		fails  bool
	}{
		"nothing set": {nil, false, false},
		"none":        {map[string]string{"MAILER": "none"}, false, false},
		"ses":         {map[string]string{"MAILER": "ses", "MAIL_FROM": "a@example.com"}, true, false},
		"no sender":   {map[string]string{"MAILER": "ses"}, true, true},
		"unknown":     {map[string]string{"MAILER": "pigeon"}, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vars := env.From(func(name string) string { return tt.env[name] })
			if m := ses.FromEnv(vars); (m != nil) != tt.mailer || (vars.Err() != nil) != tt.fails {
				t.Errorf("mailer %v, error %v", m, vars.Err())
			}
		})
	}
}
