package consumer

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// process brings a message to its end and reports true; it reports false when
// ctx ended first.
func (c *Consumer) process(ctx context.Context, m *event.Message, fault error) (done bool) {
	attempts := 0
	if fault == nil {
		done, attempts, fault = c.retry(ctx, m)
		if fault == nil {
			return done
		}
	}
	return c.putAside(ctx, m, fault, attempts)
}

// retry calls the handler until it is done, has found the message to be
// impossible (fault), or ctx has ended.
func (c *Consumer) retry(ctx context.Context, m *event.Message) (done bool, attempts int, fault error) {
	wait := c.cfg.RetryMin
	for attempts = 1; ; attempts++ {
		err := c.call(ctx, m)
		switch {
		case err == nil:
			return true, attempts, nil
		case ctx.Err() != nil:
			return false, attempts, nil
		case eval.IsPermanent(err):
			return false, attempts, err
		}
		if attempts == 1 {
			defer c.stalls.enter(stallHandler)()
		}
		c.stalls.failed(stallHandler, m, attempts, err)
		if pause(ctx, jitter(wait)) != nil {
			return false, attempts, nil
		}
		wait = min(2*wait, c.cfg.RetryMax)
	}
}

// call calls the handler. Its panic is the message's fault: handing the same
// message over again would only panic again.
func (c *Consumer) call(ctx context.Context, m *event.Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicFault(v)
			c.log.Error("a handler panicked", keyPartition, m.Partition, keyOffset, m.Offset,
				keyError, err, keyStack, string(debug.Stack()))
		}
	}()
	return c.handle(ctx, *m)
}

// putAside publishes a dead letter, for as long as it takes the broker to
// accept it.
func (c *Consumer) putAside(ctx context.Context, m *event.Message, fault error, attempts int) bool {
	wait := c.cfg.RetryMin
	for try := 1; ; try++ {
		err := c.letters.publish(ctx, m, fault, attempts)
		if err == nil {
			c.observe.DeadLettered(eval.ReasonOf(fault))
			if n, ok := c.letterLog.allow(); ok {
				c.log.Warn("message put aside as a dead letter", keyPartition, m.Partition, keyOffset, m.Offset,
					keyReason, string(eval.ReasonOf(fault)), keyError, fault, keyCount, n)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.refreshMetadata(err)
		if try == 1 {
			defer c.stalls.enter(stallDeadLetter)()
		}
		c.noteRefusal(err)
		c.stalls.failed(stallDeadLetter, m, try, err)
		if pause(ctx, jitter(wait)) != nil {
			return false
		}
		wait = min(2*wait, c.cfg.RetryMax)
	}
}

// jitter gives a time between half of d and d, so that what failed together
// does not come back together.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}
