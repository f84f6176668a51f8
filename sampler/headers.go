package sampler

import (
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// found are the headers that a decision needs. The dims are kept as places in
// the list of headers, counted from 1, because there are many of them and most
// policies read few.
type found struct {
	kind, request             []byte
	parent, dd, trace, states []byte
	dims                      [numFields]int32
}

// DecideHeaders gives the plan for a message from its headers alone, as
// [event.Event.Headers] writes them; it equals the plan that Decide gives for the
// decoded body. It reports false when the body has to be decoded: the headers
// carry no envelope, or an event of a kind that is not known here. It keeps no
// part of the headers, and allocates nothing when no evaluator wants the event.
func (s *Sampler) DecideHeaders(hs []event.Header) (eval.Plan, bool) {
	var in found
	in.scan(hs, s.always == nil)
	if len(in.request) == 0 {
		return eval.Plan{}, false
	}
	switch event.Kind(in.kind) {
	case event.KindRequestCompleted:
	case event.KindUserFeedback:
		return s.feedback(upstream(in.states, lowTrace(in.parent, in.dd, in.trace))), true
	default:
		return eval.Plan{}, false
	}
	r := s.always
	if r == nil {
		r = s.ratesIn(hs, &in.dims)
	}
	if r.ceiling == 0 {
		return eval.Plan{Revision: s.revision}, true
	}
	var n uint64
	lo := lowTrace(in.parent, in.dd, in.trace)
	if lo != 0 {
		n = s.hash.ofTrace(lo)
	} else {
		n = ofRequest(&s.hash, in.request)
	}
	if n >= r.ceiling {
		return eval.Plan{Revision: s.revision}, true
	}
	return s.plan(r, n, upstream(in.states, lo)), true
}

// scan finds the headers. Of several with one key the last counts, as it does in
// event.EnvelopeFromHeaders.
func (in *found) scan(hs []event.Header, dims bool) {
	for i := range hs {
		h := &hs[i]
		switch h.Key {
		case event.HeaderEvent:
			in.kind = h.Value
		case event.HeaderRequestID:
			in.request = h.Value
		case event.HeaderTraceparent:
			in.parent = h.Value
		case event.HeaderDDTraceID:
			in.dd = h.Value
		case event.HeaderTraceID:
			in.trace = h.Value
		case event.HeaderTracestate:
			in.states = h.Value
		default:
			if !dims {
				continue
			}
			if f, ok := fieldOf(h.Key); ok {
				in.dims[f] = int32(i) + 1 // no message has 2^31 headers
			}
		}
	}
}

// fieldOf is fieldNamed as a switch: it runs for every header.
func fieldOf(key string) (field, bool) {
	switch key {
	case event.HeaderEnvironment:
		return 0, true
	case event.HeaderFeature:
		return 1, true
	case event.HeaderPromptName:
		return 2, true
	case event.HeaderPromptVer:
		return 3, true
	case event.HeaderProvider:
		return 4, true
	case event.HeaderModel:
		return 5, true
	case event.HeaderStatus:
		return 6, true
	case event.HeaderFinishReason:
		return 7, true
	case event.HeaderTenantTier:
		return 8, true
	case event.HeaderUserRating:
		return fieldRating, true
	case event.HeaderOutputSchema:
		return 10, true
	}
	return 0, false
}

// ratesIn is ratesOf for headers.
func (s *Sampler) ratesIn(hs []event.Header, dims *[numFields]int32) *rates {
	var buf [maxKey]byte
	key, ok := buf[:0], true
	for f, at := range dims {
		if !s.policy.reads.has(field(f)) || !ok { // below numFields
			continue
		}
		var v []byte
		if at > 0 {
			v = hs[at-1].Value
		}
		if f == fieldRating {
			v = event.PlainRating(v)
		}
		key, ok = appendKey(key, v)
	}
	if !ok {
		return s.policy.resolve(dimsIn(hs, dims))
	}
	r, h := s.table.find(key)
	if r == nil {
		r = s.policy.resolve(dimsIn(hs, dims))
		s.table.put(key, h, r)
	}
	return r
}

func dimsIn(hs []event.Header, dims *[numFields]int32) *event.Dims {
	d := new(event.Dims)
	for f, p := range dimsOf(d) {
		if at := dims[f]; at > 0 {
			*p = string(hs[at-1].Value)
		}
	}
	d.UserRating = event.PlainRating(d.UserRating)
	return d
}
