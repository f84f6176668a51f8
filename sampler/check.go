package sampler

import "math"

// Numbers of the check.
const (
	// minEvents is the number of events from which on a share is compared with its rate.
	minEvents = 10_000
	// maxTrace is the number of events that one trace may have before its weight in the
	// sample is taken for a fault: agents make up to some hundred calls in a trace.
	maxTrace = 200
	// evidence is -ln of the probability below which chance does not explain a share:
	// one in a million.
	evidence = 13.8
	// maxWindow is the number of events after which a comparison that found nothing
	// starts again, so that what begins late is not lost among what was before.
	maxWindow = 4_000_000
	// minLooked is the number of ids from which on they are compared: as soon as the share
	// is, so that a skew has its right cause from the beginning.
	minLooked = minEvents / stride
	// crowded and cleared are the events of an id, on average over events, from which on
	// ids are too few, and below which they are enough again.
	crowded, cleared = 4 * maxTrace, 2 * maxTrace
)

// Causes of a skew.
const (
	// CauseFewIDs: many events have the same id, so they are kept or left out together.
	CauseFewIDs = "few_ids"
	// CauseChosenBefore: ids differ, and yet not the share of the rate was kept.
	CauseChosenBefore = "chosen_before"
)

// Skew is a rate of which the sample cannot be trusted.
type Skew struct {
	Evaluator string  `json:"evaluator"`
	Rule      string  `json:"rule"`
	Rate      float64 `json:"rate"`
	// Share of the events that was kept, of so many Events, when it was found last.
	Share  float64 `json:"share"`
	Events int64   `json:"events"`
	// Looked is the number of events whose ids were compared, Distinct that of
	// different ids among them.
	Looked   int    `json:"ids_looked_at"`
	Distinct int    `json:"ids_distinct"`
	Cause    string `json:"cause"` // CauseFewIDs or CauseChosenBefore
	// Problem and Mend say the same in words.
	Problem string `json:"problem"`
	Mend    string `json:"mend"`
}

// Check compares the shares that rates keep with the rates. The zero value is ready.
// It is not safe for concurrent use.
//
// The sample follows its rate when the numbers R of events are independent. They are
// not when events share the half of the trace id that R is computed from: those of a
// trace do, which is meant, and so do those of a whole host if it makes ids of its
// address and the time (UUIDv1 and v6) or with a constant lower half. Then a rate of
// 10 % keeps all of the host's events or none.
//
// # Shares
//
// Let W = N / maxTrace be the number of traces that N events make at least, q the kept
// share and p the rate. Chance does not explain q when
//
//	W * (q ln(q/p) + (1-q) ln((1-q)/(1-p))) > 13.8 = ln(1,000,000)
//
// This is the bound of Chernoff and Hoeffding for the mean of W independent draws
// (W. Hoeffding, "Probability inequalities for sums of bounded random variables", JASA
// 58, 1963, theorem 1), with N reduced by the design effect of clusters of maxTrace
// events (L. Kish, "Survey Sampling", 1965). It holds for traces of any sizes up to
// maxTrace: a trace of w * maxTrace events, w <= 1, adds to the logarithm of the moment
// generating function at most w times what one of maxTrace adds, because that logarithm
// is convex in w and 0 at 0. Events that are delivered again make a trace larger; most
// traces are far below maxTrace, which leaves room for them.
//
// The bound is for one comparison. Those of a window, from 10,000 to 4 million events,
// depend on each other: by steps of a tenth they are worth some 63, on either side of the
// rate. So at most about one window in eight thousand raises a false alarm, even if all
// traces have maxTrace events.
// At a rate of 10 % a share of 0 is found after 26,000 events, one of 100 % after 10,000;
// at 1 %, 0 after 275,000.
//
// # Ids
//
// A share near its rate does not show that twenty hosts are in or out as a whole, and a
// small rate takes long. So the ids of one event in 251 are compared, over the last
// 32,000 events. If two of them are equal with the probability c, an average event
// shares its id with c * N of N events. Traces of up to maxTrace events lead to at most
// maxTrace; the ids are too few from four times as many on, which leaves room for what is
// delivered again and for the error of the estimate.
type Check struct {
	of    *Sampler // whose counts were added last
	rates map[rateKey]*history
}

// rateKey identifies a rate over revisions of the policy: a rate that was changed is
// another one.
type rateKey struct {
	evaluator, rule string
	rate            float64
}

// history is what is known of a rate.
type history struct {
	counted counts // of the sampler, at the last look
	window  counts // compared with the rate
	needed  int64  // events of the window that showed the skew; 0: the share is right
	fewIDs  bool

	// For a Skew: the window in which it was found last, and the ids then.
	found            counts
	looked, distinct int
	perID            float64
}

type counts struct{ seen, kept int64 }

func (c counts) share() float64 { return float64(c.kept) / float64(c.seen) }

// Look takes in what a sampler has counted since the last look, and returns the rates
// whose samples are skewed, in the order of [Sampler.Shares]. A rate that another
// sampler, of a changed policy, has too goes on; others are forgotten. A skew ends when
// the share is right over twice as many events as had shown it, and ids are enough.
func (c *Check) Look(s *Sampler) []Skew {
	rates := map[rateKey]*history{}
	var skews []Skew
	for _, share := range s.Shares() {
		key := rateKey{share.Evaluator, share.Rule, share.Rate}
		h := c.rates[key]
		if h == nil {
			h = new(history)
		}
		if c.of != s {
			h.counted = counts{}
		}
		rates[key] = h
		h.add(&share)
		if h.needed > 0 || h.fewIDs {
			skews = append(skews, h.skew(key))
		}
	}
	c.of, c.rates = s, rates
	return skews
}

// add takes in a share.
func (h *history) add(s *Share) {
	now := counts{s.Seen, s.Kept}
	h.window.seen += now.seen - h.counted.seen
	h.window.kept += now.kept - h.counted.kept
	h.counted = now
	if s.Looked >= minLooked {
		h.looked, h.distinct, h.perID = s.Looked, s.Distinct, s.eventsPerID()
	}
	if h.window.seen < minEvents {
		return
	}
	if s.Looked >= minLooked {
		h.fewIDs = h.perID >= crowded || h.fewIDs && h.perID >= cleared
	}
	if h.fewIDs {
		h.found = h.window
	}
	limit := int64(maxWindow)
	if h.needed > 0 {
		limit = 2 * h.needed
	}
	switch {
	case h.window.unlikely(s.Rate):
		h.found, h.needed, h.window = h.window, h.window.seen, counts{}
	case h.window.seen >= limit:
		h.needed, h.window = 0, counts{}
	}
}

// skew describes what was found.
func (h *history) skew(key rateKey) Skew {
	s := Skew{
		Evaluator: key.evaluator, Rule: key.rule, Rate: key.rate, Share: h.found.share(), Events: h.found.seen, Looked: h.looked, Distinct: h.distinct,
		Cause:   CauseChosenBefore,
		Problem: "events were chosen by their ids before they arrived: by another sampler with the same sampling.salt, or because ids are not random",
		Mend:    "give each sampler a sampling.salt of its own, and use random trace ids",
	}
	if h.fewIDs || h.perID >= maxTrace {
		s.Cause = CauseFewIDs
		s.Problem = "whole hosts or traces are in or out of the sample: the low 64 bits of trace ids are not random, as in UUIDv1, UUIDv6 and ids with a constant lower half; or single traces have thousands of events"
		s.Mend = "use random 128-bit trace ids, as the tracers of OpenTelemetry and Datadog do; an event without a trace needs a request_id of its own"
	}
	return s
}

// eventsPerID estimates how many events of the stretch that was looked at share the id
// of an event, on average over events.
func (s *Share) eventsPerID() float64 {
	n := float64(s.Looked)
	return n * stride * float64(s.same) / (n * (n - 1) / 2)
}

// unlikely reports whether chance does not explain the share at a rate.
func (c counts) unlikely(rate float64) bool {
	return float64(c.seen)/maxTrace*divergence(c.share(), rate) > evidence
}

// divergence is the relative entropy of two probabilities, p in (0,1).
func divergence(q, p float64) float64 {
	term := func(q, p float64) float64 {
		if q <= 0 {
			return 0
		}
		return q * math.Log(q/p)
	}
	return term(q, p) + term(1-q, 1-p)
}
