package telemetry

import (
	"log/slog"
	"slices"
	"time"

	"github.com/evalworker/evalworker/internal/outage"
)

// losses tells the log what spans and metrics are lost, from our own counts: the metric
// that counts them goes the way of all others. It belongs to one goroutine.
type losses struct {
	log *slog.Logger

	untold []Drop    // since the last line
	since  time.Time // of the first loss of a row; zero: nothing is lost
	latest time.Time // loss
	told   time.Time // when the last line was written
}

// note takes what was lost since the last call, and writes a line at the first loss, then
// once a minute as long as there are more, and one when a minute has passed without any.
func (l *losses) note(lost []Drop) {
	now := time.Now()
	for _, d := range lost {
		if d.Sink == SinkLLMObs { // has a line of its own, which says why
			continue
		}
		if l.since.IsZero() {
			l.since = now
		}
		l.latest = now
		i := slices.IndexFunc(l.untold, func(u Drop) bool { return u.Sink == d.Sink && u.Reason == d.Reason })
		if i < 0 {
			l.untold = append(l.untold, d)
		} else {
			l.untold[i].Count += d.Count
		}
	}
	switch {
	case len(l.untold) > 0 && now.Sub(l.told) >= outage.Interval:
		l.tell(now)
	case !l.since.IsZero() && now.Sub(l.latest) >= outage.Interval:
		l.log.Info("spans and metrics are complete again", "after", l.latest.Sub(l.since).Round(time.Second).String())
		l.since = time.Time{}
	}
}

// end writes what no line has told yet.
func (l *losses) end() {
	if len(l.untold) > 0 {
		l.tell(time.Now())
	}
}

func (l *losses) tell(now time.Time) {
	counts := make([]any, 0, len(l.untold))
	for _, d := range l.untold {
		counts = append(counts, slog.Int64(d.Sink+"."+d.Reason, d.Count))
	}
	l.log.Warn("spans and metrics are lost", slog.Group("lost", counts...), "since", l.since.UTC())
	l.untold, l.told = nil, now
}
