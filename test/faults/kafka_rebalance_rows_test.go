package faults

import (
	"fmt"
	"time"
)

// rebalanceRows are about workers that join and leave cleanly.
func rebalanceRows() []scenario {
	return []scenario{
		{name: "storm", title: "a worker joins or leaves every 2 s for 60 s", group: groupKafka, run: stormRow},
		{name: "rolling", title: "rolling restart of four workers", group: groupKafka, run: rollingRow},
		{name: "rolling-slow", title: "the same, new ones first, slow answers", group: groupKafka, run: rollingSlowRow},
	}
}

// stormRow lets a worker join or leave every 2 s, beside one that stays, while there
// is always work left.
func stormRow(w *world) {
	const (
		pace, lasts = 2 * time.Second, time.Minute
		backlog     = 4000
	)
	w.begin(8, "stays")
	w.publish(backlog)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var here []*worker
	changes, began := 0, time.Now()
	for ; time.Since(began) < lasts; changes++ {
		if left := len(w.ledger.published) - w.model.answers(); left < backlog {
			w.publish(backlog - left)
		}
		<-tick.C
		if len(here) < 1+changes%2 {
			here = append(here, w.start(fmt.Sprintf("visitor%d", changes)))
			continue
		}
		here[0].terminate()
		here = here[1:]
	}
	ended := time.Now()
	w.note("%d changes, %.0f events/s; a partition stood still for %.1f s at most",
		changes, float64(w.model.answers())/ended.Sub(began).Seconds(), w.standstill(began, ended).Seconds())
	w.bound(changes >= 20, "only %d changes", changes)
	w.finish()
	w.bound(w.row.repeated*200 <= w.row.in, "%d repeated, more than 0.5 %%", w.row.repeated)
}

// rollingRow restarts four workers one after the other, each successor starting when
// its predecessor is gone.
func rollingRow(w *world) {
	w.kafkaConfig(16)
	w.roll(evenLatency, 16, func(name string) {
		w.workers[name].stop()
		w.ready(name + "2")
	})
	w.nothingRepeated()
}

// rollingSlowRow starts each successor before its predecessor stops, which makes two
// rebalances per worker. Answers take longer than a rebalance waits for them, so work
// on partitions that move is given up. What finishes between the last accepted commit
// and the news that the partition is gone is repeated.
func rollingSlowRow(w *world) {
	w.kafkaConfig(64)
	w.roll(slowLatency, 64, func(name string) {
		w.ready(name + "2")
		w.workers[name].stop()
	})
	w.bound(w.row.repeated*200 <= w.row.in, "%d repeated, more than 0.5 %%", w.row.repeated)
}

// ready starts a worker and waits until it is ready.
func (w *world) ready(name string) {
	w.t.Helper()
	w.eventually(name+" is ready", w.start(name).ready)
}

// roll replaces four workers under load, with a pause after each, and compares
// the throughput with that before.
func (w *world) roll(latency func(id string) time.Duration, inFlight int, replace func(name string)) {
	w.t.Helper()
	const undisturbed = 10 * time.Second
	names := []string{"A", "B", "C", "D"}
	w.model.script(withLatency(latency))
	w.begin(8, names...)
	w.publish(backlogOf(latency, len(names)*inFlight, time.Minute))
	w.answered(len(names) * inFlight)
	rate := func(since time.Time, answers int) float64 {
		return float64(w.model.answers()-answers) / time.Since(since).Seconds()
	}
	began, answers := time.Now(), w.model.answers()
	w.lasting(undisturbed)
	before := rate(began, answers)

	began, answers = time.Now(), w.model.answers()
	for _, name := range names {
		replace(name)
		w.lasting(minReady)
	}
	during := rate(began, answers)
	for _, name := range names {
		w.row.recover = max(w.row.recover, w.resumed(w.workers[name].exited, name))
	}
	w.note("%.0f %% of %.0f events/s", 100*during/before, before)
	w.within(w.row.recover, takeOverAfterStop, "taken over %.1f s after an exit")
	w.bound(during >= 0.7*before, "%.0f of %.0f events/s", during, before)
	w.finish()
}

// backlogOf returns how many events keep so many places busy for a while.
func backlogOf(latency func(id string) time.Duration, places int, d time.Duration) int {
	const sample = 1000
	var sum time.Duration
	for i := range sample {
		sum += latency(idNumber(i + 1))
	}
	return places * int(d/(sum/sample))
}

// minReady is how long a rollout waits after a new worker is ready: minReadySeconds
// of a Deployment.
const minReady = 5 * time.Second
