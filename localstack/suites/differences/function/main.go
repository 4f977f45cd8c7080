// Command function is a Lambda function for the tests of package differences. It tells
// a queue which records each of its invocations got, and answers as its variables say:
//
//	ANSWER         the answer to every invocation; $ID stands for the second record's
//	               sequence number or, of a queue, the first message's id
//	FIRST_ANSWER   the answer to the first invocation of a process, if it is another
//	FAIL           set: every invocation ends in an error
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

// record is what is told of a record, whichever source it is of.
type record struct {
	EventName string `json:"eventName"`
	MessageID string `json:"messageId"`
	Body      string `json:"body"`
	DynamoDB  struct {
		SequenceNumber string
		Keys           map[string]struct{ S string }
	} `json:"dynamodb"`
}

func (r record) id() string { return r.MessageID + r.DynamoDB.SequenceNumber }

func (r record) String() string {
	return strings.TrimSpace(r.EventName + " " + r.DynamoDB.Keys["k"].S + r.Body)
}

type handler struct{ before bool }

// Invoke answers with a text as it is, which may be what no function should answer.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event struct{ Records []record }
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	seen := make([]string, len(event.Records))
	for i, r := range event.Records {
		seen[i] = r.String()
	}
	if err := tell(ctx, strings.Join(seen, ", ")); err != nil {
		return nil, err
	}
	if os.Getenv("FAIL") != "" {
		return nil, errors.New("on purpose")
	}
	answer := os.Getenv("ANSWER")
	if first := os.Getenv("FIRST_ANSWER"); first != "" && !h.before {
		answer = first
	}
	h.before = true
	id := event.Records[min(1, len(event.Records)-1)].id()
	return []byte(strings.ReplaceAll(answer, "$ID", id)), nil
}

// tell sends a message to the queue, without the SDK, which would be most of this program.
func tell(ctx context.Context, text string) error {
	body, err := json.Marshal(map[string]string{"QueueUrl": os.Getenv("SEEN_URL"), "MessageBody": text})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("AWS_ENDPOINT_URL"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("SendMessage: %s", resp.Status)
	}
	return nil
}

func main() { lambda.Start(&handler{}) }
