package broker

import (
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RefuseCommits answers every offset commit with a temporary error (coordinator not
// available) until restore is called.
func (b *Broker) RefuseCommits() (restore func()) {
	return b.refuse(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable})
}

// RefuseWrites answers every write to a topic with a temporary error (not enough
// replicas) until restore is called.
func (b *Broker) RefuseWrites(topic string) (restore func()) {
	return b.refuse(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas})
}

// RefuseFetches answers every fetch of a partition with a storage error until
// restore is called, as a broker with a damaged disk does.
func (b *Broker) RefuseFetches(topic string, partition int32) (restore func()) {
	return b.refuse(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Partitions: []int32{partition}, Err: kerr.KafkaStorageError})
}

func (b *Broker) refuse(f kfake.Fault) (restore func()) {
	f.Count = -1 // unlimited
	h := b.cluster.Fault(f)
	return h.Remove
}

// CountHeartbeats counts the heartbeats that a group's members send from now on.
func (b *Broker) CountHeartbeats(group string) (count func() int) {
	h := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, TopLevel: true, Observe: true, Count: -1})
	return h.Hits
}

// IgnoreCommits leaves every offset commit unanswered, as a hanging broker does,
// until restore is called. Ignored commits are never answered.
func (b *Broker) IgnoreCommits() (restore func()) { return b.ignore(kmsg.OffsetCommit, 0) }

// IgnoreOffsetFetches leaves requests for committed offsets unanswered in the same
// way, except those of version 1, which kafka-go sends when it joins a group.
func (b *Broker) IgnoreOffsetFetches() (restore func()) { return b.ignore(kmsg.OffsetFetch, 2) }

func (b *Broker) ignore(key kmsg.Key, fromVersion int16) (restore func()) {
	var over atomic.Bool
	b.cluster.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if req.GetVersion() < fromVersion {
			b.cluster.KeepControl()
			return nil, nil, false
		}
		if over.Load() {
			b.cluster.DropControl()
			return nil, nil, false
		}
		b.cluster.KeepControl()
		return nil, nil, true
	})
	return func() { over.Store(true) }
}

// LimitMetadata rejects, from now on, offset commits with more bytes of metadata.
// Without it a Broker accepts any amount; Apache Kafka accepts 4096.
func (b *Broker) LimitMetadata(bytes int) {
	tooLarge := func(p kmsg.OffsetCommitRequestTopicPartition) bool {
		return p.Metadata != nil && len(*p.Metadata) > bytes
	}
	b.refuse(kfake.Fault{
		Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.OffsetMetadataTooLarge,
		When: func(req kmsg.Request) bool {
			commit, ok := req.(*kmsg.OffsetCommitRequest)
			return ok && slices.ContainsFunc(commit.Topics, func(t kmsg.OffsetCommitRequestTopic) bool {
				return slices.ContainsFunc(t.Partitions, tooLarge)
			})
		},
	})
}
