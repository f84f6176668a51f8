package killtest

import (
	"fmt"
	"syscall"
	"testing"
)

// TestStorm lets workers come and go all the time, each in good order, beside one that
// stays. Nothing may be lost, and next to nothing done twice: what is in flight on a
// partition that moves is cancelled.
func TestStorm(t *testing.T) {
	t.Parallel()
	const events, visits = 20_000, 6
	r := newRun(t, events)
	stays := r.worker("stays")
	r.joined("stays")
	for i := range visits {
		name := fmt.Sprint("visitor", i)
		w := r.worker(name)
		r.joined(name)
		w.signal(syscall.SIGTERM)
		if err := w.wait(); err != nil {
			t.Errorf("%s after SIGTERM: %v", name, err)
		}
	}
	r.finished()
	stays.signal(syscall.SIGTERM)
	if err := stays.wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	lost, repeated := count(events, r.records())
	t.Logf("figures: %d events, %d visits, %d lost, %d repeated", events, visits, lost, repeated)
	if lost > 0 {
		t.Errorf("%d events were never evaluated", lost)
	}
	if repeated*200 > events {
		t.Errorf("%d events repeated, more than 0.5 %%", repeated)
	}
}
