package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/events/catalog"
	"tradewind/events/inventory"
	"tradewind/events/notifications"
	"tradewind/events/orders"
	"tradewind/events/payments"
	"tradewind/events/status"
	"tradewind/events/users"
)

// contract is one published version of an event type.
type contract struct {
	source    string
	eventType string // written out, for the constant must not change
	version   int
	decode    func(*json.Decoder) (events.Event, error)
}

func of[E events.Event](source, eventType string, version int) contract {
	return contract{source, eventType, version, func(d *json.Decoder) (events.Event, error) {
		var ev E
		err := d.Decode(&ev)
		return ev, err
	}}
}

// contracts is everything that the platform publishes.
var contracts = []contract{
	of[users.RegisteredV1]("users", "user.registered", 1),
	of[users.UpdatedV1]("users", "user.updated", 1),
	of[users.DeletedV1]("users", "user.deleted", 1),
	of[catalog.ProductCreatedV1]("catalog", "product.created", 1),
	of[catalog.ProductUpdatedV1]("catalog", "product.updated", 1),
	of[catalog.ProductDiscontinuedV1]("catalog", "product.discontinued", 1),
	of[orders.CreatedV1]("orders", "order.created", 1),
	of[orders.ConfirmedV1]("orders", "order.confirmed", 1),
	of[orders.CancelledV1]("orders", "order.cancelled", 1),
	of[inventory.StockReservedV1]("inventory", "stock.reserved", 1),
	of[inventory.StockRejectedV1]("inventory", "stock.rejected", 1),
	of[inventory.StockReleasedV1]("inventory", "stock.released", 1),
	of[inventory.StockDepletedV1]("inventory", "stock.depleted", 1),
	of[payments.CapturedV1]("payments", "payment.captured", 1),
	of[payments.DeclinedV1]("payments", "payment.declined", 1),
	of[payments.RefundedV1]("payments", "payment.refunded", 1),
	of[notifications.SentV1]("notifications", "notification.sent", 1),
	of[notifications.FailedV1]("notifications", "notification.failed", 1),
	of[status.DegradedV1]("status", "service.degraded", 1),
	of[status.RecoveredV1]("status", "service.recovered", 1),
}

// example is where the example of a contract is.
func (c contract) example() string {
	return filepath.Join(c.source, "examples", fmt.Sprintf("%s.v%d.json", c.eventType, c.version))
}

// TestExamples reads each example strictly into the contract's type, writes it,
// and compares: a field that is renamed, removed, or of another type shows, and
// so does one that the example lacks. An example is what consumers of other
// teams build on: it is not changed to make this test pass, a new version is
// added beside it.
func TestExamples(t *testing.T) {
	for _, c := range contracts {
		t.Run(fmt.Sprintf("%s v%d", c.eventType, c.version), func(t *testing.T) {
			example, err := os.ReadFile(c.example())
			if err != nil {
				t.Fatal(err)
			}
			envelope, ev := c.read(t, example)
			if ev.EventType() != c.eventType || ev.SchemaVersion() != c.version {
				t.Errorf("is %s v%d", ev.EventType(), ev.SchemaVersion())
			}
			if m := envelope.Metadata; m.SchemaVersion != c.version || m.Subject != ev.Subject() || ev.Subject() == "" {
				t.Errorf("metadata say version %d, subject %q; the event's subject is %q", m.SchemaVersion, m.Subject, ev.Subject())
			}
			for _, field := range zeroFields(reflect.ValueOf(ev), "data") {
				t.Errorf("the example does not show %s", field)
			}
			if envelope.Data, err = json.Marshal(ev); err != nil {
				t.Fatal(err)
			}
			written, err := json.MarshalIndent(envelope, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(example), string(written)+"\n"); diff != "" {
				t.Errorf("written again (-example +written):\n%s", diff)
			}
		})
	}
}

func (c contract) read(t *testing.T, example []byte) (events.Envelope, events.Event) {
	t.Helper()
	strict := func(data []byte) *json.Decoder {
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		return d
	}
	var envelope events.Envelope
	if err := strict(example).Decode(&envelope); err != nil {
		t.Fatal(err)
	}
	ev, err := c.decode(strict(envelope.Data))
	if err != nil {
		t.Fatal(err)
	}
	return envelope, ev
}

// zeroFields names the fields of a value that hold nothing.
func zeroFields(v reflect.Value, path string) []string {
	switch {
	case v.IsZero():
		return []string{path}
	case v.Type() == reflect.TypeFor[events.Timestamp](): // whose inside is time.Time's own
	case v.Kind() == reflect.Struct:
		var zero []string
		for i := range v.NumField() {
			zero = append(zero, zeroFields(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return zero
	case v.Kind() == reflect.Slice && v.Len() > 0:
		return zeroFields(v.Index(0), path+"[0]")
	}
	return nil
}

// TestEveryContractIsListed reads the source: an event type that nobody added to
// contracts would be published without an example, and unnoticed when it breaks.
func TestEveryContractIsListed(t *testing.T) {
	var listed, examples []string
	for _, c := range contracts {
		listed = append(listed, fmt.Sprintf("%s %s v%d", c.source, c.eventType, c.version))
		examples = append(examples, c.example())
	}
	if slices.Sort(listed); len(slices.Compact(slices.Clone(listed))) != len(listed) {
		t.Errorf("listed twice: %v", listed)
	}
	found, err := filepath.Glob("*/examples/*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(examples)
	if diff := cmp.Diff(examples, found); diff != "" {
		t.Errorf("files of examples (-want +got):\n%s", diff)
	}

	var declared []string
	packages, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range packages {
		packages[i] = filepath.Dir(file)
	}
	for _, dir := range slices.Compact(packages) {
		declared = append(declared, declaredIn(t, dir)...)
	}
	slices.Sort(declared)
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("event types (-declared +listed):\n%s", diff)
	}
}

// declaredIn returns the event types that a package declares: types with an
// EventType method that returns a constant, named after their version.
func declaredIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	returned := map[string]string{} // by the method's receiver, a constant's name
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Values) == 1 {
					if value, ok := n.Values[0].(*ast.BasicLit); ok {
						constants[n.Names[0].Name] = strings.Trim(value.Value, `"`)
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "EventType" {
					result := n.Body.List[0].(*ast.ReturnStmt).Results[0]
					returned[n.Recv.List[0].Type.(*ast.Ident).Name] = result.(*ast.Ident).Name
				}
			}
			return true
		})
	}
	if constants["Source"] != dir {
		t.Errorf("%s: Source is %q, want the package's name: rules and grants are made of it", dir, constants["Source"])
	}
	version := regexp.MustCompile(`V\d+$`)
	var declared []string
	for receiver, constant := range returned {
		declared = append(declared, fmt.Sprintf("%s %s %s", dir, constants[constant], strings.ToLower(version.FindString(receiver))))
	}
	return declared
}
