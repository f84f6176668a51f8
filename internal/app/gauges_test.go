package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// TestOneSlowEventIsOneUnfinished: behind one slow judge evalworker.lag counts every
// message after the committed offset, as Kafka's own tools do, and
// evalworker.unfinished the one event that is not done; of events without an end there is
// none.
func TestOneSlowEventIsOneUnfinished(t *testing.T) {
	const (
		n    = 20
		slow = "an answer that takes long to judge"
	)
	g := &gate{open: make(chan struct{})}
	w := newWorld(t, func(r modelserver.Request) modelserver.Reply {
		if strings.Contains(r.User, slow) { // also when it is asked again, as after a rebalance
			<-g.open
		}
		return passing(r)
	}).withTelemetry()
	patient := strings.Replace(judgePolicy, "max_attempts: 1", "max_attempts: 1, timeout: 5m", 1) // longer than the test's own
	k := w.start(w.load(w.configure(patient)))
	t.Cleanup(g.release) // before the worker and the model are waited for
	events := numbered("event", n, "an answer")
	events[0].Output = event.Text(slow)
	for i := range events {
		events[i].TraceID = "17" // so that all are in one partition
	}
	w.emit(t.Context(), events[0])
	k.holds(1)
	w.emit(t.Context(), events[1:]...)
	k.consumed(n - 1)
	partition := -1
	for _, p := range k.Status().Consumer.Partitions {
		if p.InFlight == 1 {
			partition = p.Partition
		}
	}
	last := func(name string, tags ...string) float64 {
		if values := w.statsd.Values(name, tags...); len(values) > 0 {
			return values[len(values)-1]
		}
		return -1
	}
	tag := fmt.Sprintf("partition:%d", partition)
	eventually(t, "a lag of all, of which one is unfinished", func() bool {
		return last("evalworker.lag", tag) == n && last("evalworker.unfinished", tag) == 1
	})
	g.release()
	k.halt() // it looks for the last time
	eventually(t, "nothing is unfinished or without an end", func() bool {
		return last("evalworker.lag", tag) == 0 && last("evalworker.unfinished", tag) == 0 && last("evalworker.unaccounted") == 0
	})
}
