package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"tradewind/localstack/internal/await"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/fnproc"
	"tradewind/localstack/internal/shop"
	"tradewind/localstack/internal/usererr"
	"tradewind/localstack/tools/slow/execenv"
)

const name = "tradewind-local-orders-api"

// function is the deployed function, as its process has it.
type function struct {
	program string
	environ []string
}

// deployed finds the function in the endpoint's process, which a request brings up, and
// keeps a copy of its program.
func deployed(ctx context.Context, o shop.Outputs, dir string) (*function, error) {
	if o.Endpoint == "" || !fnproc.Supported() {
		return nil, usererr.New(nil, "run it against a local endpoint, on Linux", "functions are processes of this machine only there")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	gateway := shop.New(o.APIURL).As(o.Customer.Token)
	defer gateway.Close()
	var pids []int
	err := await.Until(ctx, 100*time.Millisecond, "a process of "+name, func(ctx context.Context) error {
		if _, err := gateway.Orders(ctx, ""); err != nil {
			return err
		}
		if pids = fnproc.Find(o.Endpoint, name); len(pids) == 0 {
			return errors.New("none runs")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	environ, err := fnproc.Environ(pids[0])
	if err != nil {
		return nil, err
	}
	fn := &function{program: filepath.Join(dir, "bootstrap"), environ: environ}
	return fn, copyFile(fn.program, fnproc.Program(pids[0]))
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func (f *function) remove() { _ = os.Remove(f.program) }

// start starts an environment with some variables changed.
func (f *function) start(ctx context.Context, timeout time.Duration, log func([]byte), changes ...string) (*execenv.Environment, error) {
	changed := map[string]bool{"AWS_LAMBDA_RUNTIME_API": true} // it gets one of its own
	for _, change := range changes {
		variable, _, _ := strings.Cut(change, "=")
		changed[variable] = true
	}
	env := slices.DeleteFunc(slices.Clone(f.environ), func(entry string) bool {
		variable, _, _ := strings.Cut(entry, "=")
		return changed[variable]
	})
	return execenv.Start(ctx, execenv.Config{Program: f.program, Env: append(env, changes...), Timeout: timeout, Log: log})
}

// table is one without a stream, so that nobody hears of what is written.
type table struct {
	db   *dynamodb.Client
	name string
}

func newTable(ctx context.Context, o shop.Outputs) (*table, error) {
	t := &table{db: dynamodb.NewFromConfig(endpoint.AWS(o.Endpoint, o.Region)), name: "slow-" + rand.Text()}
	pk, sk := aws.String("PK"), aws.String("SK")
	_, err := t.db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &t.name,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: pk, KeyType: types.KeyTypeHash}, {AttributeName: sk, KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: pk, AttributeType: types.ScalarAttributeTypeS}, {AttributeName: sk, AttributeType: types.ScalarAttributeTypeS},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create a table: %w", err)
	}
	return t, nil
}

func (t *table) delete() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // also after Ctrl-C
	defer cancel()
	_, _ = t.db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &t.name}) // else it goes with the endpoint
}
