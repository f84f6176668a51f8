package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// topicRows are about a topic that changes.
func topicRows() []scenario {
	return []scenario{
		{name: "growth", title: "partitions added, 8 to 16", group: groupKafka, ci: true, run: growthRow},
		{name: "recreated", title: "topic deleted, made again after 3 s", group: groupKafka, ci: true, run: recreatedRow(3 * time.Second)},
		{name: "recreated-at-once", title: "topic deleted, made again at once", group: groupKafka, run: recreatedRow(0)},
		{name: "retention", title: "records deleted past a stopped worker", group: groupKafka, run: retentionRow},
	}
}

// growthRow adds partitions under load. What is published to them before a worker is
// assigned to them must be read too.
func growthRow(w *world) {
	w.begin(8, "A", "B")
	w.publish(3000)
	w.answered(500)
	res, err := w.client.CreatePartitions(w.t.Context(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: w.topic, Count: 16}},
	})
	if err == nil {
		err = res.Errors[w.topic]
	}
	w.must(err)
	grown := time.Now()
	w.eventually("the partitions are known", func() bool { return len(w.leaders()) == 16 })
	w.publish(3000)
	w.row.recover = w.resumed(grown)
	w.finish()
	w.nothingRepeated()
	w.bound(len(w.partitions()) == 16, "events on %d partitions only", len(w.partitions()))
	w.within(w.row.recover, partitionWatch+10*time.Second, "the new partitions are consumed after %.1f s")
}

// partitionWatch is the default of kafka.partition_watch.
const partitionWatch = 5 * time.Second

// recreatedRow deletes the topic of two idle workers and creates it again a while
// later, with as many partitions and more events than it had.
func recreatedRow(after time.Duration) func(*world) {
	return func(w *world) {
		w.begin(8, "A", "B")
		w.publish(2000)
		w.settled()
		w.eventually("all is committed", func() bool { return w.uncommitted() == 0 })
		w.readTopic()
		a := w.workers["A"]
		a.fault()
		w.deleteTopic()
		deleted := time.Now()
		if after > 0 {
			w.tells(a, "topic "+w.topic+" does not exist", "does not exist")
		}
		w.lasting(after - time.Since(deleted))
		w.createTopic(8)
		made := time.Now()
		w.note("away for %.1f s", made.Sub(deleted).Seconds())
		clear(w.ledger.topicRead)
		w.publish(3000)
		w.row.recover = w.resumed(made)
		w.finish()
		w.nothingRepeated()
		w.within(w.row.recover, backLimit, "consumed again after %.1f s")
	}
}

// retentionRow deletes what a stopped worker has not read. That loss is the choice of
// the topic's owner, but it must be counted exactly.
func retentionRow(w *world) {
	w.begin(8, "A")
	w.publish(4000)
	w.answered(1000)
	w.workers["A"].stop()
	w.readTopic()
	stored := w.committed()
	before := map[int]int64{}
	var gone int64
	for id, s := range w.ends(w.topic) {
		before[id] = min(stored[id]+100, s.last)
		gone += before[id] - stored[id]
	}
	w.deleteRecords(before)
	w.readLetters()
	done := w.evaluations()
	for _, id := range w.ledger.published {
		if w.ledger.offset[id] < before[w.ledger.partition[id]] && done[id] == 0 && w.ledger.letters[id] == 0 {
			w.ledger.deleted[id] = true
		}
	}
	deletedAt := time.Now()
	b := w.start("B")
	w.row.recover = w.resumed(deletedAt)
	w.settled()
	var counted int64
	s, _ := b.status()
	for _, d := range s.Telemetry.Drops {
		if d.Reason == "lost_to_retention" {
			counted += d.Count
		}
	}
	w.finish()
	w.nothingRepeated()
	w.note("%d deleted, %d counted as lost_to_retention", gone, counted)
	w.bound(gone > 0 && int64(len(w.ledger.deleted)) == gone, "%d events of %d deleted messages", len(w.ledger.deleted), gone)
	w.bound(counted == gone, "%d counted as lost to retention, want %d", counted, gone)
}

// deleteRecords deletes the messages below the given offsets, as retention does.
func (w *world) deleteRecords(before map[int]int64) {
	w.t.Helper()
	type partition struct {
		Topic     string `json:"topic"`
		Partition int    `json:"partition"`
		Offset    int64  `json:"offset"`
	}
	var list struct {
		Version    int         `json:"version"`
		Partitions []partition `json:"partitions"`
	}
	list.Version = 1
	for _, id := range slices.Sorted(maps.Keys(before)) {
		list.Partitions = append(list.Partitions, partition{w.topic, id, before[id]})
	}
	text, err := json.Marshal(list)
	w.must(err)
	_, err = w.kafka.Exec(w.t.Context(), "bash", "-c", fmt.Sprintf(
		"echo '%s' >/tmp/delete.json && /opt/kafka/bin/kafka-delete-records.sh --bootstrap-server localhost:9094 --offset-json-file /tmp/delete.json", text))
	w.must(err)
}

// partitions returns those that hold events.
func (w *world) partitions() map[int]bool {
	out := map[int]bool{}
	for _, p := range w.ledger.partition {
		out[p] = true
	}
	return out
}
