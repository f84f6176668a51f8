package stats

import (
	"encoding/json"
	"fmt"
	"math"
)

// numStrata bounds the strata of a cell. The last one holds all smaller probabilities,
// down to the smallest rate of a sampling policy, 1e-9.
const numStrata = 31

// Strata are the events of a cell by their probability of being sampled: the one at
// index i holds those with a probability above 2^-(i+1), up to 2^-i.
//
// They tell what the weights of verdicts cannot: that a part of the events has no verdict
// at all. Nothing is missing from a sample of 20 verdicts with weight 1, unless 980
// other events were sampled with a probability of 0.001 and none of them was drawn.
type Strata [numStrata]Stratum

// Stratum counts the events that were sampled with nearly the same probability.
type Stratum struct {
	// Events are those that the evaluator could have run on, sampled or not; 0 when that
	// is not known.
	Events float64 `json:"events"`
	// Sampled counts the verdicts of them that are no errors, Decided those that are
	// pass or fail.
	Sampled int64 `json:"sampled"`
	Decided int64 `json:"decided"`
}

// at returns the stratum of a probability.
func (s *Strata) at(p float64) *Stratum {
	fraction, exponent := math.Frexp(p) // from 0.5 on, below 1
	if fraction == 0.5 {
		exponent--
	}
	return &s[min(max(-exponent, 0), numStrata-1)]
}

func (s *Strata) merge(o *Strata) {
	for i := range s {
		s[i].Events += o[i].Events
		s[i].Sampled += o[i].Sampled
		s[i].Decided += o[i].Decided
	}
}

// unseen returns the share of the events that no decided verdict stands for; 0 when the
// number of events is not known.
//
// A stratum with a decided verdict is seen: its verdicts represent its other events, and
// how well they do is a matter of the effective size. Of a stratum with verdicts that
// are all undecided, as many other events count as unseen as could be decided at most,
// with a confidence of 95 %: a share of 1 - 0.05^(1/n), which is about 3/n (J. A. Hanley
// and A. Lippman-Hand, 1983).
func (s *Strata) unseen() float64 {
	var seen, unseen float64
	for _, one := range s {
		if one.Decided > 0 {
			seen += max(one.Events, float64(one.Sampled)) * float64(one.Decided) / float64(one.Sampled)
			continue
		}
		rest := max(0, one.Events-float64(one.Sampled))
		if one.Sampled > 0 {
			rest *= 1 - math.Pow(1-confidence, 1/float64(one.Sampled))
		}
		unseen += rest
	}
	if unseen <= 0 {
		return 0
	}
	return unseen / (seen + unseen)
}

// valid reports whether so many decided verdicts could have produced the numbers.
func (s *Strata) valid(decided int64) bool {
	for _, one := range s {
		if !(one.Events >= 0 && one.Events < 1<<53) || one.Decided < 0 || one.Sampled < one.Decided || one.Sampled > 1<<53 || one.Decided > decided {
			return false
		}
		decided -= one.Decided
	}
	return true
}

// jsonStratum is a stratum in JSON, by the largest probability that it holds.
type jsonStratum struct {
	Probability float64 `json:"probability"`
	Stratum
}

// MarshalJSON returns a list of the strata that are not empty.
func (s Strata) MarshalJSON() ([]byte, error) {
	list := []jsonStratum{}
	for i, one := range s {
		if one != (Stratum{}) {
			list = append(list, jsonStratum{math.Ldexp(1, -i), one})
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON replaces the strata by those of a list.
func (s *Strata) UnmarshalJSON(b []byte) error {
	var list []jsonStratum
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*s = Strata{}
	for _, one := range list {
		if !(one.Probability > 0 && one.Probability <= 1) {
			return fmt.Errorf("stratum: probability %g; want one above 0, up to 1", one.Probability)
		}
		at := s.at(one.Probability)
		at.Events += one.Events
		at.Sampled += one.Sampled
		at.Decided += one.Decided
	}
	return nil
}
