package faults

import "github.com/segmentio/kafka-go"

// ledger records what a world has published, and how much of that Kafka holds.
type ledger struct {
	published []string         // ids in the order of publishing
	broken    map[string]bool  // of those, the broken events
	copies    map[string]int   // how often the topic holds or held an id
	partition map[string]int   // of an id
	offset    map[string]int64 // of an id's first copy
	letters   map[string]int   // dead letters by id
	deleted   map[string]bool  // ids that were deleted before they were read

	topicRead, lettersRead map[int]int64 // the next offset to read, by partition
}

func newLedger() ledger {
	return ledger{
		broken: map[string]bool{}, copies: map[string]int{}, partition: map[string]int{}, offset: map[string]int64{},
		letters: map[string]int{}, deleted: map[string]bool{}, topicRead: map[int]int64{}, lettersRead: map[int]int64{},
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

// readTopic records the messages of the topic that it has not read before.
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
