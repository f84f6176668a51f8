package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// resource is something that a worker may not use more and more of.
type resource struct {
	name         string
	of           func(sample) float64
	perPartition float64
	perVersion   float64 // of the prompt that has a name
	slack        float64
	unit         float64
}

const (
	kb = 1 << 10
	mb = 1 << 20
)

// resources returns what is looked at. A partition is a connection, a goroutine and a
// buffer of 64 KiB (docs/scaling.md), a version some series.
func resources() []resource {
	return []resource{
		{"goroutines", func(s sample) float64 { return s.goroutines }, 1, 0, 10, 1},
		{"descriptors", func(s sample) float64 { return s.files }, 1, 0, 10, 1},
		{"MB of heap", func(s sample) float64 { return s.heap }, 100 * kb, 16 * kb, 3 * mb, mb},
		{"MB resident", func(s sample) float64 { return s.rss }, 200 * kb, 32 * kb, 12 * mb, mb},
	}
}

// growth asserts that workers hold no more in the second half than in the first third,
// but for what partitions and versions explain.
func (c *churn) growth() {
	c.t.Helper()
	c.measured("most resident memory", c.row.rss <= c.memory, "at most "+megabytes(c.memory), "%s", megabytes(c.row.rss))
	for _, name := range churnWorkers {
		early, late := halves(c.watch.samples[name], c.cycles())
		if len(early) == 0 || len(late) == 0 {
			c.measured("growth of "+name, false, "two samples", "%d early and %d late ones", len(early), len(late))
			continue
		}
		more := func(of func(sample) float64) float64 { return median(late, of) - median(early, of) }
		partitions := more(func(s sample) float64 { return s.partitions })
		versions := more(func(s sample) float64 { return s.versions })
		for _, r := range resources() {
			allowed := r.perPartition*partitions + r.perVersion*versions + r.slack
			c.measured("growth of "+name+", "+r.name, more(r.of) <= allowed, fmt.Sprintf("%.1f: %+.1f partitions, %+.0f versions", allowed/r.unit, partitions, versions),
				"%.1f, from %.1f to %.1f", more(r.of)/r.unit, median(early, r.of)/r.unit, median(late, r.of)/r.unit)
		}
		c.t.Logf("worker %s, in quiet moments: %s", name, curve(c.watch.samples[name]))
		c.t.Logf("worker %s, goroutines that were not there in the first quiet moment: %s", name, c.watch.stacks[name][1].more(c.watch.stacks[name][0]))
	}
}

// halves returns the quiet samples of the first third of the cycles and of the second
// half. The first of many cycles is for warming up.
func halves(all []sample, cycles int) (early, late []sample) {
	warm := 0
	if cycles > 5 {
		warm = 1
	}
	for _, s := range all {
		switch {
		case !s.quiet || s.cycle < warm || s.cycle >= cycles:
		case s.cycle < warm+max(1, (cycles-warm)/3):
			early = append(early, s)
		case s.cycle >= cycles-cycles/2:
			late = append(late, s)
		}
	}
	return early, late
}

// median returns the median of what samples hold; 0 for none.
func median(all []sample, of func(sample) float64) float64 {
	if len(all) == 0 {
		return 0
	}
	values := make([]float64, len(all))
	for i, s := range all {
		values[i] = of(s)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// curve prints the medians of each cycle.
func curve(all []sample) string {
	byCycle := map[int][]sample{}
	last := 0
	for _, s := range all {
		if s.quiet {
			byCycle[s.cycle] = append(byCycle[s.cycle], s)
			last = max(last, s.cycle)
		}
	}
	var parts []string
	for n := range last + 1 {
		part := fmt.Sprintf("%.1f partitions, %.0f versions", median(byCycle[n], func(s sample) float64 { return s.partitions }), median(byCycle[n], func(s sample) float64 { return s.versions }))
		for _, r := range resources() {
			part += fmt.Sprintf(", %.1f %s", median(byCycle[n], r.of)/r.unit, r.name)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

func TestHalves(t *testing.T) {
	t.Parallel()
	var all []sample
	for cycle := range 14 { // the last one is after the end
		for _, quiet := range []bool{false, true} {
			all = append(all, sample{cycle: cycle, quiet: quiet, goroutines: float64(cycle)})
		}
	}
	of := func(s sample) float64 { return s.goroutines }
	early, late := halves(all, 13)
	if len(early) != 4 || median(early, of) != 2.5 || len(late) != 6 || median(late, of) != 9.5 {
		t.Errorf("of 13 cycles: %d around %v and %d around %v, want 4 around 2.5 and 6 around 9.5", len(early), median(early, of), len(late), median(late, of))
	}
	early, late = halves(all, 2)
	if len(early) != 1 || early[0].cycle != 0 || len(late) != 1 || late[0].cycle != 1 {
		t.Errorf("of 2 cycles: %v and %v", early, late)
	}
	if median(nil, of) != 0 {
		t.Error("a median of nothing")
	}
}
