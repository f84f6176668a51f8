package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Outcome is how one evaluation ended. The numbers equal those of the outcomes in
// package eval, which this package does not import, so a conversion is enough.
type Outcome uint8

// The five outcomes. Only Pass and Fail are decided and enter a rate.
const (
	Error Outcome = iota
	Pass
	Fail
	NotApplicable
	CannotJudge
)

// Cell holds the sufficient statistics of a series of verdicts. The zero value is
// an empty series. A cell has no lock: its owner guards it, as [Table] does.
type Cell struct {
	// Counts of verdicts by outcome, unweighted.
	Errors        int64 `json:"errors"`
	Passes        int64 `json:"passes"`
	Fails         int64 `json:"fails"`
	NotApplicable int64 `json:"not_applicable"`
	CannotJudge   int64 `json:"cannot_judge"`
	// Unweighted counts the decided verdicts without a usable probability. They are
	// in Passes and Fails, but not in the sums and the rate.
	Unweighted int64 `json:"unweighted"`

	// Sums over the decided verdicts, with w = 1/p: of w, of w*w, and of both over
	// only the passes.
	Weight            float64 `json:"weight"`
	WeightSquared     float64 `json:"weight_squared"`
	PassWeight        float64 `json:"pass_weight"`
	PassWeightSquared float64 `json:"pass_weight_squared"`
}

// minProbability keeps the sums finite. A smaller probability is a mistake, not a
// sampling rate.
const minProbability = 1e-100

// Add counts one verdict that was sampled with probability p, in (0,1]. A
// decided verdict with any other p is counted in Unweighted. An unknown outcome
// counts as an error, so that it cannot count as a pass.
func (c *Cell) Add(o Outcome, p float64) {
	switch o {
	case Pass:
		c.Passes++
	case Fail:
		c.Fails++
	case NotApplicable:
		c.NotApplicable++
		return
	case CannotJudge:
		c.CannotJudge++
		return
	default:
		c.Errors++
		return
	}
	if !(p >= minProbability && p <= 1) {
		c.Unweighted++
		return
	}
	w := 1 / p
	c.Weight += w
	c.WeightSquared += w * w
	if o == Pass {
		c.PassWeight += w
		c.PassWeightSquared += w * w
	}
}

// Merge adds the verdicts of another cell.
func (c *Cell) Merge(d Cell) {
	c.Errors += d.Errors
	c.Passes += d.Passes
	c.Fails += d.Fails
	c.NotApplicable += d.NotApplicable
	c.CannotJudge += d.CannotJudge
	c.Unweighted += d.Unweighted
	c.Weight += d.Weight
	c.WeightSquared += d.WeightSquared
	c.PassWeight += d.PassWeight
	c.PassWeightSquared += d.PassWeightSquared
}

// Count returns the number of verdicts of all outcomes.
func (c Cell) Count() int64 {
	return c.Errors + c.Passes + c.Fails + c.NotApplicable + c.CannotJudge
}

// Decided returns the number of verdicts that enter the rate.
func (c Cell) Decided() int64 { return c.Passes + c.Fails - c.Unweighted }

// PassRate estimates the share of passes among all events that could be decided,
// with a 95 % interval. It reports false without a weighted verdict.
//
// The rate is the Hajek estimate. The interval is Wilson's score interval
// (E. B. Wilson, 1927), which holds for rates near 0 and 1, where failures are
// rare, with n = EffectiveSize:
//
//	(r + z*z/(2n) +- z * sqrt(r(1-r)/n + z*z/(4n*n))) / (1 + z*z/n)
func (c Cell) PassRate() (rate, low, high float64, ok bool) {
	if c.Weight <= 0 {
		return 0, 0, 0, false
	}
	rate = c.rate()
	low, high = wilson(rate, c.EffectiveSize())
	return rate, low, high, true
}

// EffectiveSize returns the number of equally weighted verdicts with as much
// information about the pass rate as these; 0 when there are none.
//
// It starts from sum(w)^2 / sum(w*w) (L. Kish, Survey Sampling, 1965), which
// assumes that weights and outcomes are independent. Rules that keep all of some
// traffic and little of the rest break that assumption. Where the linearised
// variance of the Hajek estimate,
//
//	V = sum(w*w * (y-r)^2) / sum(w)^2,
//
// is larger than Kish's size implies, the size is r(1-r)/V instead, as V implies.
// It is the smaller of the two, because V alone, estimated from a handful of
// failures, is sometimes far too small.
func (c Cell) EffectiveSize() float64 {
	if c.Weight <= 0 {
		return 0
	}
	return c.kish() / max(1, c.inflation())
}

func (c Cell) rate() float64 { return min(max(c.PassWeight/c.Weight, 0), 1) }

func (c Cell) kish() float64 { return c.Weight * c.Weight / c.WeightSquared }

// variances returns V, and the value of V if weights and outcomes were independent,
// both times sum(w)^2.
func (c Cell) variances() (actual, independent float64) {
	r := c.rate()
	fails := max(c.WeightSquared-c.PassWeightSquared, 0)
	return c.PassWeightSquared*(1-r)*(1-r) + fails*r*r, r * (1 - r) * c.WeightSquared
}

// inflation returns the ratio of the two variances; 1 when it cannot be estimated.
func (c Cell) inflation() float64 {
	actual, independent := c.variances()
	if independent <= 0 {
		return 1
	}
	return actual / independent
}

// valid reports whether a series of verdicts could have produced the numbers.
func (c Cell) valid() bool {
	for _, n := range []int64{c.Errors, c.Passes, c.Fails, c.NotApplicable, c.CannotJudge, c.Unweighted, c.Decided()} {
		if n < 0 || n > 1<<53 {
			return false
		}
	}
	for _, s := range []float64{c.Weight, c.WeightSquared, c.PassWeight, c.PassWeightSquared} {
		if s < 0 || math.IsInf(s, 0) || math.IsNaN(s) {
			return false
		}
	}
	decided := float64(c.Decided())
	if decided == 0 {
		return c.Weight == 0 && c.WeightSquared == 0 && c.PassWeight == 0 && c.PassWeightSquared == 0
	}
	const slack = 1 + 1e-6 // sums are rounded
	mean := c.Weight / decided
	return mean*slack >= 1 && mean <= c.WeightSquared/c.Weight*slack && // by Cauchy and Schwarz
		c.PassWeight <= c.Weight*slack && c.PassWeightSquared <= c.WeightSquared*slack
}

// confidence is the two-sided confidence of all intervals.
const confidence = 0.95

// z returns the normal quantile for confidence: 1.95996.
func z() float64 { return mathext.NormalQuantile(1 - (1-confidence)/2) }

// wilson returns the score interval of a rate seen in n trials; n need not be whole.
func wilson(rate, n float64) (low, high float64) {
	z2 := z() * z()
	center := (rate + z2/(2*n)) / (1 + z2/n)
	half := math.Sqrt(z2) / (1 + z2/n) * math.Sqrt(rate*(1-rate)/n+z2/(4*n*n))
	// At the edges the formula yields 0 and 1, except for rounding.
	return min(max(center-half, 0), rate), max(min(center+half, 1), rate)
}

// Difference estimates the pass rate of a minus the pass rate of b, with a 95 %
// interval from both Wilson intervals (R. G. Newcombe, 1998, method 10). It reports
// false when either is unknown.
func Difference(a, b Cell) (difference, low, high float64, ok bool) {
	ra, lowA, highA, okA := a.PassRate()
	rb, lowB, highB, okB := b.PassRate()
	if !okA || !okB {
		return 0, 0, 0, false
	}
	difference = ra - rb
	return difference, difference - math.Hypot(ra-lowA, highB-rb), difference + math.Hypot(highA-ra, rb-lowB), true
}
