package sampler

import (
	"slices"
	"sync/atomic"
)

// Numbers of the sample of ids that each tally keeps.
const (
	// stride is the number of events of which one is looked at. It is a prime, so that
	// hosts that take turns do not fall into step with it.
	stride = 251
	// maxLooked bounds the sample: it reaches back over maxLooked * stride events, some
	// 32,000.
	maxLooked = 128
)

// tally counts what one rate kept, for one evaluator.
type tally struct {
	evaluator, rule string
	rate            float64

	kept atomic.Int64
	// looked counts the events that were looked at, and numbers holds R of the last of
	// them.
	looked  atomic.Uint64
	numbers [maxLooked]atomic.Uint64
}

// count counts an event with the number n under the rates. It costs one atomic
// addition for an event that no evaluator runs for.
func (r *rates) count(n uint64) {
	if !r.counted {
		return
	}
	look := r.seen.Add(1)%stride == 0
	if n >= r.ceiling && !look {
		return
	}
	for i, t := range r.tallies {
		if t == nil {
			continue
		}
		if n < r.thresholds[i] {
			t.kept.Add(1)
		}
		if look {
			at := t.looked.Add(1) - 1
			t.numbers[at%maxLooked].Store(n)
		}
	}
}

// Share is what became of a rate above 0 and below 1.
type Share struct {
	Evaluator string
	// Rule set the rate: a rule's name, "evaluator" for the evaluator's own rate, or
	// "default".
	Rule string
	Rate float64
	// Seen events were subject to the rate; Kept of them were evaluated.
	Seen, Kept int64
	// Looked is the number of events, spread over the last 32,000, whose ids were
	// compared; they have Distinct different ones.
	Looked, Distinct int
	// same is the number of pairs with equal ids among them.
	same int
}

// Shares returns the counts of all rates above 0 and below 1 since New, by evaluator and
// then in the order of the rules. Seen is never below Kept.
func (s *Sampler) Shares() []Share {
	p := &s.policy
	out := make([]Share, len(p.tallies))
	for i, t := range p.tallies {
		out[i] = Share{Evaluator: t.evaluator, Rule: t.rule, Rate: t.rate, Kept: t.kept.Load()}
		out[i].compare(t)
	}
	seen := s.table.seen() // after what was kept, which is counted later
	for i, t := range p.tallies {
		out[i].Seen = seen[t]
	}
	return out
}

// compare compares the ids that a tally looked at.
func (s *Share) compare(t *tally) {
	numbers := make([]uint64, min(t.looked.Load(), maxLooked))
	for i := range numbers {
		numbers[i] = t.numbers[i].Load()
	}
	slices.Sort(numbers)
	run := 0 // equal ones before this one
	for i, n := range numbers {
		if i == 0 || n != numbers[i-1] {
			run = 0
			s.Distinct++
		}
		s.same += run
		run++
	}
	s.Looked = len(numbers)
}

// seen sums the events by tally.
func (t *table) seen() map[*tally]int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	sums := map[*tally]int64{}
	for _, r := range t.outcomes {
		n := int64(r.seen.Load()) //nolint:gosec // a counter of events stays below 2^63
		for _, t := range r.tallies {
			if t != nil {
				sums[t] += n
			}
		}
	}
	return sums
}
