package sampler

import (
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Sampler decides about events under one policy. It is immutable except for a cache
// and for counters, which change no decision, and safe for concurrent use. A changed
// policy needs a new Sampler.
type Sampler struct {
	policy   policy
	hash     hasher
	revision string
	traces   bool // upstream sampling of traces enters the probability
	// constant holds the rates if no condition reads a field; else it is nil.
	constant *rates
	table    table
}

// Decide returns the plan for an event whose body was decoded, and counts the event for
// [Sampler.Shares]. It never changes env and keeps no part of it.
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
	var n uint64
	if r.ceiling > 0 {
		n = number(&s.hash, env.Trace.Lo, env.RequestID)
	}
	r.count(n)
	return s.plan(r, n, upstream(s.traces, env.Tracestate, env.Trace.Lo))
}

// DecideHeaders returns the plan for a message from its headers alone, as
// [event.Event.Headers] writes them; it equals the plan that Decide returns for
// the decoded body, joined with these headers ([event.Event.Join]). It reports false when
// the body has to be decoded, because the headers carry no envelope, an unknown kind of
// event, or do not settle which trace the event is about ([event.HeaderView.Agrees]).
// It keeps no part of the headers, and allocates nothing when no evaluator runs. An event
// whose plan it returns is counted.
//
// Where it reports true, its plan is the one to act on: an event that is kept by one
// plan and dropped by another would be counted with the wrong probability.
func (s *Sampler) DecideHeaders(hs []event.Header) (eval.Plan, bool) {
	var view event.HeaderView
	r, n, ok := s.read(&view, hs)
	if !ok {
		return eval.Plan{}, false
	}
	up := upstream(s.traces, view.Tracestate, view.Trace().Lo)
	if r == nil {
		return s.feedback(up), true
	}
	r.count(n)
	return s.plan(r, n, up), true
}

// Skip reports whether the headers alone show that no evaluator runs, and returns the
// plan without picks or candidates if so. It is DecideHeaders for a caller that decides
// again about the events that it does not skip, and counts only those that it does: an
// event is counted once. It allocates nothing.
func (s *Sampler) Skip(hs []event.Header) (eval.Plan, bool) {
	var view event.HeaderView
	r, n, ok := s.read(&view, hs)
	if !ok || r == nil || n < r.ceiling {
		return eval.Plan{}, false
	}
	r.count(n)
	return eval.Plan{Revision: s.revision, Unwanted: !r.wanted}, true
}

// read returns the rates and the number R of a message with an envelope in its
// headers; nil for feedback, to which no rate applies. R is 0 when no rate is above 0.
// It reports false when the body has to be decoded.
func (s *Sampler) read(view *event.HeaderView, hs []event.Header) (r *rates, n uint64, ok bool) {
	view.Read(hs, s.constant == nil)
	if len(view.RequestID) == 0 || !view.Agrees() {
		return nil, 0, false
	}
	switch event.Kind(view.Kind) {
	case event.KindRequestCompleted:
	case event.KindUserFeedback:
		return nil, 0, true
	default:
		return nil, 0, false
	}
	r = s.constant
	if r == nil {
		r = s.ratesOfView(view)
	}
	if r.ceiling > 0 {
		n = number(&s.hash, view.Trace().Lo, view.RequestID)
	}
	return r, n, true
}

// Revision identifies the policy, evaluators included: equal configurations have
// equal revisions, and any change that could change a plan changes the revision. It
// is twelve hexadecimal digits.
func (s *Sampler) Revision() string { return s.revision }

// plan picks the evaluators whose threshold is above n.
func (s *Sampler) plan(r *rates, n uint64, upstream float64) eval.Plan {
	plan := eval.Plan{Revision: s.revision, Unwanted: !r.wanted, Candidates: r.candidates, Upstream: upstream}
	if n >= r.ceiling {
		return plan
	}
	plan.Picks = make([]eval.Pick, 0, len(r.candidates))
	for i, pick := range r.candidates {
		if n < r.thresholds[i] {
			pick.Probability *= upstream
			plan.Picks = append(plan.Picks, pick)
		}
	}
	return plan
}

func (s *Sampler) feedback(upstream float64) eval.Plan {
	return eval.Plan{
		Revision: s.revision, Upstream: upstream,
		Candidates: []eval.Pick{{Evaluator: -1, Name: eval.FeedbackEvaluator, Probability: 1, Rule: ruleFeedback}},
		Picks:      []eval.Pick{{Evaluator: -1, Name: eval.FeedbackEvaluator, Probability: upstream, Rule: ruleFeedback}},
	}
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
	var buf [64]byte // larger policies allocate
	r := s.table.outcome(s.policy.match(d, buf[:0]), s.policy.rates)
	if remember {
		s.table.put(key, r)
	}
	return r
}
