package openai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Stream is a stream of go-openai that is published once: when it ends, fails or is closed,
// or when the application has left it without a word and its memory is collected.
type Stream struct {
	*openai.ChatCompletionStream
	recording *recording
}

// recording is what has come of a stream. It must not refer to the Stream, which would then
// never be collected.
type recording struct {
	mu     sync.Mutex // guards all below: a stream may be closed by another goroutine than reads it
	call   *call
	pieces pieces
	last   time.Time // when the last piece came
}

func newStream(stream *openai.ChatCompletionStream, call *call) *Stream {
	s := &Stream{stream, &recording{call: call, last: call.began}}
	runtime.AddCleanup(s, (*recording).abandon, s.recording)
	return s
}

// errLeft is the outcome of a stream that the application leaves.
var errLeft = leftError{}

type leftError struct{}

func (leftError) Error() string { return "the stream was left before its end" }

// Is makes it a cancellation.
func (leftError) Is(target error) bool { return target == context.Canceled }

// Recv is the library's method.
func (s *Stream) Recv() (piece openai.ChatCompletionStreamResponse, err error) {
	raw, err := s.RecvRaw()
	if err != nil {
		return piece, err
	}
	if err = json.Unmarshal(raw, &piece); err != nil {
		s.recording.end(err)
	}
	return piece, err
}

// RecvRaw is the library's method.
func (s *Stream) RecvRaw() ([]byte, error) {
	defer runtime.KeepAlive(s) // the end of a stream that is read is not that of a forgotten one
	raw, err := s.ChatCompletionStream.RecvRaw()
	switch {
	case err == nil:
		s.recording.add(raw)
	case errors.Is(err, io.EOF):
		s.recording.end(nil)
	default:
		s.recording.end(err)
	}
	return raw, err
}

// Close is the library's method. A stream that is closed before its end is published as far
// as it came: as cancelled, unless the model had finished.
func (s *Stream) Close() error {
	s.recording.end(errLeft)
	return s.ChatCompletionStream.Close()
}

func (r *recording) add(raw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer survive()
	r.last = time.Now()
	if r.pieces.add(raw) && r.call.event.FirstTokenLatencyMS == nil {
		r.call.event.FirstTokenLatencyMS = pointer(r.call.since(r.last))
	}
}

func (r *recording) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.complete(&err) {
		r.call.end(err)
	}
}

// abandon ends a stream that nobody has any more, at the time of its last piece. It runs
// between collections of memory, and so does not wait for an emitter that blocks: its context
// has ended.
func (r *recording) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithCancel(r.call.ctx)
	cancel()
	if err := error(errLeft); r.complete(&err) {
		r.call.endAt(ctx, r.last, err)
	}
}

// complete puts the answer into the event, and takes back the error of a stream that was left
// when the model had finished. It reports false when the stream is published already. The
// caller holds mu.
func (r *recording) complete(err *error) bool {
	if r.call.ended {
		return false
	}
	if errors.Is(*err, errLeft) && r.pieces.finished() {
		*err = nil
	}
	r.call.answer(&r.pieces)
	return true
}
