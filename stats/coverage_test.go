package stats_test

import (
	"math/rand/v2"
	"testing"

	"github.com/evalworker/evalworker/stats"
)

// stratum is the traffic of one sampling rule.
type stratum struct {
	share       float64 // of all events
	fails       float64 // probability of a failure
	probability float64 // of being sampled
}

// sample draws events and adds those that are sampled.
func sample(r *rand.Rand, events int, strata []stratum) stats.Cell {
	var c stats.Cell
	for range events {
		u, s := r.Float64(), strata[len(strata)-1]
		for _, candidate := range strata {
			if u < candidate.share {
				s = candidate
				break
			}
			u -= candidate.share
		}
		failed := r.Float64() < s.fails
		switch {
		case r.Float64() >= s.probability:
		case failed:
			c.Add(stats.Fail, s.probability)
		default:
			c.Add(stats.Pass, s.probability)
		}
	}
	return c
}

// TestIntervalsHoldWhateverTheSamplingRules: the interval contains the true rate about as often as it promises,
// or a little more often, however sampling rules and failures are related.
func TestIntervalsHoldWhateverTheSamplingRules(t *testing.T) {
	t.Parallel()
	const runs = 2000
	for i, tt := range []struct {
		name     string
		events   int
		strata   []stratum
		low, top float64
	}{
		{"everything seen", 400, []stratum{{1, 0.05, 1}}, 0.94, 0.97},
		{"one rate", 4000, []stratum{{1, 0.10, 0.1}}, 0.935, 0.975},
		{"rare failures", 700, []stratum{{1, 0.011, 1}}, 0.935, 0.985},
		{"two rates, failing alike", 2000, []stratum{{0.1, 0.1, 1}, {0.9, 0.1, 0.2}}, 0.935, 0.97},
		{"unhappy users all kept", 8000, []stratum{{0.03, 0.6, 1}, {0.97, 0.05, 0.05}}, 0.93, 0.99},
		{"a quiet tenant all kept", 8000, []stratum{{0.5, 0.002, 1}, {0.5, 0.05, 0.05}}, 0.925, 0.99},
		{"five rates", 5000, []stratum{{0.2, 0.3, 1}, {0.2, 0.2, 0.5}, {0.2, 0.1, 0.25}, {0.2, 0.05, 0.1}, {0.2, 0.1, 0.05}}, 0.93, 0.99},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(11, uint64(i)))
			var truth float64
			for _, s := range tt.strata {
				truth += s.share * (1 - s.fails)
			}
			var held, mean float64
			for range runs {
				rate, low, high, ok := sample(r, tt.events, tt.strata).PassRate()
				if !ok {
					t.Fatal("no rate")
				}
				mean += rate / runs
				if low <= truth && truth <= high {
					held += 1.0 / runs
				}
			}
			t.Logf("coverage %.3f, mean rate %.4f, truth %.4f", held, mean, truth)
			if held < tt.low || held > tt.top {
				t.Errorf("coverage %.3f, want from %.3f to %.3f", held, tt.low, tt.top)
			}
			if !near(mean, truth, 0.004) {
				t.Errorf("mean estimate %.4f of the rate %.4f: biased", mean, truth)
			}
		})
	}
}
