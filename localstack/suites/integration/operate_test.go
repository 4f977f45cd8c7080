package integration

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"golang.org/x/sync/errgroup"

	"tradewind/events"
	"tradewind/events/catalog"
	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/endpoint"
)

// operator has the command-line tool at hand.
type operator struct {
	*platform
	tool string
	aws  aws.Config
}

func newOperator(t *testing.T, p *platform) operator {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "tradewind")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool, "tradewind/shared/cmd/tradewind").CombinedOutput(); err != nil {
		t.Fatalf("build the tool: %v\n%s", err, out)
	}
	return operator{p, tool, endpoint.AWS(p.outputs.Endpoint, p.outputs.Region)}
}

// run runs the tool and returns what it says.
func (o operator) run(t *testing.T, command string, flags ...string) (string, error) {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(within(t, soon), o.tool, append([]string{command}, flags...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", command, flags, err, out.String(), complaint.String())
	}
	return out.String(), nil
}

// does runs the tool and wants it to succeed.
func (o operator) does(t *testing.T, command string, flags ...string) string {
	t.Helper()
	out, err := o.run(t, command, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// quiet waits until no consumer has anything to do.
func (o operator) quiet(t *testing.T) {
	t.Helper()
	if err := audit.Quiet(within(t, redelivered), o.aws, o.outputs.Queues); err != nil {
		t.Fatal(err)
	}
}

// dead waits until the dead-letter queues hold so many messages, and no others.
func (o operator) dead(t *testing.T, want map[string]int) {
	t.Helper()
	err := await.Until(within(t, soon), look, "the dead letters", func(ctx context.Context) error {
		got, err := audit.DeadLetters(ctx, o.aws, o.outputs.Queues)
		if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			err = fmt.Errorf("%v, want %v", got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// rows are the items of a service's table, by key.
func (o operator) rows(t *testing.T, services ...string) audit.Snapshot {
	t.Helper()
	of := map[string]string{}
	for _, service := range services {
		of[service] = o.outputs.Tables[service]
	}
	s, err := audit.TakeSnapshot(t.Context(), dynamodb.NewFromConfig(o.aws), of)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// envelope is an event of the test's own making.
func envelope(t *testing.T, id string, ev events.Event) string {
	t.Helper()
	data, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(events.Envelope{
		Metadata: events.Metadata{
			EventID: id, OccurredAt: events.Timestamp(time.Now()), SchemaVersion: ev.SchemaVersion(),
			CorrelationID: "c-" + id, Subject: ev.Subject(),
		},
		Data: data,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// publish puts events of one type on the bus.
func (o operator) publish(t *testing.T, source, eventType string, details []string) {
	t.Helper()
	client := eventbridge.NewFromConfig(o.aws)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for begin := 0; begin < len(details); begin += 10 {
		var entries []types.PutEventsRequestEntry
		for _, detail := range details[begin:min(begin+10, len(details))] {
			entries = append(entries, types.PutEventsRequestEntry{
				EventBusName: aws.String(bus), Source: &source, DetailType: &eventType, Detail: aws.String(detail),
			})
		}
		group.Go(func() error {
			out, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
			if err == nil && out.FailedEntryCount > 0 {
				err = errors.New("the bus refused events")
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// poison has a publisher make every fortieth of its events wrong. Exactly these are
// put away, with the reason, while the others take effect; mended and sent back, they
// take effect too, and everything does so once.
func poison(t *testing.T, o operator) {
	const every = 40
	all := cmp.Or(poisonedStream[o.kind.Name], 2000)
	before := o.rows(t, "inventory")
	var details []string
	bad := map[string]bool{}
	for i := range all {
		id, product := "evt_"+rand.Text(), "prd_"+rand.Text()
		detail := envelope(t, id, catalog.ProductCreatedV1{ProductID: product, SKU: "P", Name: "Poison", Category: "tests"})
		if i%every == 0 {
			bad[id] = true
			detail = strings.Replace(detail, `"productId":"`+product+`"`, `"productId":["`+product+`"]`, 1)
		}
		details = append(details, detail)
	}
	o.publish(t, catalog.Source, catalog.TypeProductCreated, details)
	o.quiet(t)
	if n := effects(o.rows(t, "inventory").Since(before)); n != all-len(bad) {
		t.Errorf("%d stock lines were opened, want %d", n, all-len(bad))
	}
	o.quarantined(t, bad)
	o.quarantined(t, bad) // listing takes nothing away

	// Sent back as they are, they are put away again, once each.
	if _, err := o.run(t, "redrive", "--queue=inventory/consumer", "--filter=type=product.*"); err != nil && !strings.Contains(err.Error(), "still there") {
		t.Error(err)
	}
	o.quiet(t)
	o.quarantined(t, bad)

	mend := `--edit=sed 's/"productId": *\["\([^"]*\)"\]/"productId":"\1"/'`
	out := o.does(t, "redrive", "--queue=inventory/consumer", mend)
	var found, sent int
	if _, err := fmt.Sscanf(out, "inventory/consumer: %d found, %d sent back, 0 came back, 0 failed\n", &found, &sent); err != nil || found < len(bad) || sent != found {
		t.Errorf("said %s", out)
	}
	o.quiet(t)
	o.dead(t, map[string]int{})
	changes := o.rows(t, "inventory").Since(before)
	if n := effects(changes); n != all {
		t.Errorf("%d stock lines were opened, want %d", n, all)
	}
	if n := len(changes); n != 2*all { // a line and a record of the event each, and nothing else
		t.Errorf("%d items are new or changed, want %d", n, 2*all)
	}
	t.Logf("%d of %d put away; %d messages sent back; %d lines opened, once each", len(bad), all, sent, effects(changes))
}

// quarantined lists what inventory has put away, which must be these events with the
// reason, and each once. A function that ran out of time after it had put one away does
// so again: on a busy machine a few may be there twice.
func (o operator) quarantined(t *testing.T, want map[string]bool) {
	t.Helper()
	const twice = 5
	listed := o.does(t, "redrive", "--queue=inventory/consumer", "--dry-run")
	copies, n := map[string]int{}, 0
	for line := range strings.Lines(listed) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[0] != "product.created" {
			continue
		}
		n++
		if copies[fields[1]]++; !strings.Contains(line, "invalid: event_malformed") {
			t.Errorf("listed without the reason: %s", line)
		}
	}
	for id := range want {
		if copies[id] == 0 {
			t.Errorf("%s is missing", id)
		}
		delete(copies, id)
	}
	if len(copies) > 0 || n > len(want)+twice {
		t.Errorf("%d messages for %d events, and %d of others: %s", n, len(want), len(copies), listed)
	}
}

// effects counts the stock lines that are new.
func effects(changes []string) int {
	n := 0
	for _, change := range changes {
		if strings.HasPrefix(change, "new: inventory STOCK#") && strings.HasSuffix(change, " STOCK") {
			n++
		}
	}
	return n
}
