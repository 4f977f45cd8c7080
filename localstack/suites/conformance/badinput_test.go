package conformance

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"tradewind/localstack/internal/audit"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/shop"
)

const (
	// fewest is how many bad requests there must be; fewer means that the documents
	// have become poorer, or that this part has.
	fewest = 1000

	crowd = 6               // bad requests at a time
	still = 3 * time.Second // without a change is rest
)

// trial is a bad request and how it may be answered.
type trial struct {
	name    string
	client  *shop.Client
	request shop.Request
	want    []int
	pointer string // where the fault is; an error there or below must say so
	located bool   // whether there is such a place
}

// badInput makes every bad request there is. Each must be refused as the contract
// says; all together they must change nothing, in no table.
func (s *suite) badInput(t *testing.T) {
	w := s.world
	before := s.rest(t)
	versions := s.versions(t)
	var made atomic.Int64
	began := time.Now()
	for _, op := range s.docs.Operations {
		t.Run(op.Name(), func(t *testing.T) {
			trials := s.trials(t, w, op)
			made.Add(int64(len(trials)))
			s.try(t, trials)
		})
	}
	t.Run("elsewhere", func(t *testing.T) {
		trials := s.elsewhere()
		made.Add(int64(len(trials)))
		s.try(t, trials)
	})
	t.Log(rate(int(made.Load()), "bad requests", time.Since(began)))
	if made.Load() < fewest {
		t.Errorf("only %d bad requests", made.Load())
	}
	for what, now := range s.versions(t) {
		if was := versions[what]; now != was {
			t.Errorf("%s was %s and is %s", what, was, now)
		}
	}
	if before == nil {
		t.Log("the tables are not ours to look at")
		return
	}
	after := s.rest(t)
	if changes := after.Since(before); len(changes) > 0 {
		t.Errorf("traces in the tables:\n%s", strings.Join(changes[:min(len(changes), 50)], "\n"))
	}
	t.Logf("%d items in the tables of %d services, checksum %s before and %s after",
		len(after), len(s.Outputs.Tables)-len(byTheClock), before.Checksum(), after.Checksum())
}

// rest returns the tables once nothing moves any more; nil where they are not to be
// seen.
func (s *suite) rest(t *testing.T) audit.Snapshot {
	t.Helper()
	if s.Outputs.Endpoint == "" {
		return nil
	}
	db := dynamodb.NewFromConfig(endpoint.AWS(s.Outputs.Endpoint, s.Outputs.Region))
	watched := maps.Clone(s.Outputs.Tables)
	maps.DeleteFunc(watched, func(service, _ string) bool { return byTheClock[service] != "" })
	snapshot, err := audit.SnapshotAtRest(within(t, 5*time.Minute), db, watched, still)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// versions returns the entity tag of everything in the world.
func (s *suite) versions(t *testing.T) map[string]string {
	t.Helper()
	tags := map[string]string{}
	for _, collection := range collections {
		path := "/api/" + collection + "/" + s.world.id(collection)
		tags[path] = read(t, s.Admin, path).Header.Get("ETag")
	}
	return tags
}

// try makes the requests of trials and judges the answers.
func (s *suite) try(t *testing.T, trials []trial) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(crowd)
	for _, trial := range trials {
		group.Go(func() error {
			if err := s.run(ctx, trial); err != nil {
				t.Errorf("%s: %v", trial.name, err)
			}
			return nil
		})
	}
	_ = group.Wait() // nothing returns an error
	t.Logf("%d bad requests", len(trials))
}

func (s *suite) run(ctx context.Context, tr trial) error {
	answer, err := tr.client.Do(ctx, tr.request)
	if err != nil {
		return err
	}
	path, _, _ := strings.Cut(tr.request.Path, "?")
	asked := fmt.Sprintf("%s %.100s", tr.request.Method, tr.request.Path)
	if serversOwn(tr.request, answer) {
		return nil
	}
	if !slices.Contains(tr.want, answer.Status) {
		return fmt.Errorf("%s is answered %d, want %v: %.200s", asked, answer.Status, tr.want, answer.Body)
	}
	if answer.Status < http.StatusBadRequest || gatewaysOwn(s.docs.Find(tr.request.Method, path), tr.request, answer) {
		return nil
	}
	p, err := proper(path, answer)
	if err != nil {
		return fmt.Errorf("%s: %w", asked, err)
	}
	if !tr.located {
		return nil
	}
	for _, e := range p.Errors {
		if e.Pointer == tr.pointer || strings.HasPrefix(e.Pointer, tr.pointer+"/") {
			return nil
		}
	}
	return fmt.Errorf("%s: the errors %+v do not point at %.100q", asked, p.Errors, tr.pointer)
}
