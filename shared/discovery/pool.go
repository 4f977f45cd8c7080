package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"
)

// Source looks up where a service is registered.
type Source interface {
	// Lookup returns the instances of a service. Who holds those of a revision
	// names it, and may be told that nothing has changed; zero asks for the
	// instances whatever their revision.
	Lookup(ctx context.Context, service string, revision int64) (Listing, error)
}

// Listing is what a source knows of a service.
type Listing struct {
	// Unchanged says that the instances of the revision asked with still stand.
	Unchanged bool
	Instances []Instance
	// Revision counts the changes of the list; zero where nobody counts.
	Revision int64
	// TTL is how long the listing holds; zero is the pool's own.
	TTL time.Duration
}

// Instance is a place that was registered.
type Instance struct {
	Base *url.URL
	Host string
}

// PoolConfig is how a pool works. Zero values have the stated defaults.
type PoolConfig struct {
	Source Source // required
	// TTL is how long a listing holds whose source does not say. 10 s.
	TTL time.Duration
	// MaxStale is for how long a listing is used beyond its end while the source
	// fails. 10 min.
	MaxStale time.Duration
	// Timeout bounds one lookup, and one probe. 1 s.
	Timeout time.Duration
	// Probe asks an instance that failed whether it works again. Until it does, it
	// stays the second choice. Without a probe it is the first again after a while,
	// and whether it works is found out by a call.
	Probe func(context.Context, Instance) error
}

const (
	// relist is after how many TTLs instances are listed even if their revision
	// is still the same: Cloud Map's does not change with an instance's health.
	relist = 3
	// pause is kept after a lookup that failed, so that a source in trouble is
	// not asked by every call.
	pause = time.Second

	// What is kept is bounded, whatever a source answers and callers ask for.
	maxInstances = 100
	maxServices  = 64
)

// ErrNoInstance is returned for a service of which nothing is registered that could
// be called.
var ErrNoInstance = errors.New("no usable instance is registered")

var errOutdated = errors.New("the listing is older than the one known")

// Pool is a Resolver over a Source.
type Pool struct {
	cfg PoolConfig

	mu       sync.Mutex
	services map[string]*entry
}

// NewPool returns a pool that knows nothing yet.
func NewPool(cfg PoolConfig) *Pool {
	cfg.TTL = cmp.Or(cfg.TTL, 10*time.Second)
	cfg.MaxStale = cmp.Or(cfg.MaxStale, 10*time.Minute)
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Second)
	return &Pool{cfg: cfg, services: map[string]*entry{}}
}

// entry is what is known of one service.
type entry struct {
	instances []*instance
	revision  int64

	listed    time.Time // when the instances were asked for
	confirmed time.Time // when it was last heard that they stand
	ahead     time.Time // from when on to look again
	expires   time.Time // until when they hold

	loading chan struct{} // closed when the running lookup has ended; nil while none runs
	began   time.Time     // that lookup
	failed  error         // what the last lookup came to
	retry   time.Time     // not to look again before
}

// Resolve returns the less busy of two instances drawn at random. It waits for the
// source only when what is known holds no more, and not even then if the last lookup
// failed: a source that hangs is waited for once.
func (p *Pool) Resolve(ctx context.Context, service string) (Address, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.entry(service)
	if err != nil {
		return Address{}, err
	}
	now := time.Now()
	// A lookup that should have ended long ago was frozen together with its
	// execution environment: its connection is dead, and nobody waits for it.
	idle := e.loading == nil || now.Sub(e.began) > 2*p.cfg.Timeout
	if idle && !now.Before(e.ahead) && !now.Before(e.retry) {
		revision := e.revision
		if now.Sub(e.listed) >= relist*e.expires.Sub(e.confirmed) {
			revision = 0
		}
		e.loading, e.began = make(chan struct{}), now
		go p.look(service, e, e.loading, revision)
	}
	if loading := e.loading; loading != nil && !now.Before(e.expires) && (e.failed == nil || !p.usable(e, now)) {
		p.mu.Unlock()
		select {
		case <-loading:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if ctx.Err() != nil {
			return Address{}, fmt.Errorf("find %s: %w", service, ctx.Err())
		}
		now = time.Now()
	}
	if !p.usable(e, now) {
		e.instances, e.revision = nil, 0
	}
	if len(e.instances) == 0 {
		return Address{}, fmt.Errorf("find %s: %w", service, cmp.Or(e.failed, ErrNoInstance))
	}
	p.probe(e.instances, now)
	return pick(e.instances, now), nil
}

// probe asks those that have rested, and lets them rest on meanwhile. An only one gets
// the calls anyway.
func (p *Pool) probe(instances []*instance, now time.Time) {
	if p.cfg.Probe == nil || len(instances) < 2 {
		return
	}
	for _, i := range instances {
		since := i.resting.Load()
		next := now.Add(rest).UnixNano()
		if since == 0 || since > now.UnixNano() || !i.resting.CompareAndSwap(since, next) {
			continue
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Timeout)
			defer cancel()
			if p.cfg.Probe(ctx, i.place) == nil {
				i.resting.CompareAndSwap(next, 0) // unless a call has failed meanwhile
			}
		}()
	}
}

// usable reports whether there is something to go on with where there is nothing new.
func (p *Pool) usable(e *entry, now time.Time) bool {
	return len(e.instances) > 0 && now.Sub(e.expires) <= p.cfg.MaxStale
}

func (p *Pool) entry(service string) (*entry, error) {
	if e := p.services[service]; e != nil {
		return e, nil
	}
	if err := Check(service); err != nil {
		return nil, err
	}
	if len(p.services) == maxServices {
		return nil, fmt.Errorf("find %s: there are more than %d services", service, maxServices)
	}
	e := &entry{}
	p.services[service] = e
	return e, nil
}

// look asks the source and takes its answer over. It runs beside the calls, for it
// belongs to all who wait, so it does not end with any of them.
func (p *Pool) look(service string, e *entry, ended chan struct{}, revision int64) {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Timeout)
	defer cancel()
	asked := time.Now()
	listing, err := p.cfg.Source.Lookup(ctx, service, revision)

	p.mu.Lock()
	defer p.mu.Unlock()
	close(ended)
	if e.loading != ended {
		return // another was begun in its place
	}
	e.loading = nil
	switch {
	case err != nil:
	case listing.Unchanged:
		if revision == 0 || len(e.instances) == 0 {
			err = errors.New("the source says that nothing has changed to who knows nothing")
		}
	case len(listing.Instances) == 0:
		// It may be true, and it may be the registry that has lost them. Calls to
		// instances that are gone fail by themselves.
		err = ErrNoInstance
	case listing.Revision < e.revision:
		err = errOutdated
	}
	now := time.Now()
	e.failed = err
	if err != nil {
		e.retry = now.Add(pause)
		return
	}
	ttl := cmp.Or(listing.TTL, p.cfg.TTL)
	if !listing.Unchanged {
		e.instances, e.revision, e.listed = merge(e.instances, listing.Instances), listing.Revision, asked
	}
	// It holds from when it was asked for. The next lookup comes a bit before the
	// end, each environment at another moment.
	e.confirmed, e.expires = asked, asked.Add(ttl)
	e.ahead = asked.Add(ttl*7/10 + rand.N(ttl/5+1))
}

// merge returns the listed instances. Those that were there before are the same
// still: their calls go on. One that is listed twice is one, or it would fail twice.
func merge(before []*instance, listed []Instance) []*instance {
	after := make([]*instance, 0, min(len(listed), maxInstances))
	for _, place := range listed[:min(len(listed), maxInstances)] {
		if find(after, place) != nil {
			continue
		}
		i := find(before, place)
		if i == nil {
			i = &instance{place: place}
		}
		after = append(after, i)
	}
	return after
}

func find(known []*instance, place Instance) *instance {
	for _, i := range known {
		if i.place.Host == place.Host && *i.place.Base == *place.Base {
			return i
		}
	}
	return nil
}
