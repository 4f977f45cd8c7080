// Package redrive sends what stands in a dead-letter queue back to where it should
// have been processed, when what was wrong has been mended: in the code, elsewhere, or
// in the message itself.
//
// It receives and sends, message by message, instead of having SQS move them: that
// works everywhere, lets a part of a queue go back, mends a body on the way, and
// knows the relays' queues too, from which an event goes to the bus and not to a
// queue.
//
// What callers can rely on: a message is deleted only after it was sent, so none is
// lost; one that was sent and not deleted is sent again by the next run, which the
// consumers' inboxes make harmless. What is not sent is visible again at the end of
// a run, or, when the run was killed, as soon as it is not held any more.
package redrive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	batch   = 10               // messages at a time, the most there are in one answer
	hold    = 30 * time.Second // how long they are nobody else's
	look    = time.Second      // how often to look for what others hold
	parting = 10 * time.Second
)

// Queue is what is asked of SQS.
type Queue interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Run is one run over one dead-letter queue.
type Run struct {
	SQS    Queue
	URL    string // of the dead-letter queue
	Filter Filter // which letters are meant; nil means all

	// Send puts a letter back where it should have been processed.
	Send func(context.Context, Letter) error
	// Edit returns a letter's new body. It may be nil.
	Edit func(context.Context, Letter) (string, error)
	// Seen is told of each letter once, and what becomes of it.
	Seen func(Letter, Outcome)
	// List only lists.
	List bool
	// Discard deletes letters instead of sending them.
	Discard bool
}

// Outcome says what became of a letter. A letter that was neither sent nor discarded is
// still in the queue; Err says why, where it should have been.
type Outcome struct {
	Sent      bool
	Discarded bool
	Back      bool // it was sent in this run and has come back
	Err       error
}

// Do works through the queue until nothing is left that it has not seen. For what is in
// other hands it waits a while: a killed run held it, or it was in an answer that got
// lost on the way here.
func (r Run) Do(ctx context.Context) error {
	kept := map[string]string{} // message id to receipt
	defer r.release(ctx, kept)
	sent := map[string]int{} // by letter: how often it has been redriven then
	var waiting time.Time
	for {
		out, err := r.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &r.URL, MaxNumberOfMessages: batch, VisibilityTimeout: int32(hold.Seconds()), WaitTimeSeconds: 1,
			MessageAttributeNames:       []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if len(out.Messages) == 0 {
			others, err := r.held(ctx, len(kept))
			switch {
			case err != nil || others <= 0:
				return err
			case waiting.IsZero():
				waiting = time.Now()
			case time.Since(waiting) > hold+look:
				return fmt.Errorf("%d more messages are in other hands; run again when these are done", others)
			}
			if err := sleep(ctx, look); err != nil {
				return err
			}
			continue
		}
		waiting = time.Time{}
		let := r.holding(ctx, out.Messages)
		r.batch(ctx, out.Messages, kept, sent)
		let()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// batch works on messages, at the same time unless somebody is to edit them.
func (r Run) batch(ctx context.Context, messages []types.Message, kept map[string]string, sent map[string]int) {
	outcomes := make([]Outcome, len(messages))
	letters := make([]Letter, len(messages))
	var wg sync.WaitGroup
	for i, m := range messages {
		letters[i] = read(m)
		l := letters[i]
		redriven, before := sent[l.key()]
		_, known := kept[*m.MessageId]
		switch {
		case known || r.List || !r.Filter.Match(l) || ctx.Err() != nil:
		case before && l.Note.Redrives >= redriven:
			outcomes[i].Back = true
		case r.Discard:
			outcomes[i] = r.remove(ctx, *m.ReceiptHandle, Outcome{Discarded: true})
		case r.Edit != nil:
			outcomes[i] = r.send(ctx, l, *m.ReceiptHandle)
		default:
			wg.Go(func() { outcomes[i] = r.send(ctx, l, *m.ReceiptHandle) })
		}
	}
	wg.Wait()
	for i, m := range messages {
		l, o := letters[i], outcomes[i]
		_, known := kept[*m.MessageId]
		switch {
		case o.Sent:
			sent[l.key()] = l.Note.Redrives + 1
		case !o.Discarded:
			kept[*m.MessageId] = *m.ReceiptHandle
		}
		if !known && r.Filter.Match(l) {
			r.Seen(l, o)
		}
	}
}

// send sends a letter and then deletes it.
func (r Run) send(ctx context.Context, l Letter, receipt string) Outcome {
	if r.Edit != nil {
		body, err := r.Edit(ctx, l)
		if err != nil {
			return Outcome{Err: fmt.Errorf("edit: %w", err)}
		}
		l.Body = body
	}
	if err := r.Send(ctx, l); err != nil {
		return Outcome{Err: err}
	}
	o := r.remove(ctx, receipt, Outcome{Sent: true})
	if o.Err != nil {
		o.Err = fmt.Errorf("sent, and still in the queue: %w", o.Err)
	}
	return o
}

// remove deletes a letter and returns done; an interrupt does not come between the
// letter's sending and this.
func (r Run) remove(ctx context.Context, receipt string, done Outcome) Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	_, err := r.SQS.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &r.URL, ReceiptHandle: &receipt})
	// The SDK asks again when an answer was cut off, and then the message is gone.
	if _, gone := errors.AsType[*types.ReceiptHandleIsInvalid](err); err != nil && !gone {
		return Outcome{Err: fmt.Errorf("delete: %w", err)}
	}
	return done
}

// held returns how many messages somebody has received, but for our own.
func (r Run) held(ctx context.Context, own int) (int, error) {
	const invisible = types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	out, err := r.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &r.URL, AttributeNames: []types.QueueAttributeName{invisible}})
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	n, err := strconv.Atoi(out.Attributes[string(invisible)])
	return n - own, err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// holding keeps messages from others until the function it returns is called.
func (r Run) holding(ctx context.Context, messages []types.Message) (let func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(hold / 2)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				for _, m := range messages {
					_ = r.visible(ctx, *m.ReceiptHandle, hold) // what was deleted meanwhile cannot be held
				}
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// release makes what was not sent visible again.
func (r Run) release(ctx context.Context, kept map[string]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, batch)
	for _, receipt := range kept {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			_ = r.visible(ctx, receipt, 0) // it will be, before long
		})
	}
	wg.Wait()
}

func (r Run) visible(ctx context.Context, receipt string, after time.Duration) error {
	_, err := r.SQS.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &r.URL, ReceiptHandle: &receipt, VisibilityTimeout: int32(after.Seconds()),
	})
	return err
}
