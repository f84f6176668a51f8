package validators

import (
	"context"
	"math"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func checkRetrieval(c Config) fault.List {
	var faults fault.List
	if c.MinHits != nil && *c.MinHits < 1 {
		faults.Add("min_hits", "is below 1", "want 1 or more")
	}
	if s := c.MinTopScore; s != nil && (math.IsNaN(*s) || math.IsInf(*s, 0)) {
		faults.Add("min_top_score", "is no finite number", "want a score on the scale of the index")
	}
	return faults
}

// buildRetrieval makes a validator of the search: at least min_hits hits, and the
// best of them at least min_top_score. Without either bound it asks for one hit.
// Where the event does not give the number of hits or the top score, they are
// taken from the chunks. A bound whose fact is unknown is left out; when none is
// left the event lacks the field.
func buildRetrieval(c Config, _ *Schemas) (made, error) {
	minHits := c.MinHits
	if minHits == nil && c.MinTopScore == nil {
		minHits = new(int64(1))
	}
	return made{answer: func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		r := e.Retrieval
		if r == nil {
			return eval.NotApplicable("retrieval"), nil
		}
		var l limits
		if minHits != nil {
			l.atLeast("min_hits", "retrieval.hit_count", asFloat(hits(r)), float64(*minHits))
		}
		if c.MinTopScore != nil && !nothingFound(r) {
			l.atLeast("min_top_score", "retrieval.top_score", topScore(r), *c.MinTopScore)
		} else if c.MinTopScore != nil {
			l.add("min_top_score", false)
		}
		return l.verdict("found", "insufficient"), nil
	}}, nil
}

func hits(r *event.Retrieval) *int64 {
	if r.HitCount == nil && r.Chunks != nil {
		return new(int64(len(r.Chunks)))
	}
	return r.HitCount
}

func topScore(r *event.Retrieval) *float64 {
	if r.TopScore != nil {
		return r.TopScore
	}
	var best *float64
	for i := range r.Chunks {
		if s := r.Chunks[i].Score; s != nil && (best == nil || *s > *best) {
			best = s
		}
	}
	return best
}

// nothingFound reports a search without hits, which has no top score and
// whose best hit is not good enough for any bound.
func nothingFound(r *event.Retrieval) bool {
	h := hits(r)
	return r.TopScore == nil && h != nil && *h == 0
}
