package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/evalworker/evalworker/eval"
)

// intake decides about the messages of one partition as they are fetched. It
// belongs to the goroutine that fetches the partition.
type intake struct {
	id       int
	tracker  *tracker
	skip     func(*eval.Message) bool
	observe  Observer
	log      *slog.Logger
	maxBytes int

	msg  eval.Message // read in place: of the next message after the next read
	size int          // of it, in bytes
}

// inspect finishes the message that was read if it needs no work, and reports
// true for one that does. control says that it is the marker at the end of a
// transaction. fault is set when the message needs no handler either, because it
// is to become a dead letter. It allocates nothing for a message that is skipped.
func (in *intake) inspect(control bool) (wanted bool, fault error) {
	m := &in.msg
	if !in.tracker.admit(m.Offset) {
		return false, nil
	}
	if control {
		in.tracker.settle(m.Offset)
		in.observe.ControlRecord()
		return false, nil
	}
	if in.size = messageBytes(m); in.size > in.maxBytes {
		return true, eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%d bytes, of which %d are allowed", in.size, in.maxBytes))
	}
	if in.skip == nil {
		return true, nil
	}
	skipped, fault := in.callSkip()
	if !skipped || fault != nil {
		return true, fault
	}
	in.tracker.settle(m.Offset)
	in.observe.Consumed(1)
	return false, nil
}

// own gives a copy of the message, in one piece of memory.
func (in *intake) own() eval.Message {
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

func messageBytes(m *eval.Message) int {
	n := len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}
