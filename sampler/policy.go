package sampler

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// rates is the policy's result for all events that the same conditions match. It is
// immutable except for its counter.
type rates struct {
	// wanted: the condition of some evaluator holds.
	wanted bool
	// ceiling is the largest threshold: no evaluator runs for an event whose R is
	// not below it.
	ceiling uint64
	// candidates are the evaluators with a rate above zero, in their order: the rate is
	// their probability. thresholds and tallies have the same indexes: an event whose R is
	// below the threshold is the candidate's. The tally of a rate of 1 is nil.
	candidates []eval.Pick
	thresholds []uint64
	tallies    []*tally
	// counted: some rate is above 0 and below 1, and the table has the rates, so that
	// events are counted for [Sampler.Shares].
	counted bool
	seen    atomic.Uint64 // events to which the rates were applied
}

// policy holds the compiled rules and evaluators.
type policy struct {
	rules      []rule
	evaluators []evaluator
	tallies    []*tally // of all rates above 0 and below 1, by evaluator
	reads      dimSet   // fields that any of the conditions reads
	machines   sync.Pool
}

type rule struct {
	name   string
	when   *condition
	rate   float64
	covers []bool // by evaluator
	// tallies has one for each evaluator that the rule covers, if its rate is above 0
	// and below 1.
	tallies []*tally
}

type evaluator struct {
	name string
	when *condition
	rate float64
	rule string // Pick.Rule when no rule matches: "evaluator" or "default"
	// tally is of the evaluator's own rate; nil when that is 0 or 1.
	tally *tally
}

// addTallies gives each rate above 0 and below 1 its tally.
func (p *policy) addTallies() {
	for i := range p.rules {
		p.rules[i].tallies = make([]*tally, len(p.evaluators))
	}
	for i := range p.evaluators {
		e := &p.evaluators[i]
		add := func(rate float64, rule string) *tally {
			if rate <= 0 || rate >= 1 {
				return nil
			}
			t := &tally{evaluator: e.name, rule: rule, rate: rate}
			p.tallies = append(p.tallies, t)
			return t
		}
		e.tally = add(e.rate, e.rule)
		for j := range p.rules {
			if r := &p.rules[j]; r.covers[i] {
				r.tallies[i] = add(r.rate, r.name)
			}
		}
	}
}

// match evaluates all conditions on an envelope. It appends one byte for each rule and
// then for each evaluator: 1 if its condition holds, else 0.
func (p *policy) match(d *event.Dims, out []byte) []byte {
	m, _ := p.machines.Get().(*machine)
	if m == nil {
		m = newMachine()
	}
	defer p.machines.Put(m)
	m.load(d)
	add := func(c *condition) {
		// A condition cannot fail. If one did, count it as a match: too many
		// evaluations show on the bill, missing ones do not show at all.
		if ok, err := c.match(m); ok || err != nil {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	for i := range p.rules {
		add(p.rules[i].when)
	}
	for i := range p.evaluators {
		add(p.evaluators[i].when)
	}
	return out
}

// rates returns the rates of the events for which match returned matched.
func (p *policy) rates(matched []byte) *rates {
	out := new(rates)
	rules, wanted := matched[:len(p.rules)], matched[len(p.rules):]
	for i := range p.evaluators {
		if wanted[i] == 0 {
			continue
		}
		out.wanted = true
		e := &p.evaluators[i]
		pick, tally := eval.Pick{Evaluator: i, Name: e.name, Probability: e.rate, Rule: e.rule}, e.tally
		if best := p.best(i, rules); best != nil {
			pick.Probability, pick.Rule, tally = best.rate, best.name, best.tallies[i]
		}
		if pick.Probability <= 0 {
			continue
		}
		below := threshold(pick.Probability)
		out.candidates, out.thresholds, out.tallies = append(out.candidates, pick), append(out.thresholds, below), append(out.tallies, tally)
		out.ceiling = max(out.ceiling, below)
	}
	out.candidates = slices.Clip(out.candidates) // plans share it: one that is appended to is a copy
	return out
}

// best returns the rule with the largest rate (the first of equals) among those
// that matched and cover the evaluator; nil when there is none.
func (p *policy) best(evaluator int, matched []byte) *rule {
	var best *rule
	for i := range p.rules {
		r := &p.rules[i]
		if matched[i] == 1 && r.covers[evaluator] && (best == nil || r.rate > best.rate) {
			best = r
		}
	}
	return best
}
