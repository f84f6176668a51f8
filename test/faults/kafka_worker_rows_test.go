package faults

import "time"

// workerRows are about the end of one worker.
func workerRows() []scenario {
	return []scenario{
		{name: "sigkill", title: "SIGKILL of a worker", group: groupKafka, ci: true, run: sigkillRow},
		{name: "sigterm", title: "SIGTERM under load", group: groupKafka, ci: true, run: sigtermRow},
	}
}

const (
	// takeOverAfterKill is how soon others consume what a killed worker held: the
	// coordinator must notice its absence first.
	takeOverAfterKill = sessionTimeout + 3*time.Second
	// takeOverAfterStop is the same for a worker that has left the group.
	takeOverAfterStop = 3 * time.Second
	// commitInterval is the default of kafka.commit_interval.
	commitInterval = 100 * time.Millisecond
)

// sigkillRow kills one of two workers. The other repeats what the victim had finished
// and not committed, and nothing else.
func sigkillRow(w *world) {
	w.model.script(withLatency(tailLatency))
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(2000)
	killed := w.workers["A"].kill()
	w.row.recover = w.resumed(killed, "A")
	w.finish()
	stake := w.atStake("A", killed, 2*commitInterval)
	w.note("%d at stake", stake)
	w.bound(stake > 0, "the victim had nothing at stake")
	w.bound(w.row.repeated <= stake, "%d repeated, more than the %d that the victim finished in two commit intervals", w.row.repeated, stake)
	w.within(w.row.recover, takeOverAfterKill, "taken over after %.1f s")
}

// sigtermRow stops one of two workers in the middle of its work.
func sigtermRow(w *world) {
	w.model.script(withLatency(tailLatency))
	w.begin(8, "A", "B")
	w.publish(6000)
	w.answered(1500)
	a := w.workers["A"]
	a.stop()
	w.row.recover = w.resumed(a.exited, "A")
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, takeOverAfterStop, "taken over %.1f s after the exit")
}
