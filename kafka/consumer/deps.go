package consumer

import (
	"context"
	"log/slog"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Handler processes one message. nil means done. An error that is permanent
// ([eval.IsPermanent]) makes the message a dead letter, and then it is done.
// Any other error says that a dependency is down: the same message is handed
// over again after a pause, and its place in flight stays taken meanwhile, so
// that intake comes to a stop when nothing can be done.
//
// ctx ends when the message is not ours any more, because its partition went to
// another worker or the time to shut down is over. Whatever the handler answers
// then but nil, the message stays uncommitted and somebody does it again; so
// what a handler does must be idempotent.
//
// Handlers run concurrently and in no order. They must not change the message.
type Handler func(ctx context.Context, m event.Message) error

// Observer is told what becomes of messages, for metrics. Its methods are
// called often and concurrently, and must not block.
type Observer interface {
	// Consumed counts messages that are finished: passed over by Skip, handled,
	// or put aside as dead letters. A message that an earlier owner of the
	// partition had finished is not counted again.
	Consumed(n int)
	// DeadLettered counts a dead letter that the broker has accepted. The
	// message is among those consumed as well.
	DeadLettered(reason eval.Reason)
	// LostToRetention counts messages that were deleted before they were read.
	LostToRetention(partition int, n int64)
	// ControlRecord counts a marker of a transaction, which is no message.
	ControlRecord()
	// OffsetReset tells that the stored offset lay beyond the end of the
	// partition, and where reading goes on instead.
	OffsetReset(partition int, from, to int64)
}

// Deps are what a Consumer works with.
type Deps struct {
	// Handle processes a message; required.
	Handle Handler
	// Skip says that nobody wants a message, which then is finished at once:
	// no goroutine, no copy. It is called once a delivery, in the goroutine that
	// fetches the partition, so it must be quick; several partitions call it at
	// once. The message and its headers are used again after it returns. nil
	// skips nothing.
	Skip func(*event.Message) bool
	// Observe is told what becomes of messages; nil discards it.
	Observe Observer
	// Log takes a line for what an operator should know, never content; nil
	// discards them.
	Log *slog.Logger
}

// discard is the Observer of a Consumer that was given none.
type nopObserver struct{}

func (nopObserver) Consumed(int)                  {}
func (nopObserver) DeadLettered(eval.Reason)      {}
func (nopObserver) LostToRetention(int, int64)    {}
func (nopObserver) ControlRecord()                {}
func (nopObserver) OffsetReset(int, int64, int64) {}
