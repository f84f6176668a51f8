package broker

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RefuseCommits answers every offset commit with an error that passes
// (coordinator not available) until restore is called.
func (b *Broker) RefuseCommits() (restore func()) {
	return b.refuse(kmsg.OffsetCommit, kerr.CoordinatorNotAvailable)
}

// RefuseWrites answers every write to a topic with an error that passes (not
// enough replicas) until restore is called.
func (b *Broker) RefuseWrites(topic string) (restore func()) {
	h := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1})
	return h.Remove
}

// RefuseFetches answers every fetch of a partition with an error of the log until
// restore is called, as a broker does whose disk is damaged.
func (b *Broker) RefuseFetches(topic string, partition int32) (restore func()) {
	h := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Partitions: []int32{partition}, Err: kerr.KafkaStorageError, Count: -1})
	return h.Remove
}

// CountHeartbeats counts the heartbeats that a group's members send from now on.
func (b *Broker) CountHeartbeats(group string) (count func() int) {
	h := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, TopLevel: true, Observe: true, Count: -1})
	return h.Hits
}

func (b *Broker) refuse(key kmsg.Key, err *kerr.Error) func() {
	h := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: -1})
	return h.Remove
}

// IgnoreCommits leaves every offset commit unanswered, as a broker that hangs
// does, until restore is called. Commits that were ignored stay so.
func (b *Broker) IgnoreCommits() (restore func()) { return b.ignore(kmsg.OffsetCommit, 0) }

// IgnoreOffsetFetches does the same with questions for what a group has committed,
// but for those that kafka-go asks as it joins a group, which are of version 1.
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

// LimitMetadata refuses, from now on, offset commits that carry more than so
// many bytes of metadata. Without it a Broker takes any amount; Apache Kafka
// takes 4096.
func (b *Broker) LimitMetadata(bytes int) {
	b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.OffsetMetadataTooLarge, Count: -1,
		When: func(req kmsg.Request) bool {
			commit, ok := req.(*kmsg.OffsetCommitRequest)
			if !ok {
				return false
			}
			for _, t := range commit.Topics {
				for _, p := range t.Partitions {
					if p.Metadata != nil && len(*p.Metadata) > bytes {
						return true
					}
				}
			}
			return false
		},
	})
}
