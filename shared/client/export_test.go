package client

import (
	"slices"
	"strings"
	"time"
)

// State is the state of a service's breaker.
type State struct {
	Service string
	Breaker string    // closed, open or half-open
	Since   time.Time // zero in the state it began with
}

// States returns the state of each service that was called, sorted by name.
func (c *Client) States() []State {
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	states := make([]State, 0, len(c.transport.targets))
	for _, s := range c.transport.targets {
		state, _ := s.breaker.look(time.Now())
		s.breaker.mu.Lock()
		states = append(states, State{s.name, state, s.breaker.since})
		s.breaker.mu.Unlock()
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.Service, b.Service) })
	return states
}
