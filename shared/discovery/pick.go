package discovery

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// rest is for how long an instance that failed is the second choice, and with a probe,
// how often it is probed from then on.
const rest = 5 * time.Second

// instance is a place and what its calls tell of it.
type instance struct {
	place    Instance
	inflight atomic.Int32
	resting  atomic.Int64 // until when, in Unix nanoseconds; zero: not
}

// pick chooses one of two instances drawn at random and counts a call to it. Two are
// enough: the best of all would be everybody's choice at once, until the next look.
func pick(instances []*instance, now time.Time) Address {
	chosen := instances[rand.N(len(instances))]
	if n := len(instances); n > 1 {
		other := instances[rand.N(n-1)]
		if other == chosen {
			other = instances[n-1]
		}
		if other.better(chosen, now.UnixNano()) {
			chosen = other
		}
	}
	chosen.inflight.Add(1)
	return Address{Base: chosen.place.Base, Host: chosen.place.Host, instance: chosen}
}

func (i *instance) better(than *instance, now int64) bool {
	mine, its := i.resting.Load() > now, than.resting.Load() > now
	if mine != its {
		return its
	}
	return i.inflight.Load() < than.inflight.Load()
}

func (i *instance) done(ok bool) {
	i.inflight.Add(-1)
	if ok {
		i.resting.Store(0)
	} else {
		i.resting.Store(time.Now().Add(rest).UnixNano())
	}
}
