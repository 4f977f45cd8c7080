// Package quarantine puts what a function cannot process into a dead-letter queue:
// its body as it was, and beside it, as message attributes, why it is there, how
// often it was tried and since when.
//
// It exists because a queue by itself moves a message only after all its
// deliveries, also where the first has shown that no other can end better, and does
// not know the reason. Relays and consumers note the same attributes, so that one
// command (tradewind redrive) lists what stands in any of these queues and sends it
// back.
//
// Callers must keep: a message is acknowledged only after Put has returned nil. A
// function that is killed between the two leaves a second copy, which the consumers'
// inboxes make harmless; nothing is ever lost. Attributes hold no personal data:
// see Redact.
package quarantine

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tradewind/shared/apperr"
	"tradewind/shared/awsclient"
	"tradewind/shared/env"
)

// The names of a message's attributes. All are text; those that are not known are
// left out.
const (
	AttrEventType = "eventType"
	AttrEventID   = "eventId"
	AttrSubject   = "subject"
	AttrCause     = "cause"
	AttrAttempts  = "attempts"
	AttrFirstSeen = "firstSeenAt" // RFC 3339
	AttrStack     = "stack"       // of a panic
	AttrRedrives  = "redrives"    // how often an operator has sent it back
)

// Limits of the attributes, which together with the largest body must fit a message
// (256 KiB; see outbox.MaxDetail).
const (
	maxWord  = 128
	maxCause = 1 << 10
	maxStack = 8 << 10
)

// Sender is what a dead-letter queue needs of SQS.
type Sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Queue is a dead-letter queue.
type Queue struct {
	sqs Sender
	url string
}

// New returns the dead-letter queue with a URL.
func New(client Sender, url string) *Queue { return &Queue{client, url} }

// FromEnv returns the dead-letter queue that DLQ_URL names.
func FromEnv(vars *env.Vars) *Queue {
	return New(sqs.NewFromConfig(awsclient.Config(vars.Getenv, "SQS")), vars.Require("DLQ_URL"))
}

// Letter is what goes into a dead-letter queue.
type Letter struct {
	Body string // unchanged
	Note Note
}

// Note says what is known of a letter. It is written without personal data.
type Note struct {
	EventType, EventID, Subject string

	Cause     string // redacted
	Stack     string // of a panic
	Attempts  int
	FirstSeen time.Time
	Redrives  int
}

// Put puts a letter into the queue.
func (q *Queue) Put(ctx context.Context, l Letter) error {
	_, err := q.sqs.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.url, MessageBody: &l.Body, MessageAttributes: l.Note.Attributes(),
	})
	return err
}

// Attributes returns a note as a message's attributes.
func (n Note) Attributes() map[string]types.MessageAttributeValue {
	attributes := map[string]types.MessageAttributeValue{}
	set := func(name, value string) {
		if value != "" {
			attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	set(AttrEventType, word(n.EventType))
	set(AttrEventID, word(n.EventID))
	set(AttrSubject, word(n.Subject))
	set(AttrCause, text(n.Cause, maxCause))
	set(AttrStack, text(n.Stack, maxStack))
	if n.Attempts > 0 {
		set(AttrAttempts, strconv.Itoa(n.Attempts))
	}
	if !n.FirstSeen.IsZero() {
		set(AttrFirstSeen, n.FirstSeen.UTC().Format(time.RFC3339Nano))
	}
	if n.Redrives > 0 {
		set(AttrRedrives, strconv.Itoa(n.Redrives))
	}
	return attributes
}

// Read returns the note in a message's attributes, given by a function that returns
// an attribute's text. What is not there or not readable is left out.
func Read(attribute func(name string) string) Note {
	n := Note{
		EventType: attribute(AttrEventType),
		EventID:   attribute(AttrEventID),
		Subject:   attribute(AttrSubject),
		Cause:     attribute(AttrCause),
		Stack:     attribute(AttrStack),
	}
	n.Attempts, _ = strconv.Atoi(attribute(AttrAttempts))
	n.Redrives, _ = strconv.Atoi(attribute(AttrRedrives))
	n.FirstSeen, _ = time.Parse(time.RFC3339Nano, attribute(AttrFirstSeen))
	return n
}

// Cause returns an error's text for attributes and logs, its kind first, redacted.
func Cause(err error) string { return apperr.KindOf(err).String() + ": " + Redact(err.Error()) }

// Panic is the error that a recovered panic becomes.
type Panic struct {
	Value any
	Stack string
}

// Recovered returns the error for what recover returned. It is called in the
// deferred function itself, where the stack still tells where the panic came from.
func Recovered(value any) *Panic { return &Panic{value, string(debug.Stack())} }

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Redact returns an error's text with an ellipsis for whatever may be somebody's
// data: what an error quotes, and what has the form of an e-mail address.
func Redact(s string) string {
	const gone = "…"
	var b strings.Builder
	for i := 0; i < len(s); {
		if end := quotation(s, i); end > i {
			b.WriteString(gone)
			i = end
			continue
		}
		b.WriteByte(s[i])
		i++
	}
	words := strings.Fields(b.String())
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = gone
		}
	}
	return strings.Join(words, " ")
}

// quotation returns where the quotation ends that begins at i, and i where none
// does. An apostrophe after a letter begins none, and before a letter ends none.
func quotation(s string, i int) int {
	quote := s[i]
	if quote != '"' && quote != '`' && (quote != '\'' || i > 0 && letter(s[i-1])) {
		return i
	}
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\':
			j++
		case s[j] == quote && (quote != '\'' || j+1 == len(s) || !letter(s[j+1])):
			return j + 1
		}
	}
	return len(s)
}

func letter(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf
}

// word returns s where it has the form of an id or a name of the platform's own,
// and nothing where it is something else: a malformed event may hold anything there.
func word(s string) string {
	if len(s) > maxWord {
		return ""
	}
	for _, r := range s {
		if r >= utf8.RuneSelf || r <= ' ' || strings.ContainsRune(`@"'<>&`, r) {
			return ""
		}
	}
	return s
}

// text returns s as SQS takes it: without control characters, and not too long.
func text(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
