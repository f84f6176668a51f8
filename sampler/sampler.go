package sampler

import (
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Sampler decides about events under one policy. It is immutable except for a cache,
// and safe for concurrent use. A changed policy needs a new Sampler.
type Sampler struct {
	policy   policy
	hash     hasher
	revision string
	traces   bool // upstream sampling of traces enters the probability
	// constant holds the rates if no condition reads a field; else it is nil.
	constant *rates
	table    *table // nil when constant is set
}

// Decide returns the plan for an event whose body was decoded. It never changes
// env and keeps no part of it.
//
// A feedback event needs no evaluator: its plan is always one pick with the name
// [eval.FeedbackEvaluator] and the index -1.
func (s *Sampler) Decide(env *event.Envelope) eval.Plan {
	if env.Kind == event.KindUserFeedback {
		return s.feedback(upstream(s.traces, env.Tracestate, env.Trace.Lo))
	}
	r := s.constant
	if r == nil {
		r = s.ratesOf(&env.Dims)
	}
	if r.ceiling == 0 {
		return eval.Plan{Revision: s.revision, Unwanted: !r.wanted}
	}
	n := number(&s.hash, env.Trace.Lo, env.RequestID)
	if n >= r.ceiling {
		return eval.Plan{Revision: s.revision}
	}
	return s.plan(r, n, upstream(s.traces, env.Tracestate, env.Trace.Lo))
}

// DecideHeaders returns the plan for a message from its headers alone, as
// [event.Event.Headers] writes them; it equals the plan that Decide returns for
// the decoded body, joined with these headers ([event.Event.Join]). It reports false when
// the body has to be decoded, because the headers carry no envelope, an unknown kind of
// event, or do not settle which trace the event is about ([event.HeaderView.Agrees]).
// It keeps no part of the headers, and allocates nothing when no evaluator runs.
//
// Where it reports true, its plan is the one to act on: an event that is kept by one
// plan and dropped by another would be counted with the wrong probability.
func (s *Sampler) DecideHeaders(hs []event.Header) (eval.Plan, bool) {
	var view event.HeaderView
	view.Read(hs, s.constant == nil)
	if len(view.RequestID) == 0 || !view.Agrees() {
		return eval.Plan{}, false
	}
	switch event.Kind(view.Kind) {
	case event.KindRequestCompleted:
	case event.KindUserFeedback:
		return s.feedback(upstream(s.traces, view.Tracestate, view.Trace().Lo)), true
	default:
		return eval.Plan{}, false
	}
	r := s.constant
	if r == nil {
		r = s.ratesOfView(&view)
	}
	if r.ceiling == 0 {
		return eval.Plan{Revision: s.revision, Unwanted: !r.wanted}, true
	}
	trace := view.Trace().Lo
	n := number(&s.hash, trace, view.RequestID)
	if n >= r.ceiling {
		return eval.Plan{Revision: s.revision}, true
	}
	return s.plan(r, n, upstream(s.traces, view.Tracestate, trace)), true
}

// Revision identifies the policy, evaluators included: equal configurations have
// equal revisions, and any change that could change a plan changes the revision. It
// is twelve hexadecimal digits.
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

// ratesOfView is ratesOf for headers.
func (s *Sampler) ratesOfView(view *event.HeaderView) *rates {
	var buf [maxKey]byte
	key, ok := buf[:0], true
	for d := range event.Dim(event.NumDims) {
		if ok && s.policy.reads.has(d) {
			key, ok = appendKey(key, view.Dim(d))
		}
	}
	if ok {
		if r := s.table.find(key); r != nil {
			return r
		}
	}
	var dims event.Dims
	for d := range dims {
		dims[d] = string(view.Dim(event.Dim(d)))
	}
	return s.resolve(&dims, key, ok)
}

// resolve evaluates the conditions, and caches the result under the key if the key
// is short enough.
func (s *Sampler) resolve(d *event.Dims, key []byte, remember bool) *rates {
	r := s.policy.resolve(d)
	if remember {
		s.table.put(key, r)
	}
	return r
}
