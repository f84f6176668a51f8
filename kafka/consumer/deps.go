package consumer

import (
	"context"
	"errors"
	"log/slog"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Handler processes one message. nil means done. A permanent error
// ([eval.IsPermanent]) makes the message a dead letter, and then it is done. Any
// other error means that a dependency is down: the handler is called again after a
// pause. The message stays in flight meanwhile, so that reading stops when nothing
// can be done.
//
// ctx ends when another worker has taken the partition over, or the time to shut down
// has passed. If the handler then returns an error, the message stays uncommitted and
// is done again; so a handler must be idempotent.
//
// [ErrGiveBack] is for a consumer that stops.
//
// Handlers run concurrently and in no order. They must not change the message.
type Handler func(ctx context.Context, m event.Message) error

// ErrGiveBack is what a handler returns for a message that it will not finish before
// this consumer, whose Run is to end, has left the group. The message stays uncommitted
// for whoever has the partition next, and neither the stop nor its result waits for it. It
// must not be returned before the context of Run has ended: the message is not handed
// over again here.
var ErrGiveBack = errors.New("given back to the group")

// Observer counts what becomes of messages, for metrics. Its methods are called
// often and concurrently, and must not block.
type Observer interface {
	// Consumed counts messages that are finished: skipped, handled, or put aside
	// as dead letters. A message that an earlier owner of the partition had
	// finished is not counted again.
	Consumed(n int)
	// DeadLettered counts a dead letter that the broker has accepted. The message
	// is among those consumed as well.
	DeadLettered(reason eval.Reason)
	// LostToRetention counts messages that were deleted before they were read.
	LostToRetention(partition int, n int64)
	// ControlRecord counts a marker of a transaction, which is not a message.
	ControlRecord()
	// OffsetReset reports that the stored offset lay beyond the end of the
	// partition, and where reading goes on instead.
	OffsetReset(partition int, from, to int64)
}

// Deps are the dependencies of a Consumer.
type Deps struct {
	// Handle processes a message; required.
	Handle Handler
	// Skip reports whether a message needs no work. It is then finished at once, without
	// a goroutine or a copy. Skip is called once per delivery, for several partitions at
	// the same time, and must be quick, because it holds up its partition. The message
	// and its headers are overwritten after it returns. nil skips nothing.
	Skip func(*event.Message) bool
	// Observe counts what becomes of messages; nil discards it.
	Observe Observer
	// Committed receives each offset that the broker has stored for a partition, once;
	// nil discards it. It must not block.
	Committed func(partition int, offset int64)
	// Log receives lines for an operator, never content; nil discards them.
	Log *slog.Logger
}

// nopObserver is the Observer of a Consumer that has none.
type nopObserver struct{}

func (nopObserver) Consumed(int)                  {}
func (nopObserver) DeadLettered(eval.Reason)      {}
func (nopObserver) LostToRetention(int, int64)    {}
func (nopObserver) ControlRecord()                {}
func (nopObserver) OffsetReset(int, int64, int64) {}

// Keys that several log lines share.
const (
	keyGeneration = "generation"
	keyPartition  = "partition"
	keyOffset     = "offset"
	keyAfter      = "after"
	keyReason     = "reason"
	keyError      = "error"
	keyStack      = "stack"
)
