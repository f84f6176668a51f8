package app_test

import (
	"fmt"
	"testing"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// TestOneSlowEventIsOneUnfinished: behind one slow judge evalworker.lag counts every
// message after the committed offset, as Kafka's own tools do, and
// evalworker.unfinished the one event that is not done; of events without an end there is
// none.
func TestOneSlowEventIsOneUnfinished(t *testing.T) {
	const n = 20
	g := &gate{asked: make(chan struct{}, 1), open: make(chan struct{})}
	w := newWorld(t, func(r modelserver.Request) modelserver.Reply {
		select {
		case g.asked <- struct{}{}: // the first call
			<-g.open
		default:
		}
		return passing(r)
	}).withTelemetry()
	k := w.start(w.load(w.configure(judgePolicy)))
	t.Cleanup(g.release) // before the model and the worker are waited for
	events := numbered("event", n, "an answer")
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
