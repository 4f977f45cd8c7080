package main

import (
	"bytes"
	"context"
	"crypto/md5" // what SQS answers with
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"tradewind/shared/cmd/tradewind/internal/command"
)

// account answers as AWS does, with just enough in it for each command to do something,
// and records what it was asked.
type account struct {
	mu       sync.Mutex
	asked    []string // operations
	received bool
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation == "" { // Lambda's are paths
		operation = r.Method + " " + r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, operation)
	fmt.Fprint(w, a.answer(operation, body))
}

func (a *account) answer(operation string, body []byte) string {
	const dead = `{"detail-type":"order.created","detail":{"metadata":{"eventId":"evt_1","subject":"ord_1"}}}`
	switch operation {
	case "ListQueues":
		return `{"QueueUrls":["http://q/tradewind-local-orders-consumer","http://q/tradewind-local-orders-consumer-dlq","http://q/tradewind-local-orders-relay-dlq"]}`
	case "GetQueueUrl":
		var in struct{ QueueName string }
		_ = json.Unmarshal(body, &in)
		return `{"QueueUrl":"http://q/` + in.QueueName + `"}`
	case "GetQueueAttributes":
		return `{"Attributes":{"QueueArn":"arn:aws:sqs:::queue","ApproximateNumberOfMessagesNotVisible":"0"}}`
	case "ReceiveMessage":
		if a.received {
			return `{}`
		}
		a.received = true
		sum := md5.Sum([]byte(dead)) // what SQS answers with
		text, _ := json.Marshal(dead)
		return `{"Messages":[{"MessageId":"1","ReceiptHandle":"1","MD5OfBody":"` + hex.EncodeToString(sum[:]) + `","Body":` + string(text) + `}]}`
	case "DescribeArchive":
		return `{"ArchiveName":"tradewind-local","ArchiveArn":"arn:archive","EventSourceArn":"arn:bus","EventCount":1234,"RetentionDays":14}`
	case "ListRuleNamesByTarget":
		return `{"RuleNames":["orders-rule"]}`
	case "DescribeRule":
		return `{"EventPattern":"{\"detail-type\":[\"stock.rejected\",\"payment.captured\"]}"}`
	case "ListTargetsByRule":
		return `{"Targets":[{"Id":"queue","Arn":"arn:aws:sqs:::queue"}]}`
	case "DescribeReplay":
		return `{"State":"COMPLETED"}`
	case "GET configuration":
		return `{"Environment":{"Variables":{"TABLE_NAME":"orders"}}}`
	case "Scan":
		return `{"Items":[{"eventId":{"S":"evt_1"},"source":{"S":"orders"},"detailType":{"S":"order.created"},"detail":{"S":"{}"}}]}`
	case "PutEvents":
		return `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`
	}
	return `{}`
}

// changes are the operations that were more than reading. A message that was received is
// made visible again.
func (a *account) changes() []string {
	reading := []string{
		"ListQueues", "GetQueueUrl", "GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibility", "DescribeArchive",
		"ListRuleNamesByTarget", "DescribeRule", "ListRules", "ListTargetsByRule", "GET configuration", "Scan",
	}
	return slices.DeleteFunc(slices.Clone(a.asked), func(operation string) bool { return slices.Contains(reading, operation) })
}

// tool runs the tool against an account.
func tool(t *testing.T, a *account, args ...string) (code int, out, progress string) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	outputs := filepath.Join(t.TempDir(), "outputs.json")
	if err := os.WriteFile(outputs, []byte(`{"endpoint":"`+server.URL+`","region":"us-east-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRADEWIND_OUTPUTS", outputs)
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, command.IO{Out: &stdout, Progress: &stderr, Getenv: func(string) string { return "" }})
	return code, stdout.String(), stderr.String()
}

// model are the commands as kong knows them.
func model(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("tradewind"), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Children
}

func hasFlag(c *kong.Node, name string) bool {
	return slices.ContainsFunc(c.Flags, func(f *kong.Flag) bool { return f.Name == name })
}

// TestDryRun runs each command that has the flag with it and without it: only without it
// may anything change.
func TestDryRun(t *testing.T) {
	tests := map[string]struct {
		args []string
		says []string // of a dry run
		done string   // a change that is made without it
	}{
		"redrive": {[]string{"--queue=orders/consumer"}, []string{"order.created  evt_1", "orders/consumer: 1 found\n"}, "SendMessage"},
		"replay": {[]string{"--from=2h", "--event=payment.captured"}, []string{
			"would replay ", " of archive tradewind-local, which holds 1234 events of all times\n",
			"  orders: payment.captured (by a copy of rule orders-rule)\n", "nothing was changed\n",
		}, "StartReplay"},
		"reconcile": {[]string{"--service=orders", "--from=2h"}, []string{"1 found\n", "     1  order.created\n"}, "PutEvents"},
	}
	for _, c := range model(t) {
		if !hasFlag(c, "dry-run") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			test, ok := tests[c.Name]
			if !ok {
				t.Fatal("is not in the table of this test")
			}
			args := append([]string{c.Name}, test.args...)
			a := &account{}
			code, out, progress := tool(t, a, append(args, "--dry-run")...)
			if code != 0 || len(a.asked) == 0 || len(a.changes()) > 0 {
				t.Errorf("exit code %d, changes %v\n%s%s", code, a.changes(), out, progress)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("says nothing of %q:\n%s", part, out)
				}
			}
			a = &account{}
			if tool(t, a, args...); !slices.Contains(a.changes(), test.done) {
				t.Errorf("without --dry-run there is no %s: %v", test.done, a.asked)
			}
		})
	}
}

// TestDiscard: --discard deletes, sends nothing, and writes what is gone.
func TestDiscard(t *testing.T) {
	a := &account{}
	code, out, progress := tool(t, a, "redrive", "--queue=orders/consumer", "--filter=eventId=evt_1", "--discard", "--json")
	if code != 0 || !slices.Equal(a.changes(), []string{"DeleteMessage"}) {
		t.Errorf("exit code %d, changes %v: %s", code, a.changes(), progress)
	}
	var gone struct{ EventID, Body string }
	if err := json.Unmarshal([]byte(out), &gone); err != nil || gone.EventID != "evt_1" || !strings.Contains(gone.Body, "ord_1") {
		t.Errorf("wrote %s: %v", out, err)
	}
	if !strings.Contains(progress, "orders/consumer: 1 found, 1 discarded, 0 failed\n") {
		t.Errorf("said %s", progress)
	}
}

// TestWrongUse: wrong use is refused with the reason and exit code 2, before anything is
// done.
func TestWrongUse(t *testing.T) {
	tests := map[string]struct {
		args string
		want string
	}{
		"no such command":      {"repaly", `did you mean "replay"?`},
		"no such flag":         {"replay --dryrun --from=2h", `unknown flag --dryrun, did you mean "--dry-run"?`},
		"what flags there are": {"replay --queue=orders", "replay takes --event=TYPES --consumer=NAMES --from=TIME --to=TIME --dry-run --stage=NAME"},
		"another's flag":       {"redrive --from=2h", "unknown flag --from"},
		"stray argument":       {"replay --from=2h inventory", "unexpected argument inventory"},
		"flag of the tool":     {"--from=2h", "the commands are redrive, replay, reconcile"},
		"dry run, perhaps":     {"replay --from=2h --dry-run=maybe", "--dry-run: "},
		"no beginning":         {"replay", "--from is missing: a time such as"},
		"not a time":           {"replay --from=yesterday", `--from: "yesterday" is not a time`},
		"empty window":         {"reconcile --service=orders --from=1h --to=2h", "--from must be before --to"},
		"too long ago":         {"replay --from=2020-01-01T00:00:00Z", "keeps events for 14 days"},
		"no such stage":        {"replay --from=2h --stage=Prod", `"Prod" is not the name of a stage on AWS`},
		"stage of this run":    {"replay --from=2h --stage=local", "local (the run on this machine)"},
		"empty value":          {"replay --from=2h --consumer=", "--consumer is empty"},
		"empty command":        {"redrive --queue=orders --edit=", "--edit is empty"},
		"no such consumer":     {"replay --from=2h --consumer=order", "--consumer=order: stage local has no order; it has orders"},
		"taken by none":        {"replay --from=2h --event=order.created", "--event=order.created: none of these consumers takes it: orders takes stock.rejected, payment.captured"},
		"no queue":             {"redrive --dry-run", "--queue is missing: the dead-letter queues of stage local are orders/consumer, orders/relay;"},
		"no such queue":        {"redrive --queue=order", "--queue=order is not a dead-letter queue: the dead-letter queues of stage local are orders/consumer, orders/relay;"},
		"not a filter":         {"redrive --queue=orders --filter=kind=x", `--filter: "kind=x" is not a term: give type=`},
		"discard everything":   {"redrive --queue=orders --discard", "say which with --filter"},
		"discard and edit":     {"redrive --queue=orders --discard --filter=type=x --edit=cat", "take one"},
		"json of what":         {"redrive --queue=orders --json", "needs --dry-run or --discard"},
		"no service":           {"reconcile --from=2h", "--service is missing: one or more of orders, or all"},
		"no such service":      {"reconcile --from=2h --service=order", "--service=order: stage local has no order; it has orders"},
		"no rate":              {"reconcile --from=2h --service=orders --rate=0", "--rate must be above 0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := &account{}
			code, out, progress := tool(t, a, strings.Fields(test.args)...)
			if code != 2 || out != "" || len(a.changes()) > 0 || slices.Contains(a.asked, "ReceiveMessage") {
				t.Errorf("exit code %d, said %q, asked %v", code, out, a.asked)
			}
			if !strings.HasPrefix(progress, "error: ") || !strings.Contains(progress, test.want) {
				t.Errorf("said %swant %s", progress, test.want)
			}
		})
	}
}

// TestWrongUseInMake: who uses make knows variables, not flags.
func TestWrongUseInMake(t *testing.T) {
	const hint = "in make a flag is a variable: --from is FROM=\n"
	for level, want := range map[string]bool{"": false, "1": true} {
		var progress bytes.Buffer
		std := command.IO{Out: io.Discard, Progress: &progress, Getenv: func(name string) string { return map[string]string{"MAKELEVEL": level}[name] }}
		if code := run(t.Context(), []string{"replay"}, std); code != 2 || strings.Contains(progress.String(), hint) != want {
			t.Errorf("at make's level %q it ends with %d: %s", level, code, progress.String())
		}
	}
}

func TestHelp(t *testing.T) {
	for _, c := range model(t) {
		code, out, progress := tool(t, &account{}, c.Name, "--help")
		if code != 0 || progress != "" || !strings.Contains(out, c.Help[:40]) || !strings.Contains(out, "\n    tradewind "+c.Name+" --") {
			t.Errorf("%s --help ends with %d and has no example:\n%s%s", c.Name, code, out, progress)
		}
	}
	if code, out, _ := tool(t, &account{}); code != 0 || !strings.Contains(out, "\n  reconcile ") {
		t.Errorf("without arguments it ends with %d:\n%s", code, out)
	}
}

func TestFails(t *testing.T) {
	code, _, progress := tool(t, &account{}, "replay", "--from=2h", "--stage=dev")
	if code != 1 || !strings.Contains(progress, "AWS_ACCESS_KEY_ID") {
		t.Errorf("without credentials it ends with %d: %s", code, progress)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	server := httptest.NewServer(&account{})
	defer server.Close()
	outputs := filepath.Join(t.TempDir(), "outputs.json")
	if err := os.WriteFile(outputs, []byte(`{"endpoint":"`+server.URL+`","region":"us-east-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	std := command.IO{Out: io.Discard, Progress: io.Discard, Getenv: os.Getenv}
	if code := run(ctx, []string{"replay", "--from=2h", "--outputs=" + outputs}, std); code != 130 {
		t.Errorf("interrupted, it ends with %d", code)
	}
}
