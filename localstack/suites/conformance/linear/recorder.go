package linear

import (
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Recorder keeps the history of concurrent clients. Its zero value is ready to use.
type Recorder struct {
	mu      sync.Mutex
	began   time.Time
	history []porcupine.Operation
}

// Do makes a call as a client and notes when it began and ended. A call that is
// answered with an error is not noted: the test has failed by then.
func (r *Recorder) Do(client int, call any, do func() (answer any, err error)) error {
	began := r.now()
	answer, err := do()
	ended := r.now()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, porcupine.Operation{ClientId: client, Input: call, Call: began, Output: answer, Return: ended})
	return nil
}

// History returns what was noted.
func (r *Recorder) History() []porcupine.Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history
}

// now is the time since the first call, by the clock that is never set back.
func (r *Recorder) now() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = time.Now()
	}
	return int64(time.Since(r.began))
}
