// Package ses hands mails to Amazon SES.
//
// SES takes no idempotency key: asked twice, it sends twice. So a message is
// handed over once, without the SDK's own retries, and the answer is sorted by
// what it says about that one time: sent, refused for good, surely not taken, or
// not known. Only the third may be repeated.
package ses

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"tradewind/functions/notifications"
	"tradewind/shared/apperr"
	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// FromEnv returns the mailer that MAILER names: with "ses" this one, which
// sends from MAIL_FROM; with "none", the default, no mailer at all.
func FromEnv(vars *env.Vars) notifications.Mailer {
	if vars.OneOf("MAILER", "none", "ses") == "none" {
		return nil
	}
	return New(awsclient.Config(vars.Getenv, "SESV2"), vars.Require("MAIL_FROM"))
}

// Mailer is a notifications.Mailer.
type Mailer struct {
	client *sesv2.Client
	from   string
}

// New returns a mailer that sends from an address whose domain SES has verified.
func New(cfg aws.Config, from string) *Mailer {
	return &Mailer{
		client: sesv2.NewFromConfig(cfg, func(o *sesv2.Options) { o.Retryer = aws.NopRetryer{} }),
		from:   from,
	}
}

// Send implements notifications.Mailer.
func (m *Mailer) Send(ctx context.Context, msg notifications.Message) error {
	text := func(s string) *types.Content { return &types.Content{Data: &s, Charset: aws.String("UTF-8")} }
	_, err := m.client.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: &m.from,
		Destination:      &types.Destination{ToAddresses: []string{msg.To}},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: text(msg.Subject),
			Body:    &types.Body{Text: text(msg.Body)},
		}},
	})
	return classify(err)
}

// classify says what an error of SES means for the message.
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
func classify(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*types.MessageRejected](err); ok && !strings.Contains(e.ErrorMessage(), "not verified") {
		return refused(err)
	}
	if _, ok := errors.AsType[*types.BadRequestException](err); ok {
		return refused(err)
	}
	// Any other refusal is about the account: too fast, paused, not allowed, or a
	// sender that nobody has verified, which is told apart by words only. A 5xx but
	// for 503 may come from behind the point of no return, and so may an answer
	// that cannot be read.
	if res, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		code := res.HTTPStatusCode()
		if code >= 400 && code < 500 || code == http.StatusServiceUnavailable {
			return notTaken(err)
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return notTaken(err)
	}
	return err
}

func refused(err error) error {
	return apperr.Wrap(err, apperr.Invalid, "mail_refused", "The mail server does not take this message.")
}

func notTaken(err error) error {
	return apperr.Wrap(err, apperr.Unavailable, "mail_unavailable", "The mail server takes no messages at the moment.")
}
