package faults

import (
	"slices"
	"time"
)

// resumed waits until workers other than those named consume every partition
// that had work left at the given time, and returns how long that took.
func (w *world) resumed(since time.Time, except ...string) time.Duration {
	w.t.Helper()
	return w.reached(w.ledger.published, since, except...)
}

// reached is resumed for some of the events.
func (w *world) reached(ids []string, since time.Time, except ...string) time.Duration {
	w.t.Helper()
	w.readTopic()
	all := map[int]bool{}
	for _, id := range ids {
		if !w.ledger.broken[id] {
			all[w.ledger.partition[id]] = true
		}
	}
	var waiting map[int]bool // partitions with work that no worker had begun
	var first map[int]time.Time
	w.eventually("all partitions are consumed again", func() bool {
		waiting, first = w.firstCalls(ids, since, except)
		for p := range waiting {
			if first[p].IsZero() {
				return false
			}
		}
		return true
	})
	w.bound(2*len(waiting) >= len(all), "work was left on %d of %d partitions only", len(waiting), len(all))
	var took time.Duration
	for p := range waiting {
		took = max(took, first[p].Sub(since))
	}
	return took
}

// firstCalls returns the partitions on which events had not been begun at the
// given time, and when the first question about each came after that.
func (w *world) firstCalls(ids []string, since time.Time, except []string) (waiting map[int]bool, first map[int]time.Time) {
	begun := map[string]bool{} // and ended
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = !w.ledger.broken[id]
	}
	waiting, first = map[int]bool{}, map[int]time.Time{}
	for _, c := range w.model.log() {
		if c.begun.Before(since) {
			begun[c.id] = begun[c.id] || !c.answered.IsZero()
			continue
		}
		p, known := w.ledger.partition[c.id]
		if !known || !wanted[c.id] || slices.Contains(except, c.worker) {
			continue
		}
		if at, ok := first[p]; !ok || c.begun.Before(at) {
			first[p] = c.begun
		}
	}
	for id, want := range wanted {
		if want && !begun[id] {
			waiting[w.ledger.partition[id]] = true
		}
	}
	return waiting, first
}

// standstill returns the longest time within a span in which a partition had no
// event begun.
func (w *world) standstill(from, to time.Time) time.Duration {
	w.t.Helper()
	w.readTopic()
	begun := map[int][]time.Time{}
	for _, c := range w.model.log() {
		if p, known := w.ledger.partition[c.id]; known && c.begun.After(from) && c.begun.Before(to) {
			begun[p] = append(begun[p], c.begun)
		}
	}
	var longest time.Duration
	for _, times := range begun {
		slices.SortFunc(times, time.Time.Compare)
		last := from
		for _, at := range append(times, to) {
			longest = max(longest, at.Sub(last))
			last = at
		}
	}
	return longest
}

// atStake counts the events that a worker evaluated in the last while before a time.
func (w *world) atStake(worker string, until time.Time, last time.Duration) int {
	n := 0
	for _, c := range w.model.log() {
		if c.worker == worker && !c.answered.IsZero() && c.answered.After(until.Add(-last)) {
			n++
		}
	}
	return n
}

// finished counts the events that workers evaluated between two times.
func (w *world) finished(from, to time.Time, workers ...string) int {
	n := 0
	for _, c := range w.model.log() {
		if slices.Contains(workers, c.worker) && c.answered.After(from) && c.answered.Before(to) {
			n++
		}
	}
	return n
}
