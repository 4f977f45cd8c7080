// Package dynamo keeps what is known of the platform's services in one DynamoDB
// table.
//
//	item     PK        SK
//	service  SERVICES  SERVICE#<name>
//	outbox   SERVICES  OUTBOX#<id>
//
//	one service      GetItem PK, SK     consistent       Store.Service
//	all of them      Query PK           consistent       Store.Services
//	a probe's change TransactWriteItems version as read  Store.Save
//
// They share a partition, so that GET /health, which anybody may ask, costs one
// query: there are a handful, and each changes once a minute. What a service was
// before is in its item, for it is bounded and never read without it.
package dynamo

import (
	"context"
	"time"

	"tradewind/events"
	"tradewind/functions/status"
	"tradewind/shared/apperr"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
)

const (
	partition = "SERVICES"
	prefix    = "SERVICE"
	page      = 100 // more than there are
)

// Store is a status.Store.
type Store struct {
	table  *table.Table
	outbox *outbox.Outbox
}

var _ status.Store = (*Store)(nil)

// New returns the store in a table; events it saves are published from out.
func New(t *table.Table, out *outbox.Outbox) *Store { return &Store{t, out} }

// Service implements status.Store.
func (s *Store) Service(ctx context.Context, name string) (status.Service, error) {
	var it item
	found, err := s.table.Get(ctx, key(name), &it)
	if err != nil || !found {
		return status.Service{Name: name}, err
	}
	return it.service(), nil
}

// Services implements status.Store.
func (s *Store) Services(ctx context.Context) ([]status.Service, error) {
	var all []status.Service
	q := table.Query{PK: partition, SKPrefix: table.Prefixed(prefix, ""), Limit: page}
	for {
		items, next, err := table.List[item](ctx, s.table, q)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			all = append(all, it.service())
		}
		if next == "" {
			return all, nil
		}
		q.After = next
	}
}

// Save implements status.Store.
func (s *Store) Save(ctx context.Context, svc status.Service, evs ...events.Event) error {
	save := table.Replace(itemOf(svc), svc.Version-1)
	if svc.Version == 1 {
		save = table.Create(itemOf(svc), apperr.ErrStale)
	}
	return s.table.Commit(ctx, nil, append([]table.Op{save}, s.outbox.Ops(ctx, partition, evs...)...)...)
}

func key(name string) table.Key { return table.Key{PK: partition, SK: table.Prefixed(prefix, name)} }

type item struct {
	table.Key
	Name    string    `dynamodbav:"name"`
	Changes []change  `dynamodbav:"changes"`
	Last    probe     `dynamodbav:"last"`
	Streak  int       `dynamodbav:"streak"`
	Began   time.Time `dynamodbav:"began"`
	Version int       `dynamodbav:"version"`
}

type change struct {
	State string    `dynamodbav:"state"`
	Since time.Time `dynamodbav:"since"`
	Cause string    `dynamodbav:"cause,omitempty"`
}

type probe struct {
	Run    string    `dynamodbav:"run"`
	At     time.Time `dynamodbav:"at"`
	Micros int64     `dynamodbav:"micros"`
	Fault  string    `dynamodbav:"fault,omitempty"`
	Checks []check   `dynamodbav:"checks,omitempty"`
}

type check struct {
	Name    string   `dynamodbav:"name"`
	Status  string   `dynamodbav:"status"`
	Backlog *backlog `dynamodbav:"backlog,omitempty"`
}

type backlog struct {
	Waiting int   `dynamodbav:"waiting"`
	Seconds int64 `dynamodbav:"seconds"`
}

func itemOf(s status.Service) item {
	it := item{
		Key:     key(s.Name),
		Name:    s.Name,
		Last:    probe{Run: s.Last.Run, At: s.Last.At, Micros: s.Last.Latency.Microseconds(), Fault: s.Last.Fault},
		Streak:  s.Streak,
		Began:   s.Began,
		Version: s.Version,
	}
	for _, c := range s.Last.Checks {
		stored := check{Name: c.Name, Status: string(c.Status)}
		if b := c.Backlog; b != nil {
			stored.Backlog = &backlog{b.Waiting, int64(b.Oldest.Seconds())}
		}
		it.Last.Checks = append(it.Last.Checks, stored)
	}
	for _, c := range s.Changes {
		it.Changes = append(it.Changes, change{string(c.State), c.Since, c.Cause})
	}
	return it
}

func (it item) service() status.Service {
	s := status.Service{
		Name: it.Name,
		Last: status.Probe{
			Run: it.Last.Run, At: it.Last.At, Latency: time.Duration(it.Last.Micros) * time.Microsecond, Fault: it.Last.Fault,
		},
		Streak:  it.Streak,
		Began:   it.Began,
		Version: it.Version,
	}
	for _, c := range it.Last.Checks {
		read := status.Check{Name: c.Name, Status: status.Result(c.Status)}
		if b := c.Backlog; b != nil {
			read.Backlog = &status.Backlog{Waiting: b.Waiting, Oldest: time.Duration(b.Seconds) * time.Second}
		}
		s.Last.Checks = append(s.Last.Checks, read)
	}
	for _, c := range it.Changes {
		s.Changes = append(s.Changes, status.Change{State: status.State(c.State), Since: c.Since, Cause: c.Cause})
	}
	return s
}
