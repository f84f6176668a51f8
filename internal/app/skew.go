package app

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/evalworker/evalworker/sampler"
)

// skews holds what the check of the sampler found last.
type skews struct {
	check sampler.Check // of the goroutine of gauges

	mu    sync.Mutex
	found []sampler.Skew // guarded by mu
}

// now returns what was found last.
func (k *skews) now() []sampler.Skew {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found
}

// look checks a sampler. It returns the skews, those that began since the last look, and
// those of that look that are over.
func (k *skews) look(s *sampler.Sampler) (found, began, over []sampler.Skew) {
	found = k.check.Look(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	began, over = without(found, k.found), without(k.found, found)
	k.found = found
	return found, began, over
}

// without returns the skews of evaluators and rules that have none in other.
func without(skews, other []sampler.Skew) (out []sampler.Skew) {
	type pair struct{ evaluator, rule string }
	there := map[pair]bool{}
	for _, s := range other {
		there[pair{s.Evaluator, s.Rule}] = true
	}
	for _, s := range skews {
		if !there[pair{s.Evaluator, s.Rule}] {
			out = append(out, s)
		}
	}
	return out
}

// maxAlso bounds the further rates that a line about a skew names.
const maxAlso = 10

// checkSampling compares the shares of events that the sampler keeps with its rates. A
// skew is logged when it begins and when it is over; those that begin together for the
// same cause are one line, because one mend is for all of them.
func (a *App) checkSampling(s *sampler.Sampler) {
	found, began, over := a.skews.look(s)
	a.telemetry.SamplerSkewed(len(found))
	for len(began) > 0 {
		s := began[0]
		var also []string
		began = slices.DeleteFunc(began[1:], func(other sampler.Skew) bool {
			same := other.Cause == s.Cause
			if same {
				also = append(also, fmt.Sprintf("evaluator %s by %s: rate %v, share %v", other.Evaluator, other.Rule, other.Rate, other.Share))
			}
			return same
		})
		log := a.log
		if n := len(also); n > maxAlso {
			also = append(also[:maxAlso], fmt.Sprintf("and %d more", n-maxAlso))
		}
		if len(also) > 0 {
			log = log.With(slog.String("also", strings.Join(also, "; ")))
		}
		log.Warn("the sample cannot be trusted", slog.String("evaluator", s.Evaluator), slog.String("rule", s.Rule), slog.Float64("rate", s.Rate),
			slog.Float64("share", s.Share), slog.Int64("events", s.Events), slog.Int("ids_looked_at", s.Looked), slog.Int("ids_distinct", s.Distinct),
			slog.String("problem", s.Problem), slog.String("mend", s.Mend))
	}
	for _, s := range over {
		a.log.Info("the sample can be trusted again, or its rate has changed", slog.String("evaluator", s.Evaluator), slog.String("rule", s.Rule), slog.Float64("rate", s.Rate))
	}
}
