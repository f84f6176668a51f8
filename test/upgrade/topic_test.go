package upgrade

import (
	"github.com/segmentio/kafka-go"
)

// ends returns the end of each partition of the topic.
func (w *world) ends() (out map[int]int64) {
	w.t.Helper()
	var asked []kafka.OffsetRequest
	for id := range partitions {
		asked = append(asked, kafka.LastOffsetOf(id))
	}
	eventually(w.t, "ends of "+w.topic, func() bool {
		out = map[int]int64{}
		last, err := w.client.ListOffsets(w.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{w.topic: asked}})
		if err != nil {
			return false
		}
		for _, p := range last.Topics[w.topic] {
			out[p.Partition] = p.LastOffset
		}
		return len(out) == partitions
	})
	return out
}

// committed returns what a group has committed in each partition.
func (w *world) committed(group string) (out map[int]int64) {
	w.t.Helper()
	var ids []int
	for id := range partitions {
		ids = append(ids, id)
	}
	eventually(w.t, "offsets of "+group, func() bool {
		out = map[int]int64{}
		res, err := w.client.OffsetFetch(w.t.Context(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{w.topic: ids}})
		if err != nil || res.Error != nil {
			return false
		}
		for _, p := range res.Topics[w.topic] {
			out[p.Partition] = max(p.CommittedOffset, 0)
		}
		return len(out) == partitions
	})
	return out
}

// total is the sum over all partitions.
func total(offsets map[int]int64) (n int64) {
	for _, offset := range offsets {
		n += offset
	}
	return n
}

// place is where a message is.
type place struct {
	partition int
	offset    int64
}

// places returns where each event is in the topic, by its id.
func (w *world) places() map[string][]place {
	w.t.Helper()
	out := map[string][]place{}
	for id, end := range w.ends() {
		if end == 0 {
			continue
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.addr}, Topic: w.topic, Partition: id, MaxBytes: 10 << 20, MaxWait: look})
		err := r.SetOffset(0)
		for offset := int64(0); err == nil && offset < end; {
			var m kafka.Message
			if m, err = r.ReadMessage(w.t.Context()); err == nil {
				name := eventID.FindString(string(m.Value))
				out[name] = append(out[name], place{id, m.Offset})
				offset = m.Offset + 1
			}
		}
		_ = r.Close()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return out
}
