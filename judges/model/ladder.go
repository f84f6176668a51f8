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

// rungs are the answer formats, the strictest first.
func rungs() []string { return []string{judges.FormatSchema, judges.FormatObject, judges.FormatFenced} }

// How many questions in a row have to fail on a rung for it to count as not
// supported: some servers accept a response_format and do nothing. A rung that
// has worked is given up only when the server must have changed, for one odd
// event is no reason to ask all others in another way.
const (
	maxFailures       = 2
	maxFailuresProven = 10
)

// ladder asks on the strictest rung that the server supports. It goes down one
// rung when the server rejects the format, or when answers in a row ignore it,
// and stays there until the process ends: all judges of the model begin there.
type formatLadder struct {
	next  judges.Model
	log   *slog.Logger
	model string

	mu       sync.Mutex // guards all below
	rung     int
	proven   bool // the rung has given an answer in its format
	failures int  // questions in a row that got none
}

func newFormatLadder(next judges.Model, cfg Config, log *slog.Logger) *formatLadder {
	return &formatLadder{next: next, log: log, model: cfg.Model, rung: max(slices.Index(rungs(), cfg.Format), 0)}
}

// Complete asks on the present rung, and again on the next when that one turns
// out not to be there. What a discarded answer cost stays in the usage.
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

// works notes an answer in the rung's format.
func (l *formatLadder) succeeded(rung int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung == rung {
		l.proven, l.failures = true, 0
	}
}

// leave counts a question that the rung failed, and reports whether the rung has
// been left, be it by somebody else. So many failures in a row are enough for
// one that has never worked.
func (l *formatLadder) descend(ctx context.Context, rung, enough int, why string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung != rung {
		return true
	}
	if l.proven {
		enough = maxFailuresProven
	}
	if l.failures++; l.failures < enough {
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

// formatNote is what the system message says more on the lower rungs, where the
// server does not enforce the schema.
func formatNote(format string, schema json.RawMessage) string {
	switch format {
	case judges.FormatObject:
		return "\nThe object must satisfy this JSON Schema:\n" + string(schema) + "\n"
	case judges.FormatFenced:
		return "\nThe object must satisfy this JSON Schema:\n" + string(schema) +
			"\nPut the object into one fenced code block that begins with ```json and ends with ```.\n"
	}
	return ""
}
