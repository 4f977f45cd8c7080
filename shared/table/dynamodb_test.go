package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"tradewind/shared/apperr"
	"tradewind/shared/apperr/apperrtest"
	"tradewind/shared/awsclient"
	"tradewind/shared/table"
)

// endpoint plays DynamoDB's side of the wire, so that what is classified are the
// SDK's real errors. It is called once per exchange, the SDK's repeats included.
type endpoint func(request map[string]any) (status int, answer string, err error)

// Do implements aws.HTTPClient.
func (e endpoint) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var request map[string]any
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	status, answer, err := e(request)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(strings.NewReader(answer)),
	}, nil
}

func (e endpoint) table() *table.Table {
	vars := map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
	cfg := awsclient.Config(func(name string) string { return vars[name] }, "DYNAMODB")
	cfg.HTTPClient = e
	return table.DynamoDB(dynamodb.NewFromConfig(cfg), "orders")
}

const ok = http.StatusOK

// fault is the body of an error as DynamoDB sends it.
func fault(code, message string) string {
	return fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":%q}`, code, message)
}

// cancelledFor is the body of a cancelled transaction with a reason per operation.
func cancelledFor(codes ...string) string {
	reasons := make([]string, len(codes))
	for i, code := range codes {
		reasons[i] = fmt.Sprintf(`{"Code":%q}`, code)
		if code != "None" {
			reasons[i] = fmt.Sprintf(`{"Code":%q,"Message":"of operation %d"}`, code, i)
		}
	}
	return fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",`+
		`"Message":"Transaction cancelled, please refer cancellation reasons for specific reasons [%s]","CancellationReasons":[%s]}`,
		strings.Join(codes, ", "), strings.Join(reasons, ","))
}

var (
	errFirst  = errors.New("the first condition failed")
	errSecond = errors.New("the second condition failed")
)

func twoCreates() []table.Op {
	return []table.Op{
		table.Create(table.Key{PK: "A", SK: "1"}, errFirst),
		table.Create(table.Key{PK: "A", SK: "2"}, errSecond),
	}
}

// guard is a table.Guard that only has a record.
type guard struct{ committed int }

func (*guard) Record(any) (table.Op, error) {
	return table.Create(table.Key{PK: "RECORD", SK: "1"}, table.ErrDone), nil
}
func (g *guard) Committed() { g.committed++ }

func TestCommitErrors(t *testing.T) {
	const busy, unavailable, defect = "busy", "unavailable", "internal"
	refused := http.StatusBadRequest
	tests := map[string]struct {
		status  int
		answers []string // the last one is repeated
		failure error    // instead of an answer
		guarded bool
		want    error  // the very error, or
		code    string // its code
		calls   int    // transactions with different tokens
	}{
		"made":                      {status: ok, answers: []string{`{}`}, calls: 1},
		"condition":                 {status: refused, answers: []string{cancelledFor("None", "ConditionalCheckFailed")}, want: errSecond, calls: 1},
		"both conditions":           {status: refused, answers: []string{cancelledFor("ConditionalCheckFailed", "ConditionalCheckFailed")}, want: errFirst, calls: 1},
		"conflict, then condition":  {status: refused, answers: []string{cancelledFor("TransactionConflict", "None"), cancelledFor("ConditionalCheckFailed", "None")}, want: errFirst, calls: 2},
		"conflict for ever":         {status: refused, answers: []string{cancelledFor("None", "TransactionConflict")}, code: busy, calls: 8},
		"throttled inside":          {status: refused, answers: []string{cancelledFor("ThrottlingError", "None")}, code: busy, calls: 8},
		"over capacity inside":      {status: refused, answers: []string{cancelledFor("ProvisionedThroughputExceeded", "None")}, code: busy, calls: 8},
		"condition and conflict":    {status: refused, answers: []string{cancelledFor("TransactionConflict", "ConditionalCheckFailed")}, want: errSecond, calls: 1},
		"invalid inside":            {status: refused, answers: []string{cancelledFor("None", "ValidationError")}, code: defect, calls: 1},
		"too large inside":          {status: refused, answers: []string{cancelledFor("ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded")}, code: defect, calls: 1},
		"cancelled without reasons": {status: refused, answers: []string{cancelledFor()}, code: defect, calls: 1},

		"in progress":      {status: refused, answers: []string{fault("TransactionInProgressException", "in progress")}, code: unavailable, calls: 1},
		"throttled":        {status: refused, answers: []string{fault("ThrottlingException", "slow down")}, code: unavailable, calls: 1},
		"over capacity":    {status: refused, answers: []string{fault("ProvisionedThroughputExceededException", "slow down")}, code: unavailable, calls: 1},
		"account limit":    {status: refused, answers: []string{fault("RequestLimitExceeded", "slow down")}, code: unavailable, calls: 1},
		"server error":     {status: http.StatusInternalServerError, answers: []string{fault("InternalServerError", "oops")}, code: unavailable, calls: 1},
		"no connection":    {failure: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, code: unavailable, calls: 1},
		"no answer":        {failure: context.DeadlineExceeded, code: unavailable, calls: 1},
		"invalid":          {status: refused, answers: []string{fault("ValidationException", "item too large")}, code: defect, calls: 1},
		"not allowed":      {status: refused, answers: []string{fault("AccessDeniedException", "not authorized")}, code: defect, calls: 1},
		"no such table":    {status: refused, answers: []string{fault("ResourceNotFoundException", "no table")}, code: defect, calls: 1},
		"token used twice": {status: refused, answers: []string{fault("IdempotentParameterMismatchException", "other")}, code: defect, calls: 1},

		"done":                       {guarded: true, status: refused, answers: []string{cancelledFor("ConditionalCheckFailed", "None", "ConditionalCheckFailed")}, want: table.ErrDone, calls: 1},
		"guarded condition":          {guarded: true, status: refused, answers: []string{cancelledFor("ConditionalCheckFailed", "None", "None")}, want: errFirst, calls: 1},
		"guarded, done just now":     {guarded: true, status: refused, answers: []string{cancelledFor("ConditionalCheckFailed", "None", "TransactionConflict"), cancelledFor("ConditionalCheckFailed", "None", "ConditionalCheckFailed")}, want: table.ErrDone, calls: 2},
		"guarded, contended forever": {guarded: true, status: refused, answers: []string{cancelledFor("None", "ConditionalCheckFailed", "TransactionConflict")}, want: errSecond, calls: 8},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tokens []string
				db := endpoint(func(request map[string]any) (int, string, error) {
					token, _ := request["ClientRequestToken"].(string)
					if token == "" {
						t.Error("a transaction without a token: the SDK's repeat could make it twice")
					}
					if !slices.Contains(tokens, token) {
						tokens = append(tokens, token)
					}
					if test.failure != nil {
						return 0, "", test.failure
					}
					return test.status, test.answers[min(len(tokens), len(test.answers))-1], nil
				})
				ctx, g := t.Context(), &guard{}
				if test.guarded {
					ctx = table.WithGuard(ctx, g)
				}
				start := time.Now()
				err := db.table().Commit(ctx, nil, twoCreates()...)
				switch {
				case test.want != nil:
					if !errors.Is(err, test.want) {
						t.Errorf("got error %v, want %v", err, test.want)
					}
				case test.code != "":
					if err == nil || apperrtest.Code(err) != test.code {
						t.Errorf("got code %s of error %v, want %s", apperrtest.Code(err), err, test.code)
					}
				case err != nil:
					t.Errorf("got error %v, want none", err)
				}
				if len(tokens) != test.calls {
					t.Errorf("made %d transactions, want %d", len(tokens), test.calls)
				}
				// The whole of the documented backoff. A call's own retries do not add
				// to it: they are of other errors.
				if took := time.Since(start); test.calls > 1 && took > 1300*time.Millisecond {
					t.Errorf("took %v, want at most 1.3 s", took)
				}
				if g.committed != 0 {
					t.Error("the guard believes that it has committed")
				}
			})
		})
	}
}

func TestCommitStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := endpoint(func(map[string]any) (int, string, error) {
			return http.StatusBadRequest, cancelledFor("TransactionConflict", "None"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := db.table().Commit(ctx, nil, twoCreates()...)
		if apperr.KindOf(err) != apperr.Unavailable {
			t.Errorf("got %v, want an Unavailable error", err)
		}
		if took := time.Since(start); took > 15*time.Millisecond {
			t.Errorf("took %v although the time was up after 15ms", took)
		}
	})
}

// TestTransactionOnTheWire shows what is asked of DynamoDB: a fake cannot tell
// that a condition is spelled wrong.
func TestTransactionOnTheWire(t *testing.T) {
	var got map[string]any
	db := endpoint(func(request map[string]any) (int, string, error) {
		got = request
		return ok, `{}`, nil
	})
	type item struct {
		table.Key
		Version int `dynamodbav:"version"`
	}
	at := func(sk string) item { return item{table.Key{PK: "P", SK: sk}, 2} }
	err := db.table().Commit(t.Context(), nil,
		table.Create(at("create"), errFirst),
		table.CreateOrRenew(at("renew"), time.Unix(1800000000, 0), errFirst),
		table.Replace(at("replace"), 1),
		table.Remove(at("remove").Key, 1),
		table.Unchanged(at("unchanged").Key, 1),
		table.Discard(at("discard").Key),
	)
	if err != nil {
		t.Fatal(err)
	}
	delete(got, "ClientRequestToken") // random; TestCommitErrors looks at it
	const want = `{"TransactItems": [
		{"Put": {"TableName": "orders", "Item": {"PK": {"S": "P"}, "SK": {"S": "create"}, "version": {"N": "2"}},
			"ConditionExpression": "attribute_not_exists(PK)"}},
		{"Put": {"TableName": "orders", "Item": {"PK": {"S": "P"}, "SK": {"S": "renew"}, "version": {"N": "2"}},
			"ConditionExpression": "attribute_not_exists(PK) OR expiresAt < :now", "ExpressionAttributeValues": {":now": {"N": "1800000000"}}}},
		{"Put": {"TableName": "orders", "Item": {"PK": {"S": "P"}, "SK": {"S": "replace"}, "version": {"N": "2"}},
			"ConditionExpression": "version = :seen", "ExpressionAttributeValues": {":seen": {"N": "1"}}}},
		{"Delete": {"TableName": "orders", "Key": {"PK": {"S": "P"}, "SK": {"S": "remove"}},
			"ConditionExpression": "version = :seen", "ExpressionAttributeValues": {":seen": {"N": "1"}}}},
		{"ConditionCheck": {"TableName": "orders", "Key": {"PK": {"S": "P"}, "SK": {"S": "unchanged"}},
			"ConditionExpression": "version = :seen", "ExpressionAttributeValues": {":seen": {"N": "1"}}}},
		{"Delete": {"TableName": "orders", "Key": {"PK": {"S": "P"}, "SK": {"S": "discard"}}}}
	]}`
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// TestQueryGoesOnAfterAShortPage has a page end before its limit, as it does
// after 1 MB or where nothing on it was in the range.
func TestQueryGoesOnAfterAShortPage(t *testing.T) {
	var limits []any
	db := endpoint(func(request map[string]any) (int, string, error) {
		limits = append(limits, request["Limit"])
		switch len(limits) {
		case 1:
			return ok, `{"Items":[{"PK":{"S":"P"},"SK":{"S":"1"}}],"LastEvaluatedKey":{"PK":{"S":"P"},"SK":{"S":"1"}}}`, nil
		case 2:
			return ok, `{"Items":[],"LastEvaluatedKey":{"PK":{"S":"P"},"SK":{"S":"2"}}}`, nil
		default:
			if diff := cmp.Diff(map[string]any{"PK": map[string]any{"S": "P"}, "SK": map[string]any{"S": "2"}}, request["ExclusiveStartKey"]); diff != "" {
				t.Errorf("start of the third page (-want +got):\n%s", diff)
			}
			return ok, `{"Items":[{"PK":{"S":"P"},"SK":{"S":"3"}}]}`, nil
		}
	})
	items, next, err := table.List[table.Key](t.Context(), db.table(), table.Query{PK: "P", Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]table.Key{{PK: "P", SK: "1"}, {PK: "P", SK: "3"}}, items); diff != "" || next != "" {
		t.Errorf("next page %q, items (-want +got):\n%s", next, diff)
	}
	if diff := cmp.Diff([]any{3.0, 2.0, 2.0}, limits); diff != "" {
		t.Errorf("limits asked for (-want +got):\n%s", diff)
	}
}

func TestReadErrors(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   apperr.Kind
	}{
		"throttled":     {fault("ProvisionedThroughputExceededException", "slow down"), apperr.Unavailable},
		"not allowed":   {fault("AccessDeniedException", "not authorized"), apperr.Internal},
		"no such table": {fault("ResourceNotFoundException", "no table"), apperr.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tbl := endpoint(func(map[string]any) (int, string, error) { return http.StatusBadRequest, test.answer, nil }).table()
				_, getErr := tbl.Get(t.Context(), table.Key{PK: "P", SK: "S"}, &table.Key{})
				_, _, listErr := table.List[table.Key](t.Context(), tbl, table.Query{PK: "P", Limit: 1})
				for call, err := range map[string]error{"get": getErr, "list": listErr} {
					if err == nil || apperr.KindOf(err) != test.want {
						t.Errorf("%s: got kind %v of error %v, want %v", call, apperr.KindOf(err), err, test.want)
					}
				}
			})
		})
	}
}

// TestReadNearItsDeadline: what no retry can cure in time is answered at once, and as
// Unavailable, so that the client gets a 503 and not a cut connection.
func TestReadNearItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tbl := endpoint(func(map[string]any) (int, string, error) {
			return http.StatusInternalServerError, fault("InternalServerError", "oops"), nil
		}).table()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := tbl.Get(ctx, table.Key{PK: "P", SK: "S"}, &table.Key{})
		if took := time.Since(start); apperr.KindOf(err) != apperr.Unavailable || took > 0 {
			t.Errorf("got %v after %v, want an Unavailable error at once", err, took)
		}
	})
}
