package faults

import (
	"fmt"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// waitRows are about what judges do while their model is down: judges.when_down.
func waitRows() []scenario {
	return []scenario{
		{name: "down-wait", title: "model down for 20 s, judges.when_down: wait", group: groupJudge, run: func(w *world) { modelDownRow(w, true) }},
		{name: "down-error", title: "model down for 20 s, judges.when_down: error", group: groupJudge, run: func(w *world) { modelDownRow(w, false) }},
	}
}

// saidLimit is how soon a worker must say that its model is down: when an evaluation has
// waited in vain, which it does for 5 s at most.
const saidLimit = 10 * time.Second

// modelDownRow cuts all connections to a model under load.
func modelDownRow(w *world, waits bool) {
	const events, lasts = 1000, 20 * time.Second
	front := newFront(w, false)
	w.reportTo()
	w.config["models"] = fmt.Sprintf(`{default: {base_url: "MODEL", api_key: none, requests_per_minute: 0, concurrency: %d}}`, judgesInFlight)
	ready, line := "200", "evaluations fail: their verdicts are errors"
	if waits {
		w.config["judges"] = "{when_down: wait}"
		ready, line = "200 .*events wait for it.*: no answer: the connection was closed; mend ", "model is down: events that need it wait"
	}
	w.begin(8, "A")
	a := w.workers["A"]
	w.publish(events)
	w.answered(events / 10)

	a.fault()
	front.spoils(cut, every)
	began := time.Now()
	w.tells(a, ready, line)
	said := time.Since(began)
	w.note("said after %.1f s", said.Seconds())
	w.within(said, saidLimit, "said after %.1f s")
	w.lasting(lasts - time.Since(began))
	w.note("%d calls meanwhile", front.since(began))
	front.spoils(nil, nil)
	back := time.Now()
	if waits {
		w.row.recover = w.resumed(back)
	} else {
		w.row.recover = w.passes(back)
	}
	w.within(w.row.recover, breakerPause+10*time.Second, "passes again after %.1f s")
	w.settled()
	ends := w.became(w.sound(0))
	w.note("%s", tally(ends))
	if waits {
		w.bound(ends["pass"] == len(w.sound(0)), "%s, of events that could wait", tally(ends))
	} else {
		failed := ends[string(eval.ReasonUnavailable)] + ends[string(eval.ReasonBreakerOpen)]
		w.bound(failed > 0 && failed+ends["pass"] == len(w.sound(0)), "%s", tally(ends))
	}
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
}
