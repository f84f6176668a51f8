package model

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"

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

// formatLadder asks in the strictest answer format that the server supports. It
// goes down one rung when the server rejects the format, or when several answers
// in a row ignore it, and stays there until the process ends: all judges of the
// model share the rung.
type formatLadder struct {
	next  judges.Model
	log   *slog.Logger
	model string

	mu       sync.Mutex // guards all below
	rung     int
	proven   bool // the rung has got an answer in its format
	failures int  // questions in a row without one
}

func newFormatLadder(next judges.Model, cfg Config, log *slog.Logger) *formatLadder {
	return &formatLadder{next: next, log: log, model: cfg.Model, rung: max(slices.Index(rungs(), cfg.Format), 0)}
}

// Complete asks on the current rung, and again on the next one if the server turns
// out not to support the current one. The usage includes discarded answers.
func (l *formatLadder) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	var usage eval.Usage
	system := r.System
	for {
		rung := l.current()
		r.Format = rungs()[rung]
		r.System = system + formatNote(r.Format, r.Schema)
		a, err := l.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		a.Usage.Format = r.Format
		switch {
		case rung == len(rungs())-1:
			return a, err
		case err != nil && asFailure(err).formatRejected:
			if l.descend(ctx, rung, 1, "rejected by the server") {
				continue
			}
		case err != nil:
		case isObject(a.Text):
			l.succeeded(rung)
		case !r.Again && l.descend(ctx, rung, maxFailures, "ignored by the model"):
			continue
		}
		return a, err
	}
}

func (l *formatLadder) current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rung
}

// succeeded records an answer in the rung's format.
func (l *formatLadder) succeeded(rung int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung == rung {
		l.proven, l.failures = true, 0
	}
}

// descend counts a question that failed on the rung, and reports whether the
// ladder has left that rung, now or before. limit is the number of failures in a
// row after which a rung that has never worked is given up.
func (l *formatLadder) descend(ctx context.Context, rung, limit int, why string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung != rung {
		return true
	}
	if l.proven {
		limit = maxFailuresProven
	}
	if l.failures++; l.failures < limit {
		return false
	}
	l.rung, l.proven, l.failures = rung+1, false, 0
	l.log.LogAttrs(ctx, slog.LevelWarn, "answer format not supported",
		slog.String(keyModel, l.model), slog.String(keyFormat, rungs()[rung]),
		slog.String(keyNext, rungs()[rung+1]), slog.String(keyReason, why))
	return true
}

// isObject reports whether the text is one JSON object.
func isObject(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
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
