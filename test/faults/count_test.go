package faults

import "fmt"

// settled waits until every event was evaluated, put aside or deleted.
func (w *world) settled() {
	w.t.Helper()
	want := len(w.ledger.published) - len(w.ledger.broken)
	for id := range w.ledger.deleted {
		if !w.ledger.broken[id] {
			want--
		}
	}
	w.eventually(fmt.Sprintf("%d events evaluated", want), func() bool {
		return (w.agent != nil || w.model.answers() >= want) && len(w.evaluations()) >= want
	})
	w.eventually("broken events put aside", func() bool {
		w.readLetters()
		for id := range w.ledger.broken {
			if w.ledger.letters[id] == 0 && !w.ledger.deleted[id] {
				return false
			}
		}
		return true
	})
}

// evaluations counts the answers for each event, or, in worlds with an agent, the
// verdicts that the workers reported.
func (w *world) evaluations() map[string]int {
	out := map[string]int{}
	if w.agent != nil {
		for id, all := range w.verdicts() {
			out[id] = len(all)
		}
		return out
	}
	for _, c := range w.model.log() {
		if !c.answered.IsZero() {
			out[c.id]++
		}
	}
	return out
}

// count fills in the row's numbers.
func (w *world) count() {
	w.t.Helper()
	w.readTopic()
	w.readLetters()
	done := w.evaluations()
	r := &w.row
	r.in = len(w.ledger.published)
	var lost []string
	again := 0
	for _, id := range w.ledger.published {
		evaluated, letters := done[id], w.ledger.letters[id]
		if evaluated > 0 {
			r.evaluated++
		}
		if letters > 0 {
			r.deadLettered++
		}
		if evaluated+letters == 0 && !w.ledger.deleted[id] {
			lost = append(lost, id)
		}
		// An event that the emitter had to send twice is two messages.
		r.repeated += max(evaluated-max(w.ledger.copies[id], 1), 0)
		again += max(letters-max(w.ledger.copies[id], 1), 0)
	}
	if again > 0 { // a letter whose write got no answer is written again; its origin shows it
		w.note("%d dead letters twice", again)
	}
	// A call that a worker gave up, because its partition had moved to another one,
	// costs money too.
	gaveUp := 0
	for _, c := range w.model.log() {
		if k := w.workers[c.worker]; c.answered.IsZero() && k != nil && !k.killed {
			gaveUp++
		}
	}
	if gaveUp > 0 {
		w.note("%d calls given up", gaveUp)
	}
	r.lost = len(lost)
	for _, id := range lost[:min(len(lost), 10)] {
		w.t.Logf("lost: %s, partition %d, offset %d", id, w.ledger.partition[id], w.ledger.offset[id])
	}
	w.explainRepeats()
}

// explainRepeats logs which workers evaluated an event more than once.
func (w *world) explainRepeats() {
	byID := map[string][]call{}
	for _, c := range w.model.log() {
		if !c.answered.IsZero() {
			byID[c.id] = append(byID[c.id], c)
		}
	}
	shown := 0
	for id, calls := range byID {
		if len(calls) <= max(w.ledger.copies[id], 1) || shown == 10 {
			continue
		}
		shown++
		for _, c := range calls {
			w.t.Logf("repeated: %s, partition %d, offset %d: worker %s from %s to %s", id, w.ledger.partition[id], w.ledger.offset[id],
				c.worker, c.begun.Format(clock), c.answered.Format(clock))
		}
	}
}

// clock is the format of times in the log.
const clock = "15:04:05.000"
