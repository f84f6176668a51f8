package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/segmentio/kafka-go"

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

	msg  eval.Message // used again for each message
	size int          // of it, in bytes
}

// inspect finishes a message that needs no work, and reports true for one that
// does. fault is set when it needs no handler either, because it is to become a
// dead letter. It allocates nothing of its own for a message that is skipped.
func (in *intake) inspect(m *kafka.Message) (wanted bool, fault error) {
	if isControl(m) {
		if in.tracker.admit(m.Offset) {
			in.tracker.settle(m.Offset)
			in.observe.ControlRecord()
		}
		return false, nil
	}
	if !in.tracker.admit(m.Offset) {
		return false, nil
	}
	in.fill(m)
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

// fill makes the message that Skip sees. Its headers are those of m.
func (in *intake) fill(m *kafka.Message) {
	in.msg = eval.Message{
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset,
		Key: m.Key, Value: m.Value, Headers: sameHeaders(m.Headers), Time: m.Time,
	}
}

// One header type can be converted to the other, so they are laid out alike.
var _ = eval.Header(kafka.Header{})

// sameHeaders gives headers as the vocabulary's without copying them, which for
// the 14 of an event would be a tenth of what reading it costs.
func sameHeaders(hs []kafka.Header) []eval.Header {
	return unsafe.Slice((*eval.Header)(unsafe.Pointer(unsafe.SliceData(hs))), len(hs))
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

func messageBytes(m *kafka.Message) int {
	n := len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}
