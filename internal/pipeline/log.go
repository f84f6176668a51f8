package pipeline

import (
	"log/slog"

	"github.com/evalworker/evalworker/eval"
)

// Keys of log attributes.
const (
	keyRequest = "request_id"
	keyTrace   = "llm.trace_id"
	keyEval    = "eval"
	keyReason  = "reason"
	keyError   = "error"
)

// levelOf is debug for what metrics already count and nobody can mend here, and
// error for what is a bug of ours.
func levelOf(err error) slog.Level {
	if eval.ReasonOf(err) == eval.ReasonPanic {
		return slog.LevelError
	}
	return slog.LevelDebug
}

func attrs(e *eval.Event, entry Entry, err error) []slog.Attr {
	trace, _ := e.Origin()
	out := []slog.Attr{
		slog.String(keyEval, entry.Name()),
		slog.String(keyReason, string(eval.ReasonOf(err))),
		slog.String(keyRequest, string(e.RequestID)),
		slog.Any(keyError, err),
	}
	if !trace.IsZero() {
		out = append(out, slog.String(keyTrace, trace.String()))
	}
	return out
}
