package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/fetch"
)

// intake decides about the messages of one partition as they are fetched. It
// belongs to the goroutine that fetches the partition.
type intake struct {
	id       int
	tracker  *tracker
	skip     func(*event.Message) bool
	observe  Observer
	log      *slog.Logger
	maxBytes int

	// The message that was read: in place, so of the next one after the next read.
	msg     event.Message
	control bool  // it is the marker at the end of a transaction
	unread  int64 // its bytes, if they were too many to read it
	size    int   // bytes of its key, value and headers
}

// errUnread says of a message that is too large that it was not even read.
var errUnread = errors.New("not read")

// headerMemory is what the place of a header takes beside what it holds.
const headerMemory = 40

// inspect finishes the message that was read if it needs no work, and reports
// true for one that does. fault is set when it needs no handler either, because
// it is to become a dead letter. It allocates nothing for a message that is
// skipped.
func (in *intake) inspect() (wanted bool, fault error) {
	m := &in.msg
	if !in.tracker.admit(m.Offset) {
		return false, nil
	}
	if in.control {
		in.tracker.skip(m.Offset)
		in.observe.ControlRecord()
		return false, nil
	}
	in.size = messageBytes(m)
	if in.unread > 0 {
		return true, eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%w: %d bytes, or over %d headers", errUnread, in.unread, fetch.MaxHeaders))
	}
	if in.size > in.maxBytes {
		return true, eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%d bytes, of which %d are allowed", in.size, in.maxBytes))
	}
	if in.skip == nil {
		return true, nil
	}
	skipped, fault := in.callSkip()
	if !skipped || fault != nil {
		return true, fault
	}
	in.tracker.skip(m.Offset)
	in.observe.Consumed(1)
	return false, nil
}

// memory is what a copy of the message takes.
func (in *intake) memory() int { return in.size + len(in.msg.Headers)*headerMemory }

// own gives a copy of the message, in one piece of memory.
func (in *intake) own() event.Message {
	m := in.msg
	memory := make([]byte, 0, in.size)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		at := len(memory)
		memory = append(memory, b...)
		return memory[at:len(memory):len(memory)]
	}
	m.Key, m.Value = keep(m.Key), keep(m.Value)
	m.Headers = slices.Clone(m.Headers)
	for i := range m.Headers {
		m.Headers[i].Value = keep(m.Headers[i].Value)
	}
	return m
}

// callSkip calls Skip. A message that makes it panic would end the process at
// every restart; it becomes a dead letter instead.
func (in *intake) callSkip() (skipped bool, fault error) {
	defer func() {
		if v := recover(); v != nil {
			fault = panicFault(v)
			in.log.Error("the decision about a message panicked",
				keyPartition, in.id, keyOffset, in.msg.Offset, keyError, fault, keyStack, string(debug.Stack()))
		}
	}()
	return in.skip(&in.msg), nil
}

// panicFault makes an error of what a panic was called with. Its text may hold
// content, so only the run-time's own errors are told in full.
func panicFault(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return eval.Permanent(eval.ReasonPanic, errors.New(err.Error()))
	}
	return eval.Permanent(eval.ReasonPanic, fmt.Errorf("a panic with a %T", v))
}

func messageBytes(m *event.Message) int {
	n := len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}
