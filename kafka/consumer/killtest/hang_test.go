package killtest

import (
	"syscall"
	"testing"
	"time"
)

// TestBrokerHangs stops the broker for longer than a session lasts. Workers may
// only begin new work for as long as MaxCommitOutage allows, because a crash
// would repeat all of it. When the broker is back nothing may be lost, and each
// worker goes on with what it had.
func TestBrokerHangs(t *testing.T) {
	t.Parallel()
	const events = 20_000
	r := newRun(t, events)
	if r.server == nil {
		t.Skip("the broker is not ours to stop")
	}
	r.job.Outage = 2 * time.Second
	workers := []*process{r.worker("A"), r.worker("B")}
	r.joined("A")
	r.joined("B")

	r.server.signal(syscall.SIGSTOP)
	stopped := time.Now()
	const longestHandler = 2 * time.Second
	quiet := stopped.Add(r.job.Outage + longestHandler + time.Second)
	resume := quiet.Add(3 * time.Second)
	<-time.After(time.Until(resume))
	left := events - len(r.lines())
	r.server.signal(syscall.SIGCONT)
	resumed := time.Now()
	r.finished()
	for _, w := range workers {
		w.signal(syscall.SIGTERM)
	}
	for _, w := range workers {
		if err := w.wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	}

	records := r.records()
	during, late := 0, 0
	var recovery time.Duration
	for _, rec := range records {
		switch {
		case rec.at.Before(stopped):
		case rec.at.Before(resumed):
			during++
			if rec.at.After(quiet) {
				late++
			}
		case recovery == 0:
			recovery = rec.at.Sub(resumed)
		}
	}
	lost, repeated := count(events, records)
	t.Logf("figures: %d events, %d lost, %d repeated (%d evaluated while the broker hung), recovery %.1f s",
		events, lost, repeated, during, recovery.Seconds())
	if left < events/10 {
		t.Errorf("only %d events were left to hold back", left)
	}
	if late > 0 {
		t.Errorf("%d events were evaluated although commits had failed for longer than allowed", late)
	}
	if lost > 0 {
		t.Errorf("%d events were never evaluated", lost)
	}
	if repeated*10 > during {
		t.Errorf("%d events repeated, of the %d that could not be committed", repeated, during)
	}
}
