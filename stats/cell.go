package stats

import "math"

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

	// Units counts the traces or sessions that the verdicts with a weight come from,
	// PassUnits and FailUnits those with a pass and with a fail among them.
	Units     int64 `json:"units"`
	PassUnits int64 `json:"pass_units"`
	FailUnits int64 `json:"fail_units"`
	// Sums over the units, with W and P for a unit's own sums of w and of w over its
	// passes: of W*W, of W*P and of P*P.
	UnitWeightSquared     float64 `json:"unit_weight_squared"`
	UnitWeightPass        float64 `json:"unit_weight_pass"`
	UnitPassWeightSquared float64 `json:"unit_pass_weight_squared"`

	// Strata are the events and verdicts by their probability.
	Strata Strata `json:"strata"`

	// First and Last are the times of the earliest and the latest event, in milliseconds
	// since 1970; 0 when they are not known. They order versions.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// minProbability keeps the sums finite. A smaller probability is a mistake, not a
// sampling rate.
const minProbability = 1e-100

// Add counts one verdict that was sampled with probability p, in (0,1], and is a
// unit of its own. A decided verdict with any other p is counted in Unweighted. An
// unknown outcome counts as an error, so that it cannot count as a pass.
func (c *Cell) Add(o Outcome, p float64) {
	var u unit
	u.add(o, c.count(o, p))
	c.close(u)
}

// count adds one verdict to all but the sums over units, and returns its weight; 0
// when it has none.
func (c *Cell) count(o Outcome, p float64) (weight float64) {
	known := p >= minProbability && p <= 1
	switch o {
	case Pass:
		c.Passes++
	case Fail:
		c.Fails++
	case NotApplicable, CannotJudge:
		if o == NotApplicable {
			c.NotApplicable++
		} else {
			c.CannotJudge++
		}
		if known {
			c.Strata.at(p).Sampled++
		}
		return 0
	default:
		c.Errors++
		return 0
	}
	if !known {
		c.Unweighted++
		return 0
	}
	stratum := c.Strata.at(p)
	stratum.Sampled++
	stratum.Decided++
	w := 1 / p
	c.Weight += w
	c.WeightSquared += w * w
	if o == Pass {
		c.PassWeight += w
		c.PassWeightSquared += w * w
	}
	return w
}

// Expect counts one event that the evaluator could have run on, sampled or not, with the
// probability p of being sampled, in (0,1]. Any other p is ignored. Where all events
// are counted, [Cell.Unseen] knows those that no verdict stands for.
func (c *Cell) Expect(p float64) { c.expect(p, 1) }

// expect counts an event that stands for so many.
func (c *Cell) expect(p, events float64) {
	if p >= minProbability && p <= 1 && events >= 1 && events <= 1/minProbability {
		c.Strata.at(p).Events += events
	}
}

// Unseen returns the share of the events, in [0,1], that no decided verdict stands for,
// because all events that were sampled with such a probability were left out. Of events
// with verdicts that are all undecided it is the upper bound of J. A. Hanley and
// A. Lippman-Hand (1983). It is 0 when [Cell.Expect] was never called: then that share is not known.
func (c Cell) Unseen() float64 { return c.Strata.unseen() }

// unit is the part of a trace or a session that one cell holds: its sums of w, over
// all decided verdicts and over the passes.
type unit struct{ weight, passWeight float64 }

func (u *unit) add(o Outcome, weight float64) {
	u.weight += weight
	if o == Pass {
		u.passWeight += weight
	}
}

// close adds a unit to the sums over units.
func (c *Cell) close(u unit) {
	if u.weight <= 0 {
		return
	}
	c.Units++
	if u.passWeight > 0 {
		c.PassUnits++
	}
	if u.passWeight < u.weight {
		c.FailUnits++
	}
	c.UnitWeightSquared += u.weight * u.weight
	c.UnitWeightPass += u.weight * u.passWeight
	c.UnitPassWeightSquared += u.passWeight * u.passWeight
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
	c.Units += d.Units
	c.PassUnits += d.PassUnits
	c.FailUnits += d.FailUnits
	c.UnitWeightSquared += d.UnitWeightSquared
	c.UnitWeightPass += d.UnitWeightPass
	c.UnitPassWeightSquared += d.UnitPassWeightSquared
	c.Strata.merge(&d.Strata)
	c.saw(d.First, d.Last)
}

// saw notes the times of the earliest and the latest of some events; 0 is not known.
func (c *Cell) saw(first, last int64) {
	if c.First == 0 || first != 0 && first < c.First {
		c.First = first
	}
	c.Last = max(c.Last, last)
}

// Count returns the number of verdicts of all outcomes.
func (c Cell) Count() int64 {
	return c.Errors + c.Passes + c.Fails + c.NotApplicable + c.CannotJudge
}

// Decided returns the number of verdicts that enter the rate.
func (c Cell) Decided() int64 { return c.Passes + c.Fails - c.Unweighted }

// valid reports whether a series of verdicts could have produced the numbers.
func (c Cell) valid() bool {
	for _, n := range []int64{c.Errors, c.Passes, c.Fails, c.NotApplicable, c.CannotJudge, c.Unweighted, c.Decided(), c.Units, c.PassUnits, c.FailUnits, c.First, c.Last} {
		if n < 0 || n > 1<<53 {
			return false
		}
	}
	for _, s := range []float64{c.Weight, c.WeightSquared, c.PassWeight, c.PassWeightSquared, c.UnitWeightSquared, c.UnitWeightPass, c.UnitPassWeightSquared} {
		if s < 0 || math.IsInf(s, 0) || math.IsNaN(s) {
			return false
		}
	}
	decided := float64(c.Decided())
	if !c.Strata.valid(c.Decided()) {
		return false
	}
	if decided == 0 {
		return c == Cell{
			Errors: c.Errors, Passes: c.Passes, Fails: c.Fails, NotApplicable: c.NotApplicable,
			CannotJudge: c.CannotJudge, Unweighted: c.Unweighted, Strata: c.Strata, First: c.First, Last: c.Last,
		}
	}
	const slack = 1 + 1e-6 // sums are rounded
	mean := c.Weight / decided
	return mean*slack >= 1 && mean <= c.WeightSquared/c.Weight*slack && // by Cauchy and Schwarz
		c.PassWeight <= c.Weight*slack && c.PassWeightSquared <= c.WeightSquared*slack &&
		c.Units > 0 && c.Units <= c.Decided() && max(c.PassUnits, c.FailUnits) <= c.Units && c.PassUnits+c.FailUnits >= c.Units &&
		c.WeightSquared <= c.UnitWeightSquared*slack && c.UnitWeightSquared <= c.Weight*c.Weight*slack &&
		c.UnitPassWeightSquared <= c.UnitWeightPass*slack && c.UnitWeightPass <= c.UnitWeightSquared*slack
}
