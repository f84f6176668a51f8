package faults

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// machineRows are about faults of the worker's own machine, which say nothing about the
// model that it asks.
func machineRows() []scenario {
	return []scenario{
		{name: "descriptors", title: "64 descriptors", group: groupMachine, ci: true, run: descriptorsRow},
		{name: "stopped", title: "SIGSTOP for 30 s with calls in flight", group: groupMachine, run: stoppedRow},
	}
}

// descriptorsRow gives a worker fewer descriptors than it needs: some 30 are left for calls
// of the model. With many more calls in flight than that, some would find none at each of
// their attempts, and end without a verdict.
func descriptorsRow(w *world) {
	const (
		limit    = 64
		inFlight = 48
		events   = 600
	)
	w.wrap = []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, limit), "sh"}
	w.kafkaConfig(inFlight)
	w.model.script(withLatency(func(id string) time.Duration { return 4 * evenLatency(id) }))
	w.allSound = true
	w.begin(8, "A")
	a := w.workers["A"]
	a.fault()
	w.publish(events)
	w.tells(a, "200", "too many open files")
	w.settled()
	w.blameless("A")
	w.finish()
	w.nothingRepeated()
}

// stoppedRow stops one of two workers for longer than its session lasts, and than a call
// may take. The other one takes its partitions over.
func stoppedRow(w *world) {
	const lasts, timeout = 30 * time.Second, 10 * time.Second
	w.config["models"] = strings.Replace(w.config["models"], "max_attempts: 1", "max_attempts: 1, timeout: "+timeout.String(), 1)
	w.model.script(withLatency(slowLatency))
	w.allSound = true
	w.begin(8, "A", "B")
	w.publish(1500)
	w.answered(200)
	a := w.workers["A"]
	a.fault()
	a.signal(syscall.SIGSTOP)
	stopped := time.Now()
	w.row.recover = w.resumed(stopped, "A")
	w.lasting(lasts - time.Since(stopped))
	a.signal(syscall.SIGCONT)
	w.tells(a, "200", "the process did not run for")
	w.joined(8, "A", "B")
	w.publish(500)
	w.settled()
	for _, name := range []string{"A", "B"} {
		w.blameless(name)
	}
	w.finish()
	// What was in flight, and what was not committed, is done by the other one as well. What
	// was in flight is asked once more by the first one, before it learns that it is out.
	stake := w.finished(stopped.Add(-2*commitInterval), stopped, "A") + 2*inFlightDefault
	w.bound(w.row.repeated <= stake, "%d repeated, more than the %d at stake", w.row.repeated, stake)
	w.note("at most %d at stake", stake)
	w.within(w.row.recover, backLimit, "taken over after %.1f s") // its places in flight are taken by slow calls
}

// inFlightDefault is the number of events that a worker of these rows has in flight.
const inFlightDefault = 32

// blameless is the bound of rows in which the model is well: no worker says otherwise.
func (w *world) blameless(worker string) {
	w.t.Helper()
	k := w.workers[worker]
	for _, line := range []string{
		"model is down: judges answer with errors without calling it",
		"evaluations fail: their verdicts are errors, which enter no rate",
	} {
		w.bound(len(k.linesOf(line)) == 0, "worker %s: %s", worker, line)
	}
	s, ok := k.status()
	w.bound(ok, "worker %s has no status", worker)
	for _, m := range s.Models {
		w.bound(m.Breaker == "closed" && m.FailingSince.IsZero(), "worker %s: breaker %s, %s", worker, m.Breaker, m.Error)
	}
}
