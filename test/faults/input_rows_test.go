package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// inputRows are about unexpected messages.
func inputRows() []scenario {
	return []scenario{
		{name: "input-poison", title: "messages that are no events", group: groupInput, ci: true, run: poisonRow},
		{name: "input-huge", title: "messages of 10 MB, of which 4 MB are allowed", group: groupInput, run: hugeRow},
		{name: "input-large", title: "events of 10 MB, slow judges", group: groupInput, run: largeRow},
		{name: "input-twice", title: "events published three times", group: groupInput, ci: true, run: twiceRow},
		{name: "input-transactions", title: "transactions, committed and aborted", group: groupInput, run: transactionsRow},
	}
}

// poison is a message that must become a dead letter.
type poison struct {
	name   string
	value  func(id string) []byte // nil: null
	reason eval.Reason
}

func poisons() []poison {
	text := func(format string) func(string) []byte {
		return func(id string) []byte { return []byte(strings.ReplaceAll(format, "ID", id)) }
	}
	const nested = 100_000
	deep := strings.Repeat("[", nested) + strings.Repeat("]", nested)
	return []poison{
		{"null", nil, eval.ReasonMalformed},
		{"empty", text(""), eval.ReasonMalformed},
		{"a line of a log", text("level=info msg=started request_id=ID"), eval.ReasonMalformed},
		{"bytes", text("\x00\xff\xfe\x01ID"), eval.ReasonMalformed},
		{"cut off", text(`{"event":"llm_request_completed","request_id":"ID","input":"wher`), eval.ReasonMalformed},
		{"an array", text(`[{"event":"llm_request_completed","request_id":"ID"}]`), eval.ReasonMalformed},
		{"JSON null", text("null"), eval.ReasonMalformed},
		{"an id that is an object", text(`{"event":"llm_request_completed","request_id":{"id":"ID"}}`), eval.ReasonMalformed},
		{"an id that lost digits", text(`{"event":"llm_request_completed","request_id":1.7e19,"input":"ID"}`), eval.ReasonMalformed},
		{"no id", text(`{"event":"llm_request_completed","input":"ID"}`), eval.ReasonMalformed},
		{"no kind", text(`{"request_id":"ID"}`), eval.ReasonMalformed},
		{"an unknown kind", text(`{"event":"llm_request_started","request_id":"ID"}`), eval.ReasonUnknownEvent},
		{"an output 100,000 deep", text(`{"event":"llm_request_completed","request_id":"ID","output":` + deep + `}`), eval.ReasonMalformed},
		{"an unknown field 100,000 deep", text(`{"event":"llm_request_completed","request_id":"ID","more":` + deep + `}`), eval.ReasonMalformed},
		{"an input of brackets that never close", text(`{"event":"llm_request_completed","request_id":"ID","input":` + strings.Repeat("[", nested)), eval.ReasonMalformed},
	}
}

// poisonRow mixes good events with every kind of broken message. Only a panic is
// missing: no input is known that causes one.
func poisonRow(w *world) {
	const each, good = 20, 600
	w.begin(8, "A")
	w.workers["A"].fault()
	expected := map[string]letter{}
	w.publish(good / 2)
	for range each {
		var messages []kafka.Message
		for _, p := range poisons() {
			id := w.nextID()
			w.ledger.broken[id] = true
			m := message(id, nil)
			if p.value != nil {
				m.Value = p.value(id)
			}
			expected[id] = letter{reason: p.reason, value: m.Value}
			messages = append(messages, m)
		}
		// Invalid UTF-8 is not a reason to reject a request that has happened: it is
		// replaced.
		id := w.nextID()
		text := fmt.Sprintf(`{"event":"llm_request_completed","request_id":%q,"input":"In the matter of %s: ?","output":"It left our ?house this morning."}`, id, id)
		messages = append(messages, message(id, []byte(strings.ReplaceAll(text, "?", "\xff\xc3\xe2\x28\xa1"))))
		for i := range messages {
			w.produce(messages[i : i+1]) // some are large
		}
	}
	w.publish(good / 2)
	w.settled()
	w.tells(w.workers["A"], "200", "message put aside as a dead letter: malformed")
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
	w.lettersAre(expected)
}

// largeLimit bounds the memory of a worker with messages of 10 MB and 256 places in
// flight: what those may hold together (max_in_flight_bytes, 16 MB) and one waiting
// message of each of its 8 partitions, three times because work makes copies and
// garbage, and the rest.
const largeLimit = (3*(16+8*10) + 64) << 20

// hugeRow mixes good events with messages above the worker's own bound.
func hugeRow(w *world) {
	w.allowLarge()
	w.kafkaConfig(256, "max_message_bytes: 4194304")
	w.memory = largeLimit
	w.begin(8, "A")
	expected := map[string]letter{}
	w.publish(250)
	for range 40 {
		id := w.nextID()
		w.ledger.broken[id] = true
		expected[id] = letter{reason: eval.ReasonTooLarge, truncated: consumer.TruncatedValue}
		w.produce([]kafka.Message{message(id, largeEvent(id))})
	}
	w.publish(250)
	w.settled()
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
	w.lettersAre(expected)
}

// largeRow publishes large events, which the defaults let through, for slow judges,
// so that they gather in memory.
func largeRow(w *world) {
	w.model.script(withLatency(func(string) time.Duration { return time.Second }))
	w.allowLarge()
	w.kafkaConfig(256)
	w.memory = largeLimit
	w.begin(8, "A")
	w.publish(50)
	for range 40 {
		id := w.nextID()
		w.produce([]kafka.Message{message(id, largeEvent(id))})
	}
	w.publish(50)
	w.settled()
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
	w.lettersAre(map[string]letter{})
}

// twiceRow publishes every event three times: each copy is judged, and the failure is
// stored once.
func twiceRow(w *world) {
	const events, copies = 300, 3
	w.model.script(failing)
	w.begin(8, "A")
	a := w.workers["A"]
	var messages []kafka.Message
	for range events {
		id := w.nextID()
		messages = append(messages, slices.Repeat([]kafka.Message{message(id, wire(newEvent(id)))}, copies)...)
	}
	w.produce(messages)
	w.readTopic()
	w.settled()
	w.balanced("A")
	n := w.cases(a)
	w.finish()
	w.nothingRepeated()
	w.bound(len(w.model.log()) == events*copies, "%d judged, of %d messages", len(w.model.log()), events*copies)
	w.bound(n == events, "%d failures in the store, want %d", n, events)
	w.note("%d messages", events*copies)
}

// transactionsRow publishes in transactions. The markers at their ends are not
// messages. Aborted messages are evaluated too, because the worker reads uncommitted:
// the request has happened, whatever happened to the transaction.
func transactionsRow(w *world) {
	const transactions, each = 20, 20
	w.begin(4, "A")
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.TransactionalID("faults"), kgo.DefaultProduceTopic(w.topic))
	w.must(err)
	w.t.Cleanup(client.Close)
	for i := range transactions {
		w.must(client.BeginTransaction())
		var records []*kgo.Record
		for range each {
			id := w.nextID()
			records = append(records, &kgo.Record{Key: []byte(id), Value: wire(newEvent(id)), Headers: []kgo.RecordHeader{{Key: "request_id", Value: []byte(id)}}})
		}
		w.must(client.ProduceSync(w.t.Context(), records...).FirstErr())
		w.must(client.EndTransaction(w.t.Context(), kgo.TransactionEndTry(i%2 == 0)))
	}
	w.eventually("the markers can be read", func() bool {
		w.readTopic()
		return w.ledger.copies[""] >= transactions
	})
	markers := w.ledger.copies[""]
	w.settled()
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
	w.lettersAre(map[string]letter{})
	w.note("%d markers, half of them aborts", markers)
}

// nextID returns the id of another event.
func (w *world) nextID() string {
	id := fmt.Sprintf("ev-%06d", len(w.ledger.published)+1)
	w.ledger.published = append(w.ledger.published, id)
	return id
}

// message makes a message without an envelope in its headers.
func message(id string, value []byte) kafka.Message {
	return kafka.Message{Key: []byte(id), Value: value, Headers: []kafka.Header{{Key: "request_id", Value: []byte(id)}}}
}

// largeEvent returns an event of 10 MB.
func largeEvent(id string) []byte {
	e := newEvent(id)
	e.Output = event.Text(strings.Repeat("It will be with you tomorrow. ", 10_000_000/30))
	return wire(e)
}

// wire returns an event as publishers other than our emitter encode it.
func wire(e event.Event) []byte {
	e.Kind = event.KindRequestCompleted
	body, err := json.Marshal(e)
	if err != nil { // text always marshals
		panic(err)
	}
	return body
}

// allowLarge lets the topic accept messages of 12 MB.
func (w *world) allowLarge() {
	w.topicConfig = append(w.topicConfig, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "12582912"})
}

// letter is the expected content of a dead letter.
type letter struct {
	reason    eval.Reason
	value     []byte
	truncated string
}

// lettersAre asserts that the dead letters are those of the broken events, one
// each and with the right reason, and nothing else.
func (w *world) lettersAre(expected map[string]letter) {
	w.t.Helper()
	for id := range w.ledger.broken {
		if _, ok := expected[id]; !ok { // a broken event of publish
			expected[id] = letter{reason: eval.ReasonMalformed, value: brokenEvent(id).Value}
		}
	}
	counts := map[string]int{}
	seen := 0
	w.read(w.topic+".dead", map[int]int64{}, func(m kafka.Message) {
		id := idOf(&m)
		want, ok := expected[id]
		got := letter{reason: eval.Reason(header(&m, consumer.HeaderReason)), value: m.Value, truncated: header(&m, consumer.HeaderTruncated)}
		w.bound(ok, "a dead letter of %q, which is an event", id)
		w.bound(got.reason == want.reason && got.truncated == want.truncated && bytes.Equal(got.value, want.value),
			"dead letter of %s: %s, %q, %d bytes; want %s, %q, %d bytes", id, got.reason, got.truncated, len(got.value), want.reason, want.truncated, len(want.value))
		counts[string(got.reason)]++
		seen++
	})
	w.bound(seen == len(expected), "%d dead letters, want %d", seen, len(expected))
	if seen > 0 {
		w.note("dead letters: %s", tally(counts))
	}
}

func header(m *kafka.Message, key string) string {
	for _, h := range m.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
