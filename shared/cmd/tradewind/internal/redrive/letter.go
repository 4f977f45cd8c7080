package redrive

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tradewind/shared/quarantine"
	"tradewind/shared/relay"
)

// Letter is a message of a dead-letter queue, with what is known of it from whoever
// put it there: a relay or a consumer, the rule of the event bus, the stream's
// mapping, or the queue itself, which says nothing.
type Letter struct {
	Body string
	Note quarantine.Note
	// Lost is the part of a stream that a relay did not get done with. Its events are
	// not in the letter.
	Lost *Lost
}

// Lost is a part of a service's stream.
type Lost struct {
	First, Last time.Time // when its first and its last record were written
	Records     int
}

// The attributes that EventBridge gives what it could not deliver
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
const (
	ruleCode     = "ERROR_CODE"
	ruleMessage  = "ERROR_MESSAGE"
	ruleAttempts = "RETRY_ATTEMPTS"
)

// unexplained is the cause of what the queue moved by itself.
const unexplained = "not told: the function could not say why; see its log"

// event is the body of nearly every letter, as far as it is read.
type event struct {
	DetailType string `json:"detail-type"`
	Detail     struct {
		Metadata struct {
			EventID string `json:"eventId"`
			Subject string `json:"subject"`
		} `json:"metadata"`
	} `json:"detail"`
}

// report is what a stream's mapping tells of records it gave up
// (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).
type report struct {
	RequestContext struct {
		Condition string `json:"condition"`
		Invoked   int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	Batch *struct {
		First time.Time `json:"approximateArrivalOfFirstRecord"`
		Last  time.Time `json:"approximateArrivalOfLastRecord"`
		Size  int       `json:"batchSize"`
	} `json:"DDBStreamBatchInfo"`
}

func read(m types.Message) Letter {
	attribute := func(name string) string { return aws.ToString(m.MessageAttributes[name].StringValue) }
	l := Letter{Body: aws.ToString(m.Body), Note: quarantine.Read(attribute)}
	n := &l.Note
	var r report
	if json.Unmarshal([]byte(l.Body), &r) == nil && r.Batch != nil {
		l.Lost = &Lost{r.Batch.First, r.Batch.Last, r.Batch.Size}
		*n = quarantine.Note{
			EventType: "(" + strconv.Itoa(r.Batch.Size) + " of the stream)",
			Cause:     r.RequestContext.Condition, Attempts: r.RequestContext.Invoked, FirstSeen: r.Batch.First,
		}
		return l
	}
	var e event
	_ = json.Unmarshal([]byte(l.Body), &e) // a part of it is better than nothing
	either(&n.EventType, e.DetailType)
	either(&n.EventID, e.Detail.Metadata.EventID)
	either(&n.Subject, e.Detail.Metadata.Subject)
	if code := attribute(ruleCode); code != "" {
		either(&n.Cause, code+": "+attribute(ruleMessage))
		n.Attempts, _ = strconv.Atoi(attribute(ruleAttempts))
	}
	either(&n.Cause, unexplained)
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil && n.FirstSeen.IsZero() {
		n.FirstSeen = time.UnixMilli(ms).UTC()
	}
	return l
}

func either(known *string, otherwise string) {
	if *known == "" {
		*known = otherwise
	}
}

// key tells letters apart, whatever copies there are of each.
func (l Letter) key() string {
	if l.Note.EventID != "" {
		return l.Note.EventID
	}
	return l.Body
}

// back is the note with which a letter goes back: how old it is stays known.
func (l Letter) back() quarantine.Note {
	return quarantine.Note{FirstSeen: l.Note.FirstSeen, Redrives: l.Note.Redrives + 1}
}

// entry returns the event in a relay's letter, as it is put on the bus.
func (l Letter) entry() (relay.Entry, error) {
	var p relay.Parked
	if err := json.Unmarshal([]byte(l.Body), &p); err != nil || p.DetailType == "" {
		return relay.Entry{}, errNoEvent
	}
	detail := string(p.Detail)
	if strings.HasPrefix(detail, `"`) { // the relay's way of keeping what is no JSON
		if err := json.Unmarshal(p.Detail, &detail); err != nil {
			return relay.Entry{}, errNoEvent
		}
	}
	return relay.Entry{EventID: l.Note.EventID, Source: p.Source, DetailType: p.DetailType, Detail: detail}, nil
}
