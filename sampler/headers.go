package sampler

import (
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// DecideHeaders returns the plan for a message from its headers alone, as
// [event.Event.Headers] writes them; it equals the plan that Decide returns for
// the decoded body. It reports false when the body has to be decoded: the headers
// carry no envelope, or an event of an unknown kind. It keeps no part of the
// headers, and allocates nothing when no evaluator runs.
func (s *Sampler) DecideHeaders(hs []event.Header) (eval.Plan, bool) {
	var view event.HeaderView
	view.Read(hs, s.constant == nil)
	if len(view.RequestID) == 0 {
		return eval.Plan{}, false
	}
	switch event.Kind(view.Kind) {
	case event.KindRequestCompleted:
	case event.KindUserFeedback:
		return s.feedback(upstream(view.Tracestate, view.Trace().Lo)), true
	default:
		return eval.Plan{}, false
	}
	r := s.constant
	if r == nil {
		r = s.ratesOfView(&view)
	}
	if r.ceiling == 0 {
		return eval.Plan{Revision: s.revision}, true
	}
	trace := view.Trace().Lo
	n := number(&s.hash, trace, view.RequestID)
	if n >= r.ceiling {
		return eval.Plan{Revision: s.revision}, true
	}
	return s.plan(r, n, upstream(view.Tracestate, view.Trace().Lo)), true
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
