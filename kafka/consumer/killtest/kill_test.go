package killtest

import (
	"syscall"
	"testing"
	"time"
)

// TestKill lets worker B join A, kills A, lets C join, and stops B in good
// order. Every event must be evaluated; only what A had finished and not yet
// committed may be evaluated twice, and nothing because of B's stop.
func TestKill(t *testing.T) {
	t.Parallel()
	// An evaluation takes 47 ms on average, so that a worker with inFlight of them finishes 425
	// in two commit intervals, which a busy machine that commits late repeats: 0.43 % of the
	// events at most. Of 60 000 it would be more than the 0.5 % that are allowed.
	const events = 100_000
	r := newRun(t, events)
	began := time.Now()

	a := r.worker("A")
	r.evaluated(events * 5 / 100)
	b := r.worker("B")
	r.joined("B")
	r.evaluated(events * 35 / 100)
	killed := time.Now()
	a.signal(syscall.SIGKILL)
	r.evaluated(events * 60 / 100)
	c := r.worker("C")
	r.joined("C")
	r.evaluated(events * 75 / 100)
	stopped := time.Now()
	b.signal(syscall.SIGTERM)
	if err := b.wait(); err != nil {
		t.Errorf("B after SIGTERM: %v", err)
	}
	stopTime := time.Since(stopped)
	r.finished()
	took := time.Since(began)
	c.signal(syscall.SIGTERM)
	if err := c.wait(); err != nil {
		t.Errorf("C after SIGTERM: %v", err)
	}

	f := computeFigures(events, r.records(), killed, stopped, 2*configOf(job{}).CommitInterval)
	t.Logf("figures: %d events, %d lost, %d repeated (%.3f %%): %d by the kill (of %d at stake), %d by rebalances, %d by SIGTERM; takeover %.1f s, stop %.1f s, all in %.1f s",
		events, f.lost, f.repeated(), 100*float64(f.repeated())/events, f.byKill, f.atStake, f.byRebalance, f.byStop,
		f.takeover.Seconds(), stopTime.Seconds(), took.Seconds())
	if f.lost > 0 {
		t.Errorf("%d events were never evaluated", f.lost)
	}
	if f.byKill > f.atStake {
		t.Errorf("the kill repeated %d events, more than the %d that A finished in its last two commit intervals", f.byKill, f.atStake)
	}
	if f.byStop > 0 {
		t.Errorf("SIGTERM repeated %d events", f.byStop)
	}
	if f.repeated()*200 > events {
		t.Errorf("%d events repeated, more than 0.5 %%", f.repeated())
	}
}
