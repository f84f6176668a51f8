package model

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// rungs returns the answer formats, the strictest first.
func rungs() []string {
	return []string{judges.FormatSchema, judges.FormatObject, judges.FormatFenced}
}

// A format counts as not supported after maxFailures questions in a row without an
// answer in it: some servers accept a response_format and ignore it. A format that
// has worked is given up only after maxFailuresProven, when the server must have
// changed: one odd event must not change the format for all others.
const (
	maxFailures       = 2
	maxFailuresProven = 10
)

// rungRetry is the time after which one question tries a format again that was given
// up: the server may have changed back, or it never was the server.
const rungRetry = 10 * time.Minute

// formatLadder asks in the strictest answer format that the server supports. A question
// whose format the server rejects, or whose answer ignores a format that has never
// worked, goes down one rung by itself. The ladder follows after several such questions
// in a row, for all judges of the model, and tries the lost rung again later. An answer
// that did not arrive says nothing about its format.
type formatLadder struct {
	next  judges.Model
	log   *slog.Logger
	model string

	mu       sync.Mutex // guards all below
	rung     int
	top      int       // the rung to begin on
	proven   bool      // the rung has got an answer in its format
	failures int       // questions in a row without one
	retryAt  time.Time // when a question may try the rung above
}

func newFormatLadder(next judges.Model, cfg Config, log *slog.Logger) *formatLadder {
	top := max(slices.Index(rungs(), cfg.Format), 0)
	return &formatLadder{next: next, log: log, model: cfg.Model, rung: top, top: top}
}

// Complete asks on the current rung, and again on the next one if the server turns
// out not to support the current one. On the last rung it asks once more. The usage
// includes discarded answers.
func (l *formatLadder) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	var usage eval.Usage
	system := r.System
	rung, trial := l.begin(r.Again)
	for repeated := false; ; rung++ {
		if rung == len(rungs()) {
			rung, repeated = rung-1, true
		}
		r.Format = rungs()[rung]
		r.System = system + formatNote(r.Format, r.Schema)
		a, err := l.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		a.Usage.Format = r.Format
		last := rung == len(rungs())-1
		switch said := judges.Unwrap(a.Text); {
		case err != nil && !asFailure(err).formatRejected, err == nil && said == "":
			return a, err
		case err == nil && isObject(said):
			l.succeeded(ctx, rung, trial)
			return a, nil
		case err != nil && last && !repeated:
		case err != nil && !last:
			l.failed(ctx, rung, 1, "rejected by the server")
		case err != nil || last || r.Again || !l.failed(ctx, rung, maxFailures, "ignored by the model"):
			return a, err
		}
		trial = false
	}
}

// begin returns the rung of a question, and whether that is a trial of a rung that was
// given up.
func (l *formatLadder) begin(again bool) (rung int, trial bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung == l.top || again || time.Now().Before(l.retryAt) {
		return l.rung, false
	}
	l.retryAt = time.Now().Add(rungRetry)
	return l.rung - 1, true
}

// format returns the answer format in use.
func (l *formatLadder) format() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return rungs()[l.rung]
}

// succeeded records an answer in the rung's format.
func (l *formatLadder) succeeded(ctx context.Context, rung int, trial bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.rung == rung:
		l.proven, l.failures = true, 0
	case trial && rung < l.rung:
		l.log.LogAttrs(ctx, slog.LevelInfo, "answer format is supported again",
			slog.String(keyModel, l.model), slog.String(keyFormat, rungs()[rung]))
		l.rung, l.proven, l.failures = rung, true, 0
	}
}

// failed counts a question that failed on the rung. It reports whether the question
// should go down: the rung has never worked, or the ladder has left it, now or before.
// limit is the number of failures in a row after which the ladder leaves a rung that
// has never worked.
func (l *formatLadder) failed(ctx context.Context, rung, limit int, why string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung != rung {
		return true
	}
	if l.proven {
		limit = maxFailuresProven
	}
	if l.failures++; l.failures < limit {
		return !l.proven
	}
	l.rung, l.proven, l.failures = rung+1, false, 0
	l.retryAt = time.Now().Add(rungRetry)
	l.log.LogAttrs(ctx, slog.LevelWarn, "answer format is not supported: a looser one is used, and this one is tried again later",
		slog.String(keyModel, l.model), slog.String(keyFormat, rungs()[rung]),
		slog.String(keyNext, rungs()[rung+1]), slog.String(keyReason, why))
	return true
}

// isObject reports whether the text is one JSON object.
func isObject(text string) bool {
	return strings.HasPrefix(text, "{") && json.Valid([]byte(text))
}

// formatNote returns the addition to the system message for a format in which the
// server does not enforce the schema.
func formatNote(format string, schema json.RawMessage) string {
	if format == judges.FormatSchema {
		return ""
	}
	note := "\nThe object must satisfy this JSON Schema:\n" + string(schema) + "\n"
	if format == judges.FormatFenced {
		note += "Put the object into one fenced code block that begins with ```json and ends with ```.\n"
	}
	return note
}
