package emitter

import (
	"context"
	"slices"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
)

// collect takes batches from the queue and has each delivered by a goroutine of
// its own, at most one for each slot. While all slots are taken the queue grows,
// up to the buffer's bounds.
func (e *Emitter) collect() {
	linger := time.NewTimer(time.Hour)
	defer linger.Stop()
	for e.awaitEvents() {
		select {
		case e.slots <- struct{}{}:
		case <-e.life.Done():
			return
		}
		e.awaitBatch(linger)
		batch := e.take(e.cfg.BatchEvents, e.cfg.BatchBytes)
		e.spawn(func() {
			defer func() { <-e.slots }()
			e.deliver(e.life, batch)
		})
	}
}

// awaitEvents waits until the queue holds something, and reports false when life
// has ended.
func (e *Emitter) awaitEvents() bool {
	for e.life.Err() == nil {
		if some, _ := e.queueState(); some {
			return true
		}
		select {
		case <-e.wake:
		case <-e.life.Done():
		}
	}
	return false
}

// awaitBatch waits until the batch is full or a flush is waiting, at most for the
// time that a batch may linger.
func (e *Emitter) awaitBatch(linger *time.Timer) {
	linger.Reset(e.cfg.Linger)
	for {
		if _, ready := e.queueState(); ready {
			return
		}
		select {
		case <-e.wake:
		case <-linger.C:
			return
		case <-e.life.Done():
			return
		}
	}
}

// queueState reports whether the queue holds something, and whether that should be
// sent without further waiting.
func (e *Emitter) queueState() (some, ready bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue) > 0, e.full() || len(e.flushes) > 0 || e.closed
}

// take removes a batch from the front of the queue: the messages within both bounds.
func (e *Emitter) take(events, bytes int) []message {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, size := prefix(e.queue, events, bytes)
	batch := e.queue[:n:n]
	e.queue = e.queue[n:]
	e.queued -= size
	if len(e.queue) == 0 {
		// A new array, or the old one would live as long as something is appended to it.
		e.queue = make([]message, 0, min(n, e.cfg.BatchEvents))
	}
	return batch
}

// deliver writes a batch and retries the messages that may succeed later.
func (e *Emitter) deliver(ctx context.Context, batch []message) {
	began := time.Now()
	pause := backoff.Backoff{Min: e.cfg.BackoffMin, Max: e.cfg.BackoffMax}
	var why error // of the last attempt that ctx did not interrupt
	defer func() { e.delivered(why != nil) }()
	for attempt := 1; ; attempt++ {
		left, err := e.attempt(ctx, batch)
		if len(left) == 0 {
			return
		}
		if ctx.Err() == nil {
			err = withMend(err)
			e.failed(err, why == nil)
			why = err
		}
		spent := attempt >= e.cfg.MaxAttempts || time.Since(began) >= e.cfg.RetryFor
		if spent || !pause.Wait(ctx, attempt) {
			if why != nil {
				e.settle(left, why)
			} else {
				e.settle(left, context.Cause(ctx))
			}
			return
		}
		batch = left
	}
}

// attempt writes the messages once and settles those that are written or can never
// be. It returns the others, with the last error.
func (e *Emitter) attempt(ctx context.Context, batch []message) (left []message, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.WriteTimeout)
	defer cancel()
	if e.sidecar != nil {
		return e.post(ctx, batch)
	}
	parts, err := e.topic.split(ctx, batch)
	if err = explain(err); permanent(err) {
		e.settle(batch, err)
		return nil, nil
	}
	if err != nil {
		return batch, err
	}
	e.topic.writeParts(ctx, parts)
	for _, p := range parts {
		if rest, failed := e.outcome(ctx, p.id, p.messages, p.err); failed != nil {
			left, err = append(left, rest...), failed
		}
	}
	return left, err
}

// outcome settles one partition's messages according to the error of their write, nil
// or not, unless another attempt may succeed: it returns those. A batch that the broker
// rejects for its records is halved until it fits, because the broker's limit may be
// lower than ours, or until the culprit is alone.
func (e *Emitter) outcome(ctx context.Context, partition int, ms []message, err error) ([]message, error) {
	err = explain(err)
	switch {
	case err == nil:
		e.settle(ms, nil)
		return nil, nil
	case aboutRecords(err) && len(ms) > 1:
		half := len(ms) / 2
		first, err1 := e.outcome(ctx, partition, ms[:half], e.topic.produce(ctx, partition, ms[:half]))
		second, err2 := e.outcome(ctx, partition, ms[half:], e.topic.produce(ctx, partition, ms[half:]))
		if err2 == nil {
			err2 = err1
		}
		return append(slices.Clip(first), second...), err2
	case permanent(err):
		e.settle(ms, err)
		return nil, nil
	}
	return ms, err
}
