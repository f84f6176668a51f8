package sampler

import (
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Sampler decides for events under one policy. It is immutable but for a cache,
// and safe for concurrent use. A changed policy is a new Sampler.
type Sampler struct {
	policy   policy
	hash     hasher
	revision string
	// always holds the rates when no condition reads a field; else nil.
	constant *rates
	table    *table // nil when always is set
}

// Decide gives the plan for an event whose body was decoded. It never changes
// env and keeps no part of it.
//
// A feedback event needs no evaluator: its plan is one pick with the name
// [eval.FeedbackEvaluator] and the index -1, always.
func (s *Sampler) Decide(env *event.Envelope) eval.Plan {
	if env.Kind == event.KindUserFeedback {
		return s.feedback(upstream(env.Tracestate, env.Trace.Lo))
	}
	r := s.constant
	if r == nil {
		r = s.ratesOf(&env.Dims)
	}
	if r.ceiling == 0 {
		return eval.Plan{Revision: s.revision}
	}
	n := number(&s.hash, env.Trace.Lo, env.RequestID)
	if n >= r.ceiling {
		return eval.Plan{Revision: s.revision}
	}
	return s.plan(r, n, upstream(env.Tracestate, env.Trace.Lo))
}

// Revision identifies the policy, evaluators included: equal configurations
// have equal revisions, and a change of anything that could change a plan gives
// another one. It is twelve hexadecimal digits.
func (s *Sampler) Revision() string { return s.revision }

// plan picks the evaluators whose threshold is above n.
func (s *Sampler) plan(r *rates, n uint64, upstream float64) eval.Plan {
	picks := make([]eval.Pick, 0, len(r.candidates))
	for i := range r.candidates {
		if w := &r.candidates[i]; n < w.threshold {
			picks = append(picks, eval.Pick{Evaluator: w.evaluator, Name: w.name, Probability: w.rate * upstream, Rule: w.rule})
		}
	}
	return eval.Plan{Revision: s.revision, Picks: picks}
}

func (s *Sampler) feedback(upstream float64) eval.Plan {
	return eval.Plan{Revision: s.revision, Picks: []eval.Pick{
		{Evaluator: -1, Name: eval.FeedbackEvaluator, Probability: upstream, Rule: ruleFeedback},
	}}
}

// ratesOf looks the envelope up, or evaluates the conditions on it.
func (s *Sampler) ratesOf(d *event.Dims) *rates {
	var buf [maxKey]byte
	key, ok := buf[:0], true
	for i := range d {
		if ok && s.policy.reads.has(event.Dim(i)) {
			key, ok = appendKey(key, d[i])
		}
	}
	if ok {
		if r := s.table.find(key); r != nil {
			return r
		}
	}
	return s.resolve(d, key, ok)
}

// resolve evaluates the conditions, and remembers the result under the key if
// that is short enough.
func (s *Sampler) resolve(d *event.Dims, key []byte, remember bool) *rates {
	r := s.policy.resolve(d)
	if remember {
		s.table.put(key, r)
	}
	return r
}
