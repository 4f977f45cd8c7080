// Package badbus stands between a publisher and the event bus of a local endpoint, and
// does what a bus may do and the endpoint's never does: it answers for events that it
// then loses, refuses some of those it is given together, and takes events from a
// process that does not live to hear of it.
//
// A function is sent here by AWS_ENDPOINT_URL_EVENTBRIDGE in its environment.
package badbus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// putEvents is how a client names the one operation that is played with; all others
// pass.
const putEvents = "AWSEvents.PutEvents"

// Fate is what becomes of an event.
type Fate int

// The fates.
const (
	Pass   Fate = iota
	Lose        // answered for, and gone
	Refuse      // throttled, and not passed on
	Spoil       // refused for good, and not passed on
)

// Event is one that was put on the bus.
type Event struct{ ID, Type string }

// Bus is a bus that misbehaves as it is told. The zero value of its fields is one that
// behaves.
type Bus struct {
	// Fate is asked for each event, one at a time.
	Fate func(Event) Fate
	// Taken is called when the bus has taken what passed of the events of a call, and the
	// publisher has no answer yet.
	Taken func([]Event)

	url    string
	server *http.Server

	mu     sync.Mutex
	counts map[Fate][]string // ids of events, by what became of them
}

// Open serves the bus in front of an endpoint.
func (b *Bus) Open(endpoint string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.url, b.counts = "http://"+listener.Addr().String(), map[Fate][]string{}
	b.server = &http.Server{Handler: b.handler(endpoint), ReadHeaderTimeout: time.Minute}
	go func() { _ = b.server.Serve(listener) }() // ends with Close
	return nil
}

// URL is where the bus is.
func (b *Bus) URL() string { return b.url }

// Events returns the ids of the events that met with a fate, once for each time.
func (b *Bus) Events(f Fate) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.counts[f]...)
}

// Close ends it.
func (b *Bus) Close(ctx context.Context) error { return b.server.Shutdown(ctx) }

func (b *Bus) handler(endpoint string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ask := func(body []byte) (int, []byte, error) { return pass(r, endpoint, body) }
		do := ask
		if r.Header.Get("X-Amz-Target") == putEvents {
			do = func(body []byte) (int, []byte, error) { return b.put(body, ask) }
		}
		status, answer, err := do(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = w.Write(answer) // the publisher may be gone
	})
}

// pass sends a request on, with another body.
func pass(r *http.Request, endpoint string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, endpoint+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// result is what a bus answers for one event.
type result struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:"ErrorCode,omitempty"`
	ErrorMessage string `json:"ErrorMessage,omitempty"`
}

type results struct {
	FailedEntryCount int      `json:"FailedEntryCount"`
	Entries          []result `json:"Entries"`
}

// put puts the events that are to pass on the bus behind, and answers for all.
func (b *Bus) put(body []byte, ask func([]byte) (int, []byte, error)) (int, []byte, error) {
	var in struct {
		Entries []json.RawMessage `json:"Entries"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return 0, nil, err
	}
	b.mu.Lock()
	called, fates := make([]Event, len(in.Entries)), make([]Fate, len(in.Entries))
	var passing []json.RawMessage
	for i, entry := range in.Entries {
		e := event(entry)
		called[i] = e
		if b.Fate != nil {
			fates[i] = b.Fate(e)
		}
		b.counts[fates[i]] = append(b.counts[fates[i]], e.ID)
		if fates[i] == Pass {
			passing = append(passing, entry)
		}
	}
	b.mu.Unlock()

	var passed results
	if len(passing) > 0 {
		body, err := json.Marshal(map[string]any{"Entries": passing})
		if err != nil {
			return 0, nil, err
		}
		status, answer, err := ask(body)
		if err != nil || status != http.StatusOK {
			return status, answer, err
		}
		if json.Unmarshal(answer, &passed) != nil || len(passed.Entries) != len(passing) {
			return 0, nil, fmt.Errorf("the bus answered %s for %d events", answer, len(passing))
		}
	}
	if b.Taken != nil {
		b.Taken(called)
	}
	all := results{FailedEntryCount: passed.FailedEntryCount}
	for i, f := range fates {
		switch f {
		case Lose:
			all.Entries = append(all.Entries, result{EventID: fmt.Sprintf("lost-%d", i)})
		case Refuse:
			all.FailedEntryCount++
			all.Entries = append(all.Entries, result{ErrorCode: "ThrottlingException", ErrorMessage: "Rate exceeded"})
		case Spoil:
			all.FailedEntryCount++
			all.Entries = append(all.Entries, result{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."})
		default:
			all.Entries = append(all.Entries, passed.Entries[0])
			passed.Entries = passed.Entries[1:]
		}
	}
	answer, err := json.Marshal(all)
	return http.StatusOK, answer, err
}

func event(entry json.RawMessage) Event {
	var e struct{ DetailType, Detail string }
	_ = json.Unmarshal(entry, &e) // what cannot be read passes without an id
	var d struct {
		Metadata struct {
			EventID string `json:"eventId"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal([]byte(e.Detail), &d)
	return Event{d.Metadata.EventID, e.DetailType}
}
