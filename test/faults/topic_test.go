package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
)

// createTopic makes the world's topic and waits until the brokers know it.
func (w *world) createTopic(partitions int) {
	w.t.Helper()
	w.eventually("topic "+w.topic+" is made", func() bool {
		res, err := w.client.CreateTopics(w.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: w.topic, NumPartitions: partitions, ReplicationFactor: w.replicas, ConfigEntries: w.topicConfig,
		}}})
		return err == nil && res.Errors[w.topic] == nil // a topic that was just deleted exists for a while
	})
	w.known(partitions)
}

// known waits until all partitions of the topic have leaders that know it.
func (w *world) known(partitions int) {
	w.t.Helper()
	w.eventually("topic "+w.topic+" is known", func() bool {
		if len(w.leaders()) != partitions {
			return false
		}
		ends, ok := w.tryEnds(w.topic)
		return ok && len(ends) == partitions
	})
}

// deleteTopic deletes the world's topic.
func (w *world) deleteTopic() {
	w.t.Helper()
	res, err := w.client.DeleteTopics(w.t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{w.topic}})
	if err == nil {
		err = res.Errors[w.topic]
	}
	if err != nil {
		w.t.Fatalf("delete topic: %v", err)
	}
}

// leaders returns the id of the broker that leads each partition of the topic,
// without the partitions that have no leader.
func (w *world) leaders() map[int]int {
	meta, err := w.client.Metadata(w.t.Context(), &kafka.MetadataRequest{Topics: []string{w.topic}})
	if err != nil || len(meta.Topics) == 0 || meta.Topics[0].Error != nil {
		return nil
	}
	out := map[int]int{}
	for _, p := range meta.Topics[0].Partitions {
		if p.Error == nil && p.Leader.Host != "" {
			out[p.ID] = p.Leader.ID
		}
	}
	return out
}

// span is where a partition begins and ends now.
type span struct{ first, last int64 }

// ends returns the spans of a topic's partitions; none when there is no such topic.
func (w *world) ends(topic string) map[int]span {
	w.t.Helper()
	var out map[int]span
	w.eventually("offsets of "+topic, func() (ok bool) {
		out, ok = w.tryEnds(topic)
		return ok
	})
	return out
}

func (w *world) tryEnds(topic string) (map[int]span, bool) {
	meta, err := w.client.Metadata(w.t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil || len(meta.Topics) == 0 {
		return nil, false
	}
	if errors.Is(meta.Topics[0].Error, kafka.UnknownTopicOrPartition) {
		return nil, true
	}
	var asked []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		asked = append(asked, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	res, err := w.client.ListOffsets(w.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, false
	}
	out := map[int]span{}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, false
		}
		out[p.Partition] = span{p.FirstOffset, p.LastOffset}
	}
	return out, len(out) == len(meta.Topics[0].Partitions)
}

// committed returns the group's committed offset of each partition; -1 for none.
func (w *world) committed() map[int]int64 {
	w.t.Helper()
	var ids []int
	for id := range w.ends(w.topic) {
		ids = append(ids, id)
	}
	out := map[int]int64{}
	w.eventually("committed offsets", func() bool {
		res, err := w.client.OffsetFetch(w.t.Context(), &kafka.OffsetFetchRequest{GroupID: w.group, Topics: map[string][]int{w.topic: ids}})
		if err != nil || res.Error != nil {
			return false
		}
		for _, p := range res.Topics[w.topic] {
			if p.Error != nil {
				return false
			}
			out[p.Partition] = p.CommittedOffset
		}
		return true
	})
	return out
}

// uncommitted returns the number of messages that the group would read again.
func (w *world) uncommitted() int64 {
	w.t.Helper()
	var n int64
	stored := w.committed()
	for id, s := range w.ends(w.topic) {
		n += max(s.last-max(stored[id], s.first), 0)
	}
	return n
}

// read passes every message of a topic, from the given offsets on, to each.
func (w *world) read(topic string, from map[int]int64, each func(kafka.Message)) {
	w.t.Helper()
	for id, s := range w.ends(topic) {
		if at := max(from[id], s.first); at < s.last {
			w.readPartition(topic, id, span{at, s.last}, each)
			from[id] = s.last
		}
	}
}

func (w *world) readPartition(topic string, id int, s span, each func(kafka.Message)) {
	w.t.Helper()
	cfg := conn.DefaultConfig()
	cfg.Brokers = w.brokers
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: w.brokers, Dialer: conn.NewDialer(cfg), Topic: topic, Partition: id, MaxWait: 250 * time.Millisecond, MinBytes: 1, MaxBytes: 10 << 20})
	defer r.Close()
	if err := r.SetOffset(s.first); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			w.t.Fatal(fmt.Errorf("read %s/%d: %w", topic, id, err))
		}
		each(m)
		if m.Offset >= s.last-1 {
			return
		}
	}
}
