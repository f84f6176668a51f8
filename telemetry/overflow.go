package telemetry

import (
	"log/slog"
	"sync/atomic"
)

// overflowEvery is the time in seconds between two lines of the log about one tag or metric.
const overflowEvery = 60 * 60

// overflow counts what was recorded as other, of one tag or metric.
type overflow struct {
	total atomic.Int64

	// Of the queue's goroutine: what of the total has been sent and logged, and from when the
	// log may have another line.
	sent, logged, quiet int64
}

// unsent returns the count since the last call.
func (o *overflow) unsent() int64 {
	total := o.total.Load()
	n := total - o.sent
	o.sent = total
	return n
}

// unlogged returns the count since the last line, when it is time for another one, else 0.
func (o *overflow) unlogged(now int64) int64 {
	n := o.sent - o.logged
	if n == 0 || now < o.quiet {
		return 0
	}
	o.logged, o.quiet = o.sent, now+overflowEvery
	return n
}

// tick moves the clock on, reports what has overflown, and forgets now and then what was not
// used for hours. Only the queue's goroutine calls it, each second.
func (m *meter) tick() {
	now := m.clock.move()
	for _, g := range m.sortedSets {
		m.count(countTagsOverflowed, g.overflow.unsent(), nil, g.key)
		if n := g.overflow.unlogged(now); n > 0 {
			m.log.Warn("metric tag has too many values: more become other",
				slog.String("tag", g.key), slog.Int("max", g.limit), slog.Int64("count", n))
		}
	}
	for f := range m.families() {
		m.count(countSeriesOverflowed, f.overflow.unsent(), nil, f.metric)
		if n := f.overflow.unlogged(now); n > 0 {
			m.log.Warn("metric has too many series: tags of more become other",
				slog.String("metric", f.metric), slog.Int("max", f.most), slog.Int64("count", n))
		}
	}
	if now-m.aged >= ageEvery {
		m.aged = now
		m.age(now)
	}
}

// age forgets what was not used for hours, so that memory and pages stay bounded over
// months, and workers of any age name the same values.
func (m *meter) age(now int64) {
	for _, g := range m.sortedSets {
		g.age(now)
	}
	m.forgetDims(now)
	for f := range m.families() {
		f.age(now)
	}
}

// tagOverflows returns how many values were recorded as other, by tag.
func (m *meter) tagOverflows() map[string]int64 {
	out := map[string]int64{}
	for _, g := range m.sortedSets {
		if n := g.overflow.total.Load(); n > 0 {
			out[g.key] = n
		}
	}
	return out
}

// seriesOverflows returns how many values were recorded with tags other because of the bound of
// series, by metric.
func (m *meter) seriesOverflows() map[string]int64 {
	out := map[string]int64{}
	for f := range m.families() {
		if n := f.overflow.total.Load(); n > 0 {
			out[f.metric] = n
		}
	}
	return out
}
