package validators

import (
	"context"
	"math"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildRetrieval builds a validator of the search: at least min_hits hits, and the
// best of them at least min_top_score. Without either bound it asks for one hit.
// Where the event lacks the number of hits or the top score, they are taken from
// the chunks.
func buildRetrieval(b *builder) answer {
	minHits, minScore := b.MinHits, b.MinTopScore
	if minHits != nil && *minHits < 1 {
		b.faults.Add("min_hits", "is below 1", "want 1 or more")
	}
	if minScore != nil && (math.IsNaN(*minScore) || math.IsInf(*minScore, 0)) {
		b.faults.Add("min_top_score", "is not a finite number", "want a score on the scale of the index")
	}
	if minHits == nil && minScore == nil {
		minHits = new(int64(1))
	}
	return func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		r := e.Retrieval
		if r == nil {
			return eval.NotApplicable("retrieval"), nil
		}
		var l limits
		hits := r.HitCount
		if hits == nil && r.Chunks != nil {
			hits = new(int64(len(r.Chunks)))
		}
		l.atLeast("min_hits", "retrieval.hit_count", asFloat(hits), asFloat(minHits))
		if minScore != nil && r.TopScore == nil && hits != nil && *hits == 0 {
			l.add("min_top_score", false) // nothing was found, which is not good enough for any bound
		} else {
			l.atLeast("min_top_score", "retrieval.top_score", topScore(r), minScore)
		}
		return l.verdict("found", "insufficient"), nil
	}
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
