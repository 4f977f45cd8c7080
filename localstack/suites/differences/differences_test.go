package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bustypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	fntypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/tier"
)

const (
	look    = 100 * time.Millisecond
	soon    = time.Minute      // for what must happen
	settled = 12 * time.Second // for what may happen, or not
)

func TestMain(m *testing.M) {
	flag.Parse()
	// All at once: they wait, and compute nothing.
	if err := flag.Set("test.parallel", strconv.Itoa(len(behaviours))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// lab is an account on an endpoint to try things in, beside the platform's.
type lab struct {
	db   *dynamodb.Client
	bus  *eventbridge.Client
	fn   *lambda.Client
	sqs  *sqs.Client
	name string // begins the names of everything that is made
	zip  []byte // of the function
}

// observers see what an endpoint does; each returns the outcome in words.
var observers = map[string]func(*testing.T, *lab) string{
	"stream_partial_failure": streamPartialFailure,
	"stream_retries":         streamRetries,
	"stream_filter":          streamFilter,
	"batch_null":             batchAnswer(`{"batchItemFailures": null}`),
	"batch_empty_answer":     batchAnswer(`{}`),
	"batch_empty_id":         batchAnswer(`{"batchItemFailures": [{"itemIdentifier": ""}]}`),
	"batch_unknown_id":       batchAnswer(`{"batchItemFailures": [{"itemIdentifier": "nobody"}]}`),
	"rule_dlq":               ruleDLQ,
	"event_not_json":         func(t *testing.T, l *lab) string { return l.put(t, `{"a":`, 1) },
	"event_size":             func(t *testing.T, l *lab) string { return l.put(t, `"`+strings.Repeat("x", 1_200_000)+`"`, 1) },
	"event_count":            func(t *testing.T, l *lab) string { return l.put(t, `{}`, 11) },
	"transaction_conflict":   transactionConflict,
	"transaction_token":      transactionToken,
	"item_size":              itemSize,
	"message_move":           messageMove,
	"function_environment":   functionEnvironment,
	"replay":                 replayed,
}

// TestBehaviours looks at each behaviour on the endpoint of a run, and leaves what it
// saw beside the run's outputs, for the page.
func TestBehaviours(t *testing.T) {
	platform, err := fixtures.Connect(t.Context(), nil)
	if errors.Is(err, fixtures.ErrNoPlatform) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer platform.Close()
	if platform.Outputs.Endpoint == "" {
		t.Skip("AWS does what AWS documents")
	}
	who, err := endpoint.Identify(t.Context(), platform.Outputs.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if who.Name == endpoint.LocalStack { // the page changes with its version, seldom
		tier.Full(t, time.Minute)
	}
	cfg := endpoint.AWS(platform.Outputs.Endpoint, platform.Outputs.Region)
	l := &lab{
		db: dynamodb.NewFromConfig(cfg), bus: eventbridge.NewFromConfig(cfg), fn: lambda.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg),
		name: "try-" + strings.ToLower(rand.Text()[:8]) + "-", zip: program(t),
	}
	result := seen{Endpoint: who.Name, Version: who.Version, Outcomes: map[string]string{}}
	var mu sync.Mutex
	t.Run("of", func(t *testing.T) {
		for _, b := range behaviours {
			t.Run(b.id, func(t *testing.T) {
				t.Parallel()
				got := observers[b.id](t, l)
				if want := b.on(who.Name); got != want {
					t.Errorf("%s: %s: %q, and the table says %q", who, b.question, got, want)
				}
				mu.Lock()
				defer mu.Unlock()
				result.Outcomes[b.id] = got
			})
		}
	})
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(os.Getenv("TRADEWIND_OUTPUTS")), "differences.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestThePage holds the page to the table, and the table to the tests.
func TestThePage(t *testing.T) {
	var runs []seen
	text, err := os.ReadFile("../../differences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{endpoint.MiniStack, endpoint.LocalStack} {
		_, rest, ok := strings.Cut(string(text), "| "+name+" ")
		if !ok {
			t.Fatalf("the page does not tell of %s", name)
		}
		version, _, _ := strings.Cut(rest, " ")
		r := seen{Endpoint: name, Version: version, Outcomes: map[string]string{}}
		for _, b := range behaviours {
			r.Outcomes[b.id] = b.on(name)
		}
		runs = append(runs, r)
	}
	if render(runs) != string(text) {
		t.Error("the page is not what the table says; run make test-full, then go run ./localstack/suites/differences with the two files that it left")
	}
	if len(observers) != len(behaviours) {
		t.Errorf("%d observers for %d behaviours", len(observers), len(behaviours))
	}
}

// program builds the function as an archive.
func program(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", path, "./function")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the function: %v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// function makes the function under a name, and returns the queue it tells.
func (l *lab) function(t *testing.T, name string, variables map[string]string) (arn string, told *string) {
	t.Helper()
	told, _ = l.queue(t, name+"-seen", nil)
	variables["SEEN_URL"] = *told
	arn, err := l.create(t, name, variables)
	if err != nil {
		t.Fatal(err)
	}
	return arn, told
}

func (l *lab) create(t *testing.T, name string, variables map[string]string) (string, error) {
	t.Helper()
	architecture := map[string]fntypes.Architecture{"amd64": fntypes.ArchitectureX8664, "arm64": fntypes.ArchitectureArm64}[runtime.GOARCH]
	made, err := l.fn.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String(l.name + name), Runtime: fntypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Role: aws.String("arn:aws:iam::" + cdk.Account + ":role/try"), Timeout: aws.Int32(5), Architectures: []fntypes.Architecture{architecture},
		Code: &fntypes.FunctionCode{ZipFile: l.zip}, Environment: &fntypes.Environment{Variables: variables},
	})
	if err != nil {
		return "", err
	}
	t.Cleanup(func() {
		_, _ = l.fn.DeleteFunction(context.WithoutCancel(t.Context()), &lambda.DeleteFunctionInput{FunctionName: made.FunctionName})
	})
	err = lambda.NewFunctionActiveV2Waiter(l.fn).Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: made.FunctionName}, soon)
	return aws.ToString(made.FunctionArn), err
}

// maps maps a source to a function.
func (l *lab) maps(t *testing.T, in *lambda.CreateEventSourceMappingInput) {
	t.Helper()
	made, err := l.fn.CreateEventSourceMapping(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = l.fn.DeleteEventSourceMapping(context.WithoutCancel(t.Context()), &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
	})
}

func (l *lab) queue(t *testing.T, name string, attributes map[string]string) (url *string, arn string) {
	t.Helper()
	made, err := l.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(l.name + name), Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = l.sqs.DeleteQueue(context.WithoutCancel(t.Context()), &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	})
	return made.QueueUrl, "arn:aws:sqs:" + endpoint.Region + ":" + cdk.Account + ":" + l.name + name
}

// table makes a table with a stream and returns that.
func (l *lab) table(t *testing.T, name string) (table, stream *string) {
	t.Helper()
	table = aws.String(l.name + name)
	made, err := l.db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: table, BillingMode: dbtypes.BillingModePayPerRequest,
		KeySchema:            []dbtypes.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: dbtypes.KeyTypeHash}},
		AttributeDefinitions: []dbtypes.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: dbtypes.ScalarAttributeTypeS}},
		StreamSpecification:  &dbtypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: dbtypes.StreamViewTypeNewImage},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = l.db.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: table})
	})
	return table, made.TableDescription.LatestStreamArn
}

func item(key string) map[string]dbtypes.AttributeValue {
	return map[string]dbtypes.AttributeValue{"k": &dbtypes.AttributeValueMemberS{Value: key}}
}

func (l *lab) putItem(t *testing.T, table *string, item map[string]dbtypes.AttributeValue) {
	t.Helper()
	if _, err := l.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: item}); err != nil {
		t.Fatal(err)
	}
}

// received takes messages off a queue until there are n, or the patience is over.
func (l *lab) received(t *testing.T, queue *string, n int, patience time.Duration) []string {
	t.Helper()
	var bodies []string
	for late := time.Now().Add(patience); len(bodies) < n && time.Now().Before(late); {
		out, err := l.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			if _, err := l.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bodies
}

func streamPartialFailure(t *testing.T, l *lab) string {
	table, stream := l.table(t, "partial")
	for _, k := range []string{"a", "b", "c"} {
		l.putItem(t, table, item(k))
	}
	arn, told := l.function(t, "partial", map[string]string{
		"FIRST_ANSWER": `{"batchItemFailures": [{"itemIdentifier": "$ID"}]}`, "ANSWER": `{"batchItemFailures": []}`,
	})
	l.maps(t, &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon,
		BatchSize: aws.Int32(10), FunctionResponseTypes: []fntypes.FunctionResponseType{fntypes.FunctionResponseTypeReportBatchItemFailures},
	})
	first := l.received(t, told, 1, soon)
	if len(first) != 1 || first[0] != "INSERT a, INSERT b, INSERT c" {
		t.Fatalf("the first batch: %v", first)
	}
	switch again := l.received(t, told, 1, settled); {
	case len(again) == 0:
		return "the failed record is skipped"
	case again[0] == "INSERT b, INSERT c":
		return "again from the second"
	default:
		return "again: " + again[0]
	}
}

func streamRetries(t *testing.T, l *lab) string {
	table, stream := l.table(t, "retries")
	l.putItem(t, table, item("a"))
	failed, failedARN := l.queue(t, "failed", nil)
	arn, told := l.function(t, "retries", map[string]string{"FAIL": "1"})
	l.maps(t, &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon,
		MaximumRetryAttempts: aws.Int32(1),
		DestinationConfig:    &fntypes.DestinationConfig{OnFailure: &fntypes.OnFailure{Destination: aws.String(failedARN)}},
	})
	records := l.received(t, failed, 1, settled)
	invocations := len(l.received(t, told, 3, 2*time.Second))
	switch {
	case len(records) == 0 && invocations > 2:
		return "again and again, and nothing in the queue"
	case len(records) == 1 && strings.Contains(records[0], "RetryAttemptsExhausted") && invocations == 2:
		return "into the queue after two invocations"
	default:
		return fmt.Sprintf("%d records after %d invocations", len(records), invocations)
	}
}

func streamFilter(t *testing.T, l *lab) string {
	table, stream := l.table(t, "filter")
	arn, told := l.function(t, "filter", map[string]string{"ANSWER": "{}"})
	l.putItem(t, table, item("a"))
	changed := item("a")
	changed["v"] = &dbtypes.AttributeValueMemberS{Value: "1"}
	l.putItem(t, table, changed)
	if _, err := l.db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: item("a")}); err != nil {
		t.Fatal(err)
	}
	l.maps(t, &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon,
		FilterCriteria: &fntypes.FilterCriteria{Filters: []fntypes.Filter{{Pattern: aws.String(`{"eventName":["INSERT"]}`)}}},
	})
	got := l.received(t, told, 1, soon)
	return strings.Join(append(got, l.received(t, told, 1, 3*time.Second)...), "; ")
}

// batchAnswer has a queue's function answer so, and sees whether the message comes again.
func batchAnswer(answer string) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string {
		name := "batch-" + strings.ToLower(rand.Text()[:6])
		dead, deadARN := l.queue(t, name+"-dead", nil)
		queue, arn := l.queue(t, name, map[string]string{
			"VisibilityTimeout": "5", "RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"1"}`,
		})
		function, told := l.function(t, name, map[string]string{"ANSWER": answer})
		l.maps(t, &lambda.CreateEventSourceMappingInput{
			FunctionName: aws.String(function), EventSourceArn: aws.String(arn),
			FunctionResponseTypes: []fntypes.FunctionResponseType{fntypes.FunctionResponseTypeReportBatchItemFailures},
		})
		if _, err := l.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("m")}); err != nil {
			t.Fatal(err)
		}
		if got := l.received(t, told, 1, soon); len(got) != 1 {
			t.Fatal("the function was not invoked")
		}
		// It comes once, so a message that would come again goes to the dead ones.
		if len(l.received(t, dead, 1, settled)) == 1 {
			return "all messages again"
		}
		return "taken as success"
	}
}

func ruleDLQ(t *testing.T, l *lab) string {
	dead, deadARN := l.queue(t, "rule-dead", nil)
	rule := aws.String(l.name + "rule")
	if _, err := l.bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(`{"source":["` + l.name + `rule"]}`)}); err != nil {
		t.Fatal(err)
	}
	_, err := l.bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: rule, Targets: []bustypes.Target{{
		Id: aws.String("gone"), Arn: aws.String("arn:aws:sqs:" + endpoint.Region + ":" + cdk.Account + ":" + l.name + "not-there"),
		DeadLetterConfig: &bustypes.DeadLetterConfig{Arn: aws.String(deadARN)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = l.bus.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"gone"}})
		_, _ = l.bus.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule})
	})
	_, err = l.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []bustypes.PutEventsRequestEntry{{
		Source: rule, DetailType: aws.String("x"), Detail: aws.String("{}"),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.received(t, dead, 1, settled)) == 1 {
		return "in the dead-letter queue"
	}
	return "lost"
}

// put puts entries with a detail on the bus.
func (l *lab) put(t *testing.T, detail string, n int) string {
	t.Helper()
	entries := make([]bustypes.PutEventsRequestEntry, n)
	for i := range entries {
		entries[i] = bustypes.PutEventsRequestEntry{Source: aws.String(l.name), DetailType: aws.String("x"), Detail: aws.String(detail)}
	}
	out, err := l.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
	switch {
	case err != nil:
		if code(t, err) != "" {
			return "call refused"
		}
		return ""
	case out.FailedEntryCount > 0:
		return "entry refused: " + aws.ToString(out.Entries[0].ErrorCode)
	}
	return "taken"
}

func transactionConflict(t *testing.T, l *lab) string {
	table, _ := l.table(t, "conflict")
	l.putItem(t, table, item("a"))
	var mu sync.Mutex
	conflicts := 0
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 12 {
				_, err := l.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []dbtypes.TransactWriteItem{
					{Update: &dbtypes.Update{
						TableName: table, Key: item("a"), UpdateExpression: aws.String("ADD n :one"),
						ExpressionAttributeValues: map[string]dbtypes.AttributeValue{":one": &dbtypes.AttributeValueMemberN{Value: "1"}},
					}},
					{Put: &dbtypes.Put{TableName: table, Item: item(rand.Text())}},
				}})
				if cancelled, ok := errors.AsType[*dbtypes.TransactionCanceledException](err); ok && aws.ToString(cancelled.CancellationReasons[0].Code) == "TransactionConflict" {
					mu.Lock()
					conflicts++
					mu.Unlock()
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d of 192 were cancelled", conflicts)
	if conflicts == 0 {
		return "none is cancelled"
	}
	return "some are cancelled for TransactionConflict"
}

func transactionToken(t *testing.T, l *lab) string {
	table, _ := l.table(t, "token")
	token := aws.String(rand.Text())
	var err error
	for _, k := range []string{"a", "b"} {
		_, err = l.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: token, TransactItems: []dbtypes.TransactWriteItem{{Put: &dbtypes.Put{TableName: table, Item: item(k)}}},
		})
	}
	if err == nil {
		return "taken"
	}
	return code(t, err)
}

func itemSize(t *testing.T, l *lab) string {
	table, _ := l.table(t, "size")
	large := item("a")
	large["v"] = &dbtypes.AttributeValueMemberS{Value: strings.Repeat("x", 401<<10)}
	if _, err := l.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: large}); err != nil {
		return code(t, err)
	}
	return "taken"
}

func messageMove(t *testing.T, l *lab) string {
	dead, deadARN := l.queue(t, "move-dead", nil)
	queue, _ := l.queue(t, "move", map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"1"}`})
	if _, err := l.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("m")}); err != nil {
		t.Fatal(err)
	}
	err := await.Until(t.Context(), look, "the message to be dead", func(ctx context.Context) error {
		if _, err := l.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue}); err != nil {
			return err
		}
		got, err := l.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: dead, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err == nil && got.Attributes["ApproximateNumberOfMessages"] != "1" {
			err = errors.New("it is not")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.sqs.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(deadARN)}); err != nil {
		return code(t, err)
	}
	if len(l.received(t, queue, 1, settled)) == 1 {
		return "the message is back"
	}
	return "nothing happens"
}

func functionEnvironment(t *testing.T, l *lab) string {
	if _, err := l.create(t, "environment", map[string]string{"LONG": strings.Repeat("x", 5<<10)}); err != nil {
		if code(t, err) != "" {
			return "refused"
		}
	}
	return "taken"
}

// replayed looks where an archived event comes when it is replayed to one rule, and
// another one would take it, too.
func replayed(t *testing.T, l *lab) string {
	bus := l.name + "replay"
	made, err := l.bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &bus})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := l.bus.CreateArchive(t.Context(), &eventbridge.CreateArchiveInput{ArchiveName: &bus, EventSourceArn: made.EventBusArn})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	event := bustypes.PutEventsRequestEntry{EventBusName: &bus, Source: aws.String("try"), DetailType: aws.String("kept"), Detail: aws.String("{}")}
	if _, err := l.bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []bustypes.PutEventsRequestEntry{event}}); err != nil {
		t.Fatal(err)
	}
	err = await.Until(t.Context(), look, "the archive to have the event", func(ctx context.Context) error {
		now, err := l.bus.DescribeArchive(ctx, &eventbridge.DescribeArchiveInput{ArchiveName: &bus})
		if err == nil && now.EventCount == 0 {
			err = errors.New("it has none")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	var queues []*string
	for _, which := range []string{"named", "other"} {
		queue, queueARN := l.queue(t, "replay-"+which, nil)
		queues = append(queues, queue)
		name := bus + "-" + which
		rule, err := l.bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name, EventBusName: &bus, EventPattern: aws.String(`{"source":["try"]}`)})
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, *rule.RuleArn)
		target := bustypes.Target{Id: aws.String("queue"), Arn: &queueARN}
		if _, err := l.bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &bus, Targets: []bustypes.Target{target}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = l.bus.StartReplay(t.Context(), &eventbridge.StartReplayInput{
		ReplayName: &bus, EventSourceArn: archive.ArchiveArn,
		EventStartTime: aws.Time(began.Add(-time.Hour)), EventEndTime: aws.Time(time.Now().Add(time.Minute)),
		Destination: &bustypes.ReplayDestination{Arn: made.EventBusArn, FilterArns: rules[:1]},
	}, func(o *eventbridge.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return code(t, err)
	}
	if len(l.received(t, queues[0], 1, soon)) == 0 {
		return "nowhere"
	}
	if len(l.received(t, queues[1], 1, settled)) > 0 {
		return "to every rule"
	}
	return "to that rule"
}

// code is the code of an answer of the API; anything else is a failure of the test.
func code(t *testing.T, err error) string {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatal(err)
		return ""
	}
	return api.ErrorCode()
}
