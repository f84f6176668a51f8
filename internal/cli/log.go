package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// linesPerMinute bounds the lines with the same message that the log of a program has a
// minute. It is for events that are worth a line each, such as rebalances and reloads;
// package outage bounds the lines about troubles.
const linesPerMinute = 5

// NewLog returns the log of a program that runs until it is told to end. Durations have their
// unit, also in JSON.
func NewLog(w io.Writer, text bool, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: formatDuration}
	var h slog.Handler = slog.NewJSONHandler(w, opts)
	if text {
		h = slog.NewTextHandler(w, opts)
	}
	return LimitLines(slog.New(h), linesPerMinute)
}

// formatDuration writes a duration with its unit, also in JSON.
func formatDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// LoggedError is the reason why a program ends that is in its log already.
type LoggedError struct{ Err error }

// Error returns the text of the reason.
func (e *LoggedError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *LoggedError) Unwrap() error { return e.Err }

// maxReasons bounds the faults of a configuration that become lines of the log.
const maxReasons = 4

// LogEnd passes why a program ends to write, which writes a line of its log, unless the log
// has it already. It reports whether that is all: at a terminal a person reads plain text
// more easily, which is up to the caller.
func LogEnd(stderr io.Writer, err error, write func(reason string)) (all bool) {
	if logged, _ := errors.AsType[*LoggedError](err); logged == nil {
		for _, reason := range reasons(err) {
			write(reason)
		}
	}
	return !IsTerminal(stderr)
}

// reasons returns what to log of an error with which a program ends: faults of a
// configuration one by one, so that each line begins with its place, and of many only the
// first.
func reasons(err error) []string {
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		return []string{err.Error()}
	}
	var out []string
	for i, f := range faults {
		if i == maxReasons {
			return append(out, fmt.Sprintf("and %d more", len(faults)-i))
		}
		out = append(out, f.String())
	}
	return out
}
