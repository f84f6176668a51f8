package consumer

import (
	"github.com/evalworker/evalworker/event"
)

// task is a message that is begun and has a slot.
type task struct {
	p     *partition
	span  *span
	msg   event.Message
	size  int64 // what Consumer.memory gave for it
	fault error // set when the message is to become a dead letter without its handler
}

// start lets a task be done. There are as many goroutines for that as there have
// ever been tasks at once, at most Config.MaxInFlight, and each takes one task
// after the other: one that begins anew has its stack to grow, which is a fifth
// of what validating an event costs.
//
// It waits for a moment at most. Whoever calls it has a slot, so when all
// goroutines are there, one of them is idle or about to be.
func (c *Consumer) start(t task) {
	select {
	case c.tasks <- t:
		return
	default:
	}
	select {
	case c.tasks <- t:
	case c.workers <- struct{}{}:
		c.handlers.Go(func() { c.work(t) })
	}
}

// work does tasks until release.
func (c *Consumer) work(t task) {
	for {
		c.do(t)
		select {
		case t = <-c.tasks:
		case <-c.finished:
			return
		}
	}
}

func (c *Consumer) do(t task) {
	defer func() {
		<-c.slots
		c.budget.release(t.size)
	}()
	if c.process(t.p.work, &t.msg, t.fault) {
		t.p.tracker.finish(t.span)
		c.observe.Consumed(1)
	}
}
