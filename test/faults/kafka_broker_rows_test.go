package faults

import (
	"context"
	"time"
)

// brokerRows are about a broker that goes down and comes back.
func brokerRows() []scenario {
	return []scenario{
		{name: "broker-kill", title: "broker SIGKILL and restart", group: groupKafka, ci: true, run: brokerKillRow},
		{name: "broker-pause", title: "broker paused for 30 s", group: groupKafka, run: brokerPauseRow},
		{name: "pause-sigterm", title: "broker paused while a worker gets SIGTERM", group: groupKafka, run: pauseSigtermRow},
	}
}

// backLimit is how soon workers must consume again when a broker is back.
const backLimit = 30 * time.Second

// noAnswer is what workers say of a broker that is silent.
const noAnswer = "no answer in time"

// pause freezes the broker, and makes sure that the next row finds it running.
func (w *world) pause() {
	w.t.Helper()
	w.must(w.kafka.Pause(w.t.Context()))
	w.t.Cleanup(func() { _ = w.kafka.Unpause(context.WithoutCancel(w.t.Context())) }) // usually it is already
}

// brokerKillRow kills the broker of two workers and starts it again.
func brokerKillRow(w *world) {
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	a := w.workers["A"]
	a.fault()
	w.must(w.kafka.Kill(w.t.Context()))
	killed := time.Now()
	w.tells(a, w.kafka.Addr(), w.kafka.Addr())
	w.must(w.kafka.Start(w.t.Context()))
	back := time.Now()
	w.row.recover = w.resumed(back)
	w.note("away for %.1f s", back.Sub(killed).Seconds())
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// brokerPauseRow hangs the broker for longer than a session lasts.
func brokerPauseRow(w *world) {
	const lasts = 30 * time.Second
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	answers := w.model.answers()
	a := w.workers["A"]
	a.fault()
	w.pause()
	paused := time.Now()
	w.tells(a, noAnswer, noAnswer)
	w.lasting(lasts - time.Since(paused))
	during := w.model.answers() - answers
	w.must(w.kafka.Unpause(w.t.Context()))
	w.row.recover = w.resumed(time.Now())
	w.note("%d evaluated meanwhile", during)
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// pauseSigtermRow stops a worker that cannot commit what it has finished since the
// broker fell silent, and resumes the broker well within the worker's grace.
func pauseSigtermRow(w *world) {
	const silent, lasts = 2 * time.Second, 10 * time.Second
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	a := w.workers["A"]
	w.pause()
	paused := time.Now()
	w.lasting(silent)
	a.terminate()
	w.lasting(lasts - time.Since(paused))
	w.must(w.kafka.Unpause(w.t.Context()))
	back := time.Now()
	w.row.recover = w.resumed(back, "A")
	a.stop()
	stake := w.atStake("A", back, back.Sub(paused))
	w.note("A finished %d in the pause", stake)
	w.finish()
	w.bound(stake > 0, "the worker finished nothing while the broker was paused")
	w.bound(w.row.repeated*20 < w.row.in, "%d repeated, 5 %% or more", w.row.repeated)
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}
