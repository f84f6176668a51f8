package faults

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/eval"
)

// brokenEvery is how often a message is published that is no event, for the
// dead-letter topic.
const brokenEvery = 500

// ledger is what a world has published, and what Kafka holds of it.
type ledger struct {
	published []string         // ids in the order of publishing
	broken    map[string]bool  // of them, those that are no events
	copies    map[string]int   // how often the topic holds or held an id
	partition map[string]int   // where
	offset    map[string]int64 // where the first copy is
	letters   map[string]int   // dead letters by id
	deleted   map[string]bool  // ids that were deleted before anybody read them

	topicRead, lettersRead map[int]int64 // how far
}

func newLedger() ledger {
	return ledger{
		broken: map[string]bool{}, copies: map[string]int{}, partition: map[string]int{}, offset: map[string]int64{},
		letters: map[string]int{}, deleted: map[string]bool{}, topicRead: map[int]int64{}, lettersRead: map[int]int64{},
	}
}

// publish publishes n events as an application does, some of them broken, and
// returns when the brokers have them.
func (w *world) publish(n int) {
	w.t.Helper()
	em, err := emitter.New(emitter.Config{Brokers: w.brokers, Topic: w.topic, Block: true})
	if err != nil {
		w.t.Fatal(err)
	}
	var broken []kafka.Message
	for range n {
		id := idNumber(len(w.ledger.published) + 1)
		w.ledger.published = append(w.ledger.published, id)
		if len(w.ledger.published)%brokenEvery == 0 {
			w.ledger.broken[id] = true
			broken = append(broken, brokenEvent(id))
			continue
		}
		if err := em.Emit(w.t.Context(), event(id)); err != nil {
			w.t.Fatalf("emit %s: %v", id, err)
		}
	}
	w.produce(broken)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := em.Close(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// produce publishes messages as they are.
func (w *world) produce(messages []kafka.Message) {
	w.t.Helper()
	if len(messages) == 0 {
		return
	}
	out := &kafka.Writer{
		Addr: w.client.Addr, Topic: w.topic, Transport: w.client.Transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Balancer: &kafka.Hash{},
		MaxAttempts: 60, // others may have to be elected first
	}
	defer out.Close()
	if err := out.WriteMessages(w.t.Context(), messages...); err != nil {
		w.t.Fatalf("publish: %v", err)
	}
}

func event(id string) eval.Event {
	return eval.Event{
		RequestID: eval.RequestID(id), Feature: "support_agent", PromptName: "support_triage", PromptVersion: "2026-06-01.3",
		Model: "gpt-4o-mini", Status: "success",
		Input:  eval.Text("In the matter of " + id + ": where is my order?"),
		Output: eval.Text("It left our warehouse this morning and will be with you tomorrow."),
	}
}

// brokenEvent is what an old client sends: a measure that is a string.
func brokenEvent(id string) kafka.Message {
	return kafka.Message{
		Key:     []byte(id),
		Value:   fmt.Appendf(nil, `{"event":"llm_request_completed","request_id":%q,"latency_ms":"12 ms"}`, id),
		Headers: []kafka.Header{{Key: "request_id", Value: []byte(id)}},
	}
}

func idOf(m *kafka.Message) string {
	for _, h := range m.Headers {
		if h.Key == "request_id" {
			return string(h.Value)
		}
	}
	return ""
}

// readTopic notes what the topic holds that was not read before.
func (w *world) readTopic() {
	w.t.Helper()
	w.read(w.topic, w.ledger.topicRead, func(m kafka.Message) {
		id := idOf(&m)
		if w.ledger.copies[id]++; w.ledger.copies[id] == 1 {
			w.ledger.partition[id], w.ledger.offset[id] = m.Partition, m.Offset
		}
	})
}

func (w *world) readLetters() {
	w.t.Helper()
	w.read(w.topic+".dead", w.ledger.lettersRead, func(m kafka.Message) { w.ledger.letters[idOf(&m)]++ })
}

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
		return w.model.answers() >= want && len(w.evaluations()) >= want
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

// evaluations counts the answers for each event.
func (w *world) evaluations() map[string]int {
	out := map[string]int{}
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
	if again > 0 { // a letter whose write got no answer is written again; its origin tells
		w.note("%d dead letters twice", again)
	}
	// A call that a worker gave up is paid for as well: the partition had gone to
	// another one meanwhile.
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

// explainRepeats logs who evaluated what more than once.
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

// clock is how times are logged.
const clock = "15:04:05.000"

// resumed waits until workers other than those named consume every partition
// that had work left at the given time, and tells how long that took.
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
	var waiting map[int]bool // partitions with work that nobody had begun
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

// firstCalls gives the partitions on which events had not been begun at the
// given time, and when the first of its events was asked about after that.
func (w *world) firstCalls(ids []string, since time.Time, except []string) (waiting map[int]bool, first map[int]time.Time) {
	begun := map[string]bool{} // and brought to an end
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

// standstill gives the longest time within a span in which no event of some
// partition was begun.
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

// atStake counts what a worker had answered in the last while before a time.
func (w *world) atStake(worker string, until time.Time, last time.Duration) int {
	n := 0
	for _, c := range w.model.log() {
		if c.worker == worker && !c.answered.IsZero() && c.answered.After(until.Add(-last)) {
			n++
		}
	}
	return n
}
