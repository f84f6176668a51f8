package emitter

import (
	"context"
	"math/rand/v2"
	"time"
)

// collect takes batches from the queue and has each delivered by a goroutine of
// its own, as many at once as there are slots. With all slots taken the queue
// grows up to the buffer's bounds.
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
		batch := e.take(e.cfg.BatchEvents)
		e.senders.Go(func() {
			defer func() { <-e.slots }()
			e.deliver(e.life, batch)
		})
	}
}

// awaitEvents waits until the queue holds something; false when life has ended.
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

// awaitBatch waits until the batch is full or somebody flushes, at most for the
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

// look reports whether there is something in the queue, and whether it should
// be sent without further waiting.
func (e *Emitter) queueState() (some, ready bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue) > 0, e.full() || len(e.flushes) > 0 || e.closed
}

// take takes up to n messages, and no more bytes than a batch may have, from the
// front of the queue; n = 0 takes all of it.
func (e *Emitter) take(n int) []message {
	e.mu.Lock()
	defer e.mu.Unlock()
	count, size := 0, 0
	for count < len(e.queue) && (n == 0 || count < n) {
		if n > 0 && count > 0 && size+e.queue[count].size > e.cfg.BatchBytes {
			break
		}
		size += e.queue[count].size
		count++
	}
	batch := e.queue[:count:count]
	e.queue = e.queue[count:]
	e.queued -= size
	if len(e.queue) == 0 {
		e.queue = nil // or the array would live as long as something is put behind it
	}
	return batch
}

// deliver writes a batch, trying again what may succeed later.
func (e *Emitter) deliver(ctx context.Context, batch []message) {
	began := time.Now()
	var why error // what was wrong with the last attempt that ctx left alone
	for attempt := 1; ; attempt++ {
		failed, err := e.attempt(ctx, batch)
		if len(failed) == 0 {
			return
		}
		if ctx.Err() == nil {
			why = err
		} else if why == nil {
			why = context.Cause(ctx)
		}
		spent := attempt >= e.cfg.MaxAttempts || time.Since(began) >= e.cfg.RetryFor
		if spent || !pause(ctx, e.backoff(attempt)) {
			e.settle(failed, why)
			return
		}
		batch = failed
	}
}

// backoff is the pause after an attempt, counted from 1.
func (e *Emitter) backoff(attempt int) time.Duration {
	d := e.cfg.BackoffMax
	if shift := attempt - 1; shift < 32 && e.cfg.BackoffMin<<shift < d && e.cfg.BackoffMin<<shift > 0 {
		d = e.cfg.BackoffMin << shift
	}
	return d - time.Duration(rand.Int64N(int64(d)/2+1))
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
