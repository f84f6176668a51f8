package judges

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/evalworker/evalworker/eval"
)

// rungs are the answer formats, the strictest first.
func rungs() []string { return []string{formatSchema, formatObject, formatFenced} }

// maxProse is how many answers in a row may ignore the format before it counts
// as not supported: some servers accept a response_format and do nothing.
const maxProse = 2

// ladder asks on the strictest rung that the server supports. It goes down one
// rung when the server rejects the format, or when answers in a row ignore it,
// and stays there until the process ends: all judges of the model begin there.
type ladder struct {
	next  Model
	log   *slog.Logger
	model string

	// state is rung<<8 | prose answers in a row on that rung.
	state atomic.Uint32
}

func newLadder(next Model, cfg ModelConfig, log *slog.Logger) *ladder {
	l := &ladder{next: next, log: log, model: cfg.Model}
	l.state.Store(uint32(max(slices.Index(rungs(), cfg.Format), 0)) << 8)
	return l
}

// Complete asks on the present rung, and again on the next when that one turns
// out not to be there. What a discarded answer cost stays in the usage.
func (l *ladder) Complete(ctx context.Context, r Request) (Answer, error) {
	var usage eval.Usage
	system := r.System
	for {
		state := l.state.Load()
		rung := int(state >> 8)
		r.Format = rungs()[rung]
		r.System = system + formatNote(r.Format, r.Schema)
		a, err := l.next.Complete(ctx, r)
		usage = plus(usage, a.Usage)
		a.Usage = usage
		a.Usage.Format = r.Format
		if rung == len(rungs())-1 {
			return a, err
		}
		switch {
		case err != nil && asFailure(err).format:
			l.descend(ctx, rung, "rejected by the server")
		case err != nil:
			return a, err
		case isObject(a.Text):
			l.state.CompareAndSwap(state, uint32(rung)<<8)
			return a, nil
		case l.prose(ctx, rung):
		default:
			return a, nil
		}
	}
}

// prose counts an answer that ignored the format, and reports whether the rung
// has been left because of it.
func (l *ladder) prose(ctx context.Context, rung int) bool {
	for {
		state := l.state.Load()
		if int(state>>8) != rung {
			return true // somebody else has left it
		}
		if state&0xff+1 >= maxProse {
			l.descend(ctx, rung, "ignored by the model")
			return true
		}
		if l.state.CompareAndSwap(state, state+1) {
			return false
		}
	}
}

// descend leaves a rung, once.
func (l *ladder) descend(ctx context.Context, rung int, why string) {
	for {
		state := l.state.Load()
		if int(state>>8) != rung {
			return
		}
		if l.state.CompareAndSwap(state, uint32(rung+1)<<8) {
			l.log.LogAttrs(ctx, slog.LevelWarn, "answer format not supported",
				slog.String(keyModel, l.model), slog.String(keyFormat, rungs()[rung]),
				slog.String(keyNext, rungs()[rung+1]), slog.String(keyReason, why))
			return
		}
	}
}

// isObject reports whether the text is one JSON object.
func isObject(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
}
