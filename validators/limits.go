package validators

import (
	"strings"

	"github.com/evalworker/evalworker/eval"
)

// limits collects which bounds were kept. A bound is ignored if the event lacks its
// value, whether or not the others are kept; otherwise an event could fail but
// never pass.
type limits struct {
	known   int
	broken  []string // options
	missing []string // fields of the event
}

func (l *limits) add(option string, kept bool) {
	l.known++
	if !kept {
		l.broken = append(l.broken, option)
	}
}

func (l *limits) atLeast(option, field string, fact, bound *float64) {
	if l.canCompare(field, fact, bound) {
		l.add(option, *fact >= *bound)
	}
}

// atMost compares a quantity, which is never negative: -1 is how some software writes
// that it does not know.
func (l *limits) atMost(option, field string, fact, bound *float64) {
	if fact != nil && *fact < 0 {
		fact = nil
	}
	if l.canCompare(field, fact, bound) {
		l.add(option, *fact <= *bound)
	}
}

func (l *limits) canCompare(field string, fact, bound *float64) bool {
	if bound != nil && fact == nil {
		l.missing = append(l.missing, field)
	}
	return bound != nil && fact != nil
}

// verdict returns a pass when every known bound is kept. The score is the share of
// known bounds that are kept.
func (l *limits) verdict(kept, broken string) eval.Verdict {
	switch {
	case l.known == 0:
		return eval.NotApplicable(strings.Join(l.missing, ", "))
	case len(l.broken) == 0:
		return pass(kept)
	}
	v := fail(broken, strings.Join(l.broken, ", "))
	v.Score = 1 - float64(len(l.broken))/float64(l.known)
	return v
}

func asFloat(n *int64) *float64 {
	if n == nil {
		return nil
	}
	return new(float64(*n))
}
