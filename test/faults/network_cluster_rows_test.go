package faults

import (
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// networkClusterRows are about one of three brokers that workers cannot reach, while the
// brokers reach each other, and about brokers that are restarted in turn.
func networkClusterRows() []scenario {
	return []scenario{
		{name: "cut-coordinator", title: "cut off from the group's coordinator only", group: groupNetwork, run: cutCoordinatorRow},
		{name: "cut-leader", title: "cut off from the leader of some partitions only", group: groupNetwork, run: cutLeaderRow},
		{name: "brokers-rolling", title: "rolling restart of three brokers", group: groupNetwork, run: brokersRollingRow},
	}
}

// ways are forwarders, one before each broker of a cluster.
type ways []*forwarder

// to returns the way to the broker of an id.
func (f ways) to(id int) *forwarder { return f[id-1] }

// clusterBehind connects to a cluster of three brokers, which workers reach by ways of
// their own.
func (w *world) clusterBehind() (*containers.Cluster, ways) {
	w.t.Helper()
	var all ways
	for range replicas {
		f := newForwarder(w.t, "127.0.0.1:0")
		all, w.entry = append(all, f), append(w.entry, f.addr)
	}
	cfg := kafkaConfig()
	cfg.Detour = func(id int) string { return all.to(id).addr }
	cluster := w.newCluster(cfg)
	for i, broker := range cluster.Brokers {
		all[i].towards(broker.Behind())
	}
	return cluster, all
}

// coordinator returns the id of the broker that coordinates the group.
func (w *world) coordinator() (id int) {
	w.t.Helper()
	w.eventually("the group has a coordinator", func() bool {
		res, err := w.client.FindCoordinator(w.t.Context(), &kafka.FindCoordinatorRequest{Key: w.group, KeyType: kafka.CoordinatorKeyTypeConsumer})
		if err != nil || res.Error != nil {
			return false
		}
		id = res.Coordinator.NodeID
		return true
	})
	return id
}

// createTopicAway makes a topic whose partitions a broker does not lead.
func (w *world) createTopicAway(from, partitions int) {
	w.t.Helper()
	var assigned []kafka.ReplicaAssignment
	for p := range partitions {
		first := (from + p%(replicas-1)) % replicas // counted from 0: those after from
		second := (from + 1 - p%(replicas-1)) % replicas
		assigned = append(assigned, kafka.ReplicaAssignment{Partition: p, Replicas: []int{first + 1, second + 1, from}})
	}
	res, err := w.client.CreateTopics(w.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: w.topic, NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignments: assigned, ConfigEntries: w.topicConfig,
	}}})
	if err == nil {
		err = errors.Join(res.Errors[w.topic])
	}
	w.must(err)
	w.known(partitions)
	w.eventually("others lead", func() bool { return w.led(from) == 0 })
}

// cutCoordinatorRow cuts the workers off from the broker with which they are members of
// the group. It leads none of their partitions, and stays the coordinator.
func cutCoordinatorRow(w *world) {
	const lasts = 20 * time.Second
	_, all := w.clusterBehind()
	away := w.coordinator()
	w.createTopicAway(away, 8)
	for _, name := range []string{"A", "B"} {
		w.start(name)
	}
	w.joined(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	a := w.workers["A"]
	a.fault()
	answers := w.model.answers()
	all.to(away).cut()
	cutAt := time.Now()
	w.tells(a, noAnswerOf(all.to(away).addr), noAnswerOf(all.to(away).addr))
	w.lasting(lasts - time.Since(cutAt))
	w.note("%d evaluated meanwhile", w.model.answers()-answers)
	all.to(away).heal()
	w.row.recover = w.resumed(time.Now())
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// cutLeaderRow cuts the workers off from a broker that leads some of their partitions and
// does not coordinate the group. The lag of those partitions must not look small.
func cutLeaderRow(w *world) {
	const (
		lasts = 20 * time.Second
		// noticed is how long a lost leader may look like one with nothing new.
		noticed = 12 * time.Second
	)
	_, all := w.clusterBehind()
	w.allSound = true
	w.begin(8, "A", "B")
	w.publish(2000)
	w.settled()
	w.eventually("all is committed", func() bool { return w.uncommitted() == 0 })
	coordinator, away := w.coordinator(), 0
	for _, id := range w.leaders() {
		if id != coordinator {
			away = id
		}
	}
	w.bound(away > 0, "the coordinator leads all partitions")
	unread := map[int]bool{}
	for p, id := range w.leaders() {
		unread[p] = id == away
	}
	a := w.workers["A"]
	a.fault()
	w.workers["B"].fault()
	all.to(away).cut()
	cutAt := time.Now()
	before := len(w.ledger.published)
	w.publish(4000)
	w.readTopic()
	w.eventually("the other partitions are evaluated", func() bool {
		done := w.evaluations()
		for _, id := range w.sound(before) {
			if !unread[w.ledger.partition[id]] && done[id] == 0 {
				return false
			}
		}
		return true
	})
	w.note("the others were evaluated within %.1f s", time.Since(cutAt).Seconds())
	w.tells(a, "200", noAnswerOf(all.to(away).addr))
	w.lasting(lasts - time.Since(cutAt))
	since := time.Since(cutAt)
	down := 0
	for _, name := range []string{"A", "B"} {
		s, ok := w.workers[name].status()
		w.bound(ok, "worker %s has no status", name)
		for _, p := range s.Consumer.Partitions {
			if unread[p.Partition] {
				down++
				w.boundUnread(p, since-noticed)
			} else {
				w.bound(p.Error == "" && p.OldestAgeSeconds < noticed.Seconds(), "partition %d, which can be read: %s, %.1f s behind", p.Partition, p.Error, p.OldestAgeSeconds)
			}
		}
	}
	w.bound(down > 0, "no worker has a partition of the lost leader")
	w.note("%d partitions say that they are behind", down)
	all.to(away).heal()
	healed := time.Now()
	w.settled()
	var last time.Time
	for _, c := range w.model.log() {
		if unread[w.ledger.partition[c.id]] && c.begun.After(healed) && (last.IsZero() || c.begun.Before(last)) {
			last = c.begun
		}
	}
	w.row.recover = last.Sub(healed)
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// boundUnread asserts that a partition that cannot be read says so, and that its lag in
// seconds grows.
func (w *world) boundUnread(p consumer.PartitionStatus, atLeast time.Duration) {
	w.t.Helper()
	w.bound(p.Error != "" && !p.DownSince.IsZero(), "partition %d does not say that it cannot be read", p.Partition)
	w.bound(p.Lag == -1, "partition %d, which cannot be read, has a lag of %d", p.Partition, p.Lag)
	w.bound(p.OldestAgeSeconds >= atLeast.Seconds(), "partition %d has been cut off and is %.1f s behind, want at least %.1f s", p.Partition, p.OldestAgeSeconds, atLeast.Seconds())
}

// brokersRollingRow restarts the brokers in turn, each in good order and only when the
// one before has all replicas back, while applications publish.
func brokersRollingRow(w *world) {
	ctx := w.t.Context()
	cluster := w.cluster()
	w.allSound = true
	w.begin(8, "A", "B")
	w.publish(2000)
	w.answered(500)
	a := w.workers["A"]
	a.fault()
	for _, broker := range cluster.Brokers {
		w.must(broker.Stop(ctx))
		stopped := time.Now()
		before := len(w.ledger.published)
		w.publish(1000)
		w.row.recover = max(w.row.recover, w.reached(w.ledger.published[before:], stopped))
		w.must(broker.Start(ctx))
		w.eventually("all replicas are back", w.inSync)
	}
	w.tells(a, "200", "broker ") // a leader or the coordinator has moved, or has closed a connection
	w.publish(1000)
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// inSync reports whether every replica of the topic is in sync.
func (w *world) inSync() bool {
	meta, err := w.client.Metadata(w.t.Context(), &kafka.MetadataRequest{Topics: []string{w.topic, "__consumer_offsets"}})
	if err != nil {
		return false
	}
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			if p.Error != nil || len(p.Isr) < replicas {
				return false
			}
		}
	}
	return len(meta.Brokers) == replicas
}
