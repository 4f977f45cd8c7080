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
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
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
	"stream_partial_failure":  streamPartialFailure,
	"stream_empty_id":         streamAnswer(`{"batchItemFailures": [{"itemIdentifier": ""}]}`),
	"stream_unknown_id":       streamAnswer(`{"batchItemFailures": [{"itemIdentifier": 123}]}`),
	"stream_empty_list":       streamAnswer(`{"batchItemFailures": []}`),
	"stream_retries":          streamRetries,
	"stream_filter":           streamFilter,
	"stream_filter_value":     streamFilterValue,
	"stream_filter_untyped":   streamFilterUntyped,
	"stream_filter_invalid":   streamFilterInvalid,
	"stream_transaction":      streamTransaction,
	"stream_unchanged":        streamUnchanged,
	"batch_null":              batchAnswer(map[string]string{"ANSWER": `{"batchItemFailures": null}`}),
	"batch_empty_answer":      batchAnswer(map[string]string{"ANSWER": `{}`}),
	"batch_missing_id":        batchAnswer(map[string]string{"ANSWER": `{"batchItemFailures": [{"identifier": "$ID"}]}`}),
	"batch_empty_id":          batchAnswer(map[string]string{"ANSWER": `{"batchItemFailures": [{"itemIdentifier": ""}]}`}),
	"batch_unknown_id":        batchAnswer(map[string]string{"ANSWER": `{"batchItemFailures": [{"itemIdentifier": "nobody"}]}`}),
	"batch_error":             batchAnswer(map[string]string{"FAIL": "1"}),
	"receive_count":           receiveCount,
	"dead_letter":             deadLetter,
	"receipt_late_delete":     receiptLateDelete,
	"receipt_late_hide":       receiptLateHide,
	"receive_eleven":          receiveEleven,
	"message_empty":           message(&sqs.SendMessageInput{MessageBody: aws.String("")}),
	"message_empty_attribute": message(&sqs.SendMessageInput{MessageBody: aws.String("m"), MessageAttributes: attribute("")}),
	"message_size": message(&sqs.SendMessageInput{
		MessageBody: aws.String(strings.Repeat("x", 1<<20-len("causeStringwhy")+1)), MessageAttributes: attribute("why"),
	}),
	"message_move":     messageMove,
	"event_not_json":   event(1, func(e *bustypes.PutEventsRequestEntry) { e.Detail = aws.String(`{"a":`) }),
	"event_not_object": event(1, func(e *bustypes.PutEventsRequestEntry) { e.Detail = aws.String(`[{}]`) }),
	"event_no_source":  event(1, func(e *bustypes.PutEventsRequestEntry) { e.Source = nil }),
	"event_size": event(1, func(e *bustypes.PutEventsRequestEntry) {
		e.Detail = aws.String(`{"a":"` + strings.Repeat("x", 1_200_000) + `"}`)
	}),
	"event_count":          event(11, func(*bustypes.PutEventsRequestEntry) {}),
	"event_no_bus":         event(1, func(e *bustypes.PutEventsRequestEntry) { e.EventBusName = aws.String("not-there") }),
	"event_undelivered":    eventUndelivered,
	"event_twice":          eventTwice,
	"rule_dlq":             ruleDLQ,
	"rule_absent_field":    ruleAbsentField,
	"rule_with_targets":    ruleWithTargets,
	"rule_by_target":       ruleByTarget,
	"archive_absent":       archiveAbsent,
	"replay":               replayed,
	"replay_absent":        replayAbsent,
	"transaction_reasons":  transactionReasons,
	"transaction_conflict": transactionConflict,
	"transaction_again":    transactionToken("a", "a"),
	"transaction_token":    transactionToken("a", "b"),
	"transaction_no_table": transactionNoTable,
	"item_size":            itemSize,
	"function_environment": functionEnvironment,
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
			observe := observers[b.id]
			if observe == nil {
				continue
			}
			t.Run(b.id, func(t *testing.T) {
				t.Parallel()
				got := observe(t, l)
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
			if observers[b.id] != nil {
				r.Outcomes[b.id] = b.on(name)
			}
		}
		runs = append(runs, r)
	}
	if render(runs) != string(text) {
		t.Error("the page is not what the table says; run make test-full, then go run ./localstack/suites/differences with the two files that it left")
	}
	for id := range observers {
		if !slices.ContainsFunc(behaviours, func(b behaviour) bool { return b.id == id }) {
			t.Errorf("%s is observed, and no row tells of it", id)
		}
	}
	for _, b := range behaviours {
		if observers[b.id] == nil && b.recorded == "" {
			t.Errorf("%s is neither recorded nor observed", b.id)
		}
	}
}

// TestTheProduct holds the table to the code: functions that rest on what AWS does are
// there, and so are the tests that hold them to it.
func TestTheProduct(t *testing.T) {
	packages := map[string]map[string]bool{}
	for _, b := range behaviours {
		if b.recorded == "" && b.line == "" {
			continue
		}
		if _, err := time.Parse(time.DateOnly, b.recorded); err != nil && b.recorded != "" {
			t.Errorf("%s: %v", b.id, err)
		}
		dir, function, _ := strings.Cut(b.line, " ")
		testDir, test, elsewhere := strings.Cut(b.test, " ")
		if !elsewhere {
			testDir, test = dir, b.test
		}
		for _, in := range []string{dir, testDir} {
			if packages[in] == nil {
				packages[in] = functions(t, in)
			}
		}
		if isTest, ok := packages[dir][function]; !ok || isTest {
			t.Errorf("%s rests on %q, which is no function of %q", b.id, function, dir)
		}
		if isTest := packages[testDir][test]; !isTest || !strings.HasPrefix(test, "Test") {
			t.Errorf("%s is held by %q, which is no test of %q", b.id, test, testDir)
		}
	}
}

// functions are the functions of a package, methods by Type.Name, and whether they are
// in its tests.
func functions(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../..", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, %v", len(files), dir, err)
	}
	found := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				receiver := f.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				name = fmt.Sprint(receiver) + "." + name
			}
			found[name] = strings.HasSuffix(path, "_test.go")
		}
	}
	return found
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

// item is an item with a key and further attributes.
func item(key string, attributes ...string) map[string]dbtypes.AttributeValue {
	made := map[string]dbtypes.AttributeValue{"k": &dbtypes.AttributeValueMemberS{Value: key}}
	for _, name := range attributes {
		made[name] = &dbtypes.AttributeValueMemberS{Value: "1"}
	}
	return made
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

// streamAnswer has a stream's function answer so at first, and sees what comes again.
func streamAnswer(answer string) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string {
		name := "stream-" + strings.ToLower(rand.Text()[:6])
		table, stream := l.table(t, name)
		for _, k := range []string{"a", "b"} {
			l.putItem(t, table, item(k))
		}
		arn, told := l.function(t, name, map[string]string{"FIRST_ANSWER": answer, "ANSWER": `{"batchItemFailures": []}`})
		l.maps(t, &lambda.CreateEventSourceMappingInput{
			FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon,
			BatchSize: aws.Int32(10), FunctionResponseTypes: []fntypes.FunctionResponseType{fntypes.FunctionResponseTypeReportBatchItemFailures},
		})
		const all = "INSERT a, INSERT b"
		if first := l.received(t, told, 1, soon); len(first) != 1 || first[0] != all {
			t.Fatalf("the first batch: %v", first)
		}
		switch again := l.received(t, told, 1, settled); {
		case len(again) == 0:
			return success
		case again[0] == all:
			return wholeBatch
		default:
			return "again: " + again[0]
		}
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
	l.putItem(t, table, item("a"))
	l.putItem(t, table, item("a", "v"))
	if _, err := l.db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: item("a")}); err != nil {
		t.Fatal(err)
	}
	return l.passed(t, l.filter(t, "filter", stream, `{"eventName":["INSERT"]}`))
}

// streamFilterValue asks for a value as the relay's mapping does.
func streamFilterValue(t *testing.T, l *lab) string {
	table, stream := l.table(t, "value")
	for _, k := range []string{"a", "b"} {
		l.putItem(t, table, item(k))
	}
	return l.passed(t, l.filter(t, "value", stream, `{"dynamodb":{"NewImage":{"k":{"S":["a"]}}}}`))
}

func streamFilterUntyped(t *testing.T, l *lab) string {
	if l.matches(t, `{"dynamodb":{"NewImage":{"k":[{"exists":true}]}}}`, `,"dynamodb":{"NewImage":{"k":{"S":"a"}}}`) {
		return "match"
	}
	return "no match"
}

// filter maps a stream to a function by a filter, and returns the queue that it tells.
func (l *lab) filter(t *testing.T, name string, stream *string, pattern string) (told *string) {
	t.Helper()
	arn, told := l.function(t, name, map[string]string{"ANSWER": "{}"})
	l.maps(t, &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon,
		FilterCriteria: &fntypes.FilterCriteria{Filters: []fntypes.Filter{{Pattern: aws.String(pattern)}}},
	})
	return told
}

// passed is what came through a filter.
func (l *lab) passed(t *testing.T, told *string) string {
	t.Helper()
	got := l.received(t, told, 1, soon)
	return strings.Join(append(got, l.received(t, told, 1, 3*time.Second)...), "; ")
}

func streamFilterInvalid(t *testing.T, l *lab) string {
	_, stream := l.table(t, "invalid")
	arn, _ := l.function(t, "invalid", map[string]string{"ANSWER": "{}"})
	made, err := l.fn.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon,
		FilterCriteria: &fntypes.FilterCriteria{Filters: []fntypes.Filter{{Pattern: aws.String("INSERT")}}},
	})
	if err != nil {
		return code(t, err)
	}
	if _, err := l.fn.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: made.UUID}); err != nil {
		t.Fatal(err)
	}
	return "taken"
}

func streamTransaction(t *testing.T, l *lab) string {
	table, stream := l.table(t, "transaction")
	l.putItem(t, table, item("b"))
	l.putItem(t, table, item("c"))
	l.transact(t, []dbtypes.TransactWriteItem{
		{Put: &dbtypes.Put{TableName: table, Item: item("a")}},
		{Put: &dbtypes.Put{TableName: table, Item: item("b", "v")}},
		{Delete: &dbtypes.Delete{TableName: table, Key: item("c")}},
	})
	return l.records(t, "transaction", stream, "INSERT b", "INSERT c")
}

func streamUnchanged(t *testing.T, l *lab) string {
	table, stream := l.table(t, "unchanged")
	l.putItem(t, table, item("a", "v"))
	l.transact(t, []dbtypes.TransactWriteItem{
		{Put: &dbtypes.Put{TableName: table, Item: item("a", "v")}},
		{Put: &dbtypes.Put{TableName: table, Item: item("b")}},
	})
	return l.records(t, "unchanged", stream, "INSERT a")
}

func (l *lab) transact(t *testing.T, items []dbtypes.TransactWriteItem) {
	t.Helper()
	if _, err := l.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items}); err != nil {
		t.Fatal(err)
	}
}

// records are the records of a stream in the order of their words, without those that
// were made to prepare it.
func (l *lab) records(t *testing.T, name string, stream *string, before ...string) string {
	t.Helper()
	arn, told := l.function(t, name, map[string]string{"ANSWER": "{}"})
	l.maps(t, &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(arn), EventSourceArn: stream, StartingPosition: fntypes.EventSourcePositionTrimHorizon, BatchSize: aws.Int32(100),
	})
	batches := l.received(t, told, 1, soon)
	batches = append(batches, l.received(t, told, 5, 5*time.Second)...)
	records := slices.Sorted(strings.SplitSeq(strings.Join(batches, ", "), ", "))
	for _, b := range before {
		if i := slices.Index(records, b); i >= 0 {
			records = slices.Delete(records, i, i+1)
		}
	}
	return strings.Join(records, ", ")
}

// batchAnswer has a queue's function answer so, and sees whether the message comes again.
func batchAnswer(variables map[string]string) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string {
		name := "batch-" + strings.ToLower(rand.Text()[:6])
		dead, deadARN := l.queue(t, name+"-dead", nil)
		queue, arn := l.queue(t, name, map[string]string{
			"VisibilityTimeout": "5", "RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"1"}`,
		})
		function, told := l.function(t, name, maps.Clone(variables))
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
			return messages
		}
		return success
	}
}

func ruleDLQ(t *testing.T, l *lab) string {
	dead, deadARN := l.queue(t, "rule-dead", nil)
	l.rule(t, "rule", bustypes.Target{
		Arn: aws.String("arn:aws:sqs:" + endpoint.Region + ":" + cdk.Account + ":" + l.name + "not-there"), DeadLetterConfig: &bustypes.DeadLetterConfig{Arn: &deadARN},
	})
	l.fire(t, "rule")
	if len(l.received(t, dead, 1, settled)) == 1 {
		return "in the dead-letter queue"
	}
	return "lost"
}

// rule makes a rule for the events of a source of its name.
func (l *lab) rule(t *testing.T, name string, target bustypes.Target) *string {
	t.Helper()
	source, _, _ := strings.Cut(name, "/") // several rules may be for one
	rule := aws.String(l.name + strings.ReplaceAll(name, "/", "-"))
	if _, err := l.bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(`{"source":["` + l.name + source + `"]}`)}); err != nil {
		t.Fatal(err)
	}
	target.Id = aws.String("queue")
	if _, err := l.bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: rule, Targets: []bustypes.Target{target}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = l.bus.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"queue"}})
		_, _ = l.bus.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule})
	})
	return rule
}

// fire puts an event on the bus for the rules of a source.
func (l *lab) fire(t *testing.T, source string) string {
	t.Helper()
	return l.put(t, 1, func(e *bustypes.PutEventsRequestEntry) { e.Source = aws.String(l.name + source) })
}

// event puts entries on the bus that are not as they should be.
func event(n int, change func(*bustypes.PutEventsRequestEntry)) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string { return l.put(t, n, change) }
}

func (l *lab) put(t *testing.T, n int, change func(*bustypes.PutEventsRequestEntry)) string {
	t.Helper()
	entries := make([]bustypes.PutEventsRequestEntry, n)
	for i := range entries {
		entries[i] = bustypes.PutEventsRequestEntry{Source: aws.String(l.name), DetailType: aws.String("x"), Detail: aws.String("{}")}
		change(&entries[i])
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

func eventUndelivered(t *testing.T, l *lab) string {
	l.rule(t, "undelivered", bustypes.Target{Arn: aws.String("arn:aws:sqs:" + endpoint.Region + ":" + cdk.Account + ":" + l.name + "not-there")})
	return l.fire(t, "undelivered")
}

func eventTwice(t *testing.T, l *lab) string {
	queue, arn := l.queue(t, "twice", nil)
	for _, name := range []string{"twice/1", "twice/2"} {
		l.rule(t, name, bustypes.Target{Arn: &arn})
	}
	l.fire(t, "twice")
	got := l.received(t, queue, 2, settled)
	ids := map[string]bool{}
	for _, body := range got {
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		ids[e.ID] = true
	}
	switch {
	case len(got) == 2 && len(ids) == 1:
		return "twice, with one id"
	default:
		return fmt.Sprintf("%d times, with %d ids", len(got), len(ids))
	}
}

func ruleAbsentField(t *testing.T, l *lab) string {
	const pattern = `{"source":["shop"],"replay-name":[{"exists":false}]}`
	without, with := l.matches(t, pattern, ""), l.matches(t, pattern, `,"replay-name":"r"`)
	if without && !with {
		return "matches without it, and not with it"
	}
	return fmt.Sprintf("matches without it: %t, with it: %t", without, with)
}

// matches reports whether a pattern takes an event of the shop that has further fields.
func (l *lab) matches(t *testing.T, pattern, fields string) bool {
	t.Helper()
	out, err := l.bus.TestEventPattern(t.Context(), &eventbridge.TestEventPatternInput{
		EventPattern: &pattern,
		Event: aws.String(`{"id":"7a1c6c6e-11f4-4d3b-9b5c-0c8f3f6f2a11","source":"shop","detail-type":"x","account":"` + cdk.Account +
			`","time":"2026-11-12T14:00:00Z","region":"` + endpoint.Region + `","resources":[],"detail":{}` + fields + `}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Result
}

func ruleWithTargets(t *testing.T, l *lab) string {
	_, arn := l.queue(t, "targets", nil)
	rule := l.rule(t, "targets", bustypes.Target{Arn: &arn})
	if _, err := l.bus.DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: rule}); err != nil {
		return code(t, err)
	}
	return "deleted"
}

func ruleByTarget(t *testing.T, l *lab) string {
	_, arn := l.queue(t, "by-target", nil)
	rules := []string{*l.rule(t, "by-target/1", bustypes.Target{Arn: &arn}), *l.rule(t, "by-target/2", bustypes.Target{Arn: &arn})}
	out, err := l.bus.ListRuleNamesByTarget(t.Context(), &eventbridge.ListRuleNamesByTargetInput{TargetArn: &arn})
	if err != nil {
		return code(t, err)
	}
	if slices.Sort(out.RuleNames); slices.Equal(out.RuleNames, rules) {
		return "both"
	}
	return fmt.Sprintf("%d", len(out.RuleNames))
}

func archiveAbsent(t *testing.T, l *lab) string {
	if _, err := l.bus.DescribeArchive(t.Context(), &eventbridge.DescribeArchiveInput{ArchiveName: aws.String(l.name + "not-there")}); err != nil {
		return code(t, err)
	}
	return "there"
}

func replayAbsent(t *testing.T, l *lab) string {
	if _, err := l.bus.DescribeReplay(t.Context(), &eventbridge.DescribeReplayInput{ReplayName: aws.String(l.name + "not-there")}); err != nil {
		return code(t, err)
	}
	return "there"
}

func transactionReasons(t *testing.T, l *lab) string {
	table, _ := l.table(t, "reasons")
	l.putItem(t, table, item("a"))
	create := func(k string) dbtypes.TransactWriteItem {
		return dbtypes.TransactWriteItem{Put: &dbtypes.Put{TableName: table, Item: item(k), ConditionExpression: aws.String("attribute_not_exists(k)")}}
	}
	_, err := l.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []dbtypes.TransactWriteItem{create("a"), create("b")}})
	cancelled, ok := errors.AsType[*dbtypes.TransactionCanceledException](err)
	if !ok {
		t.Fatal(err)
	}
	var reasons []string
	for _, r := range cancelled.CancellationReasons {
		reasons = append(reasons, aws.ToString(r.Code))
	}
	return cancelled.ErrorCode() + ": " + strings.Join(reasons, ", ")
}

func transactionNoTable(t *testing.T, l *lab) string {
	_, err := l.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []dbtypes.TransactWriteItem{{Put: &dbtypes.Put{TableName: aws.String(l.name + "not-there"), Item: item("a")}}},
	})
	if err != nil {
		return code(t, err)
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

// transactionToken puts items with these keys in transactions under one token.
func transactionToken(keys ...string) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string {
		table, _ := l.table(t, "token-"+strings.ToLower(rand.Text()[:6]))
		token := aws.String(rand.Text())
		var err error
		for _, k := range keys {
			_, err = l.db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
				ClientRequestToken: token, TransactItems: []dbtypes.TransactWriteItem{{Put: &dbtypes.Put{TableName: table, Item: item(k)}}},
			})
		}
		if err == nil {
			return "taken"
		}
		return code(t, err)
	}
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

// attribute is a message attribute with a text.
func attribute(text string) map[string]sqstypes.MessageAttributeValue {
	return map[string]sqstypes.MessageAttributeValue{"cause": {DataType: aws.String("String"), StringValue: &text}}
}

// message sends a message that is not as it should be.
func message(in *sqs.SendMessageInput) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string {
		in.QueueUrl, _ = l.queue(t, "message-"+strings.ToLower(rand.Text()[:6]), nil)
		if _, err := l.sqs.SendMessage(t.Context(), in); err != nil {
			return code(t, err)
		}
		return "taken"
	}
}

// take receives the one message of a queue, and hides it for some seconds; for the
// queue's own time if they are none.
func (l *lab) take(t *testing.T, queue *string, visibility int32) sqstypes.Message {
	t.Helper()
	for late := time.Now().Add(soon); time.Now().Before(late); {
		out, err := l.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: queue, WaitTimeSeconds: 1, VisibilityTimeout: visibility, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) > 0 {
			return out.Messages[0]
		}
	}
	t.Fatal("the queue is empty")
	return sqstypes.Message{}
}

// filled makes a queue with one message.
func (l *lab) filled(t *testing.T, name string, attributes map[string]string) (queue *string) {
	t.Helper()
	queue, _ = l.queue(t, name, attributes)
	if _, err := l.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("m"), MessageAttributes: attribute("why")}); err != nil {
		t.Fatal(err)
	}
	return queue
}

func receiveCount(t *testing.T, l *lab) string {
	queue := l.filled(t, "count", nil)
	l.take(t, queue, 1)
	second := l.take(t, queue, 1)
	return "`ApproximateReceiveCount` is " + second.Attributes["ApproximateReceiveCount"]
}

func deadLetter(t *testing.T, l *lab) string {
	dead, deadARN := l.queue(t, "letter-dead", nil)
	queue := l.filled(t, "letter", map[string]string{
		"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":"1"}`,
	})
	before := l.take(t, queue, 0)
	if _, err := l.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue, WaitTimeSeconds: 2}); err != nil {
		t.Fatal(err)
	}
	after := l.take(t, dead, 30)
	same := func(is bool) string {
		if is {
			return "the same"
		}
		return "others"
	}
	outcome := "its attributes and its id are " + same(*before.MessageId == *after.MessageId && aws.ToString(after.MessageAttributes["cause"].StringValue) == "why")
	if after.Attributes["ApproximateReceiveCount"] == "1" {
		return outcome + ", and the receive count begins anew"
	}
	return outcome + ", and the receive count goes on"
}

func receiptLateDelete(t *testing.T, l *lab) string {
	queue := l.filled(t, "late-delete", nil)
	m := l.take(t, queue, 1)
	time.Sleep(2 * time.Second)
	if _, err := l.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
		return code(t, err)
	}
	if len(l.received(t, queue, 1, 2*time.Second)) > 0 {
		return "it is there again"
	}
	return "deleted"
}

func receiptLateHide(t *testing.T, l *lab) string {
	queue := l.filled(t, "late-hide", nil)
	m := l.take(t, queue, 1)
	time.Sleep(2 * time.Second)
	if _, err := l.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 30}); err != nil {
		return code(t, err)
	}
	return "taken"
}

func receiveEleven(t *testing.T, l *lab) string {
	queue, _ := l.queue(t, "eleven", nil)
	if _, err := l.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 11}); err != nil {
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
