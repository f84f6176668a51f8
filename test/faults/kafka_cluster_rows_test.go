package faults

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// clusterRows are about one broker of several.
func clusterRows() []scenario {
	return []scenario{
		{name: "cluster", title: "one broker of three killed, leaders moved", group: groupKafka, run: clusterRow},
		{name: "cluster-hang", title: "the first of three brokers hangs, worker replaced", group: groupKafka, run: clusterHangRow},
	}
}

// cluster connects to a cluster of three brokers of its own.
func (w *world) cluster() *containers.Cluster {
	w.t.Helper()
	return w.newCluster(kafkaConfig())
}

// newCluster connects to a new cluster, which has the topic of dead letters.
func (w *world) newCluster(cfg containers.KafkaConfig) *containers.Cluster {
	w.t.Helper()
	cluster, err := containers.StartCluster(w.t.Context(), replicas, cfg)
	w.must(err)
	w.t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.connect(cluster.Addrs()...)
	w.topicConfig = []kafka.ConfigEntry{{ConfigName: "min.insync.replicas", ConfigValue: "2"}}
	w.replicas = replicas
	letters := kafka.TopicConfig{Topic: w.topic + ".dead", NumPartitions: 1, ReplicationFactor: w.replicas}
	_, err = w.client.CreateTopics(w.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{letters}}) // else the broker's default is one replica
	w.must(err)
	return cluster
}

// replicas is the number of brokers of a cluster, and of the replicas of its topics.
const replicas = 3

// clusterRow kills one of three brokers under load, while applications go on
// publishing, and moves its partitions back to it when it has returned.
func clusterRow(w *world) {
	ctx := w.t.Context()
	cluster := w.cluster()
	w.begin(8, "A", "B")
	w.publish(4000)
	w.answered(500)

	victim := w.leaders()[0]
	led := w.led(victim)
	broker := cluster.Brokers[victim-1]
	a := w.workers["A"]
	a.fault()
	w.must(broker.Kill(ctx))
	killed := time.Now()
	before := len(w.ledger.published)
	w.publish(2000) // which no worker has fetched ahead
	w.eventually("others lead", func() bool { return len(w.leaders()) == 8 && w.led(victim) == 0 })
	w.row.recover = w.reached(w.ledger.published[before:], killed)
	w.tells(a, "200", broker.Addr())

	w.must(broker.Start(ctx))
	w.publish(6000)
	w.eventually("leaders are back", func() bool {
		return w.electPreferred() && w.led(victim) == led
	})
	w.publish(2000)
	w.note("it led %d partitions", led)
	w.finish()
	w.nothingRepeated()
	w.bound(led > 0, "the killed broker led nothing")
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// clusterHangRow freezes the broker that all ask first, like one whose disk hangs: it
// still accepts connections. Meanwhile a worker is replaced, which makes all of them
// join again.
func clusterHangRow(w *world) {
	ctx := w.t.Context()
	cluster := w.cluster()
	w.begin(8, "A", "B")
	w.publish(4000)
	w.answered(500)

	first, b := cluster.Brokers[0], w.workers["B"]
	b.fault()
	w.must(first.Pause(ctx))
	w.t.Cleanup(func() { _ = first.Unpause(context.WithoutCancel(ctx)) }) // usually it is already
	w.eventually("others lead", func() bool { return len(w.leaders()) == 8 && w.led(1) == 0 })
	w.start("C")
	w.workers["A"].terminate()
	replaced := time.Now()
	before := len(w.ledger.published)
	w.publish(2000)
	w.row.recover = w.reached(w.ledger.published[before:], replaced)
	w.tells(b, "200", noAnswer) // of that broker, or of one that waits for it as a replica
	w.must(first.Unpause(ctx))
	w.publish(2000)
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// led returns the number of partitions that a broker leads.
func (w *world) led(broker int) int {
	n := 0
	for _, id := range w.leaders() {
		if id == broker {
			n++
		}
	}
	return n
}

// electPreferred makes the first replica of each partition its leader.
func (w *world) electPreferred() bool {
	ids := make([]int, 0, 8)
	for id := range w.leaders() {
		ids = append(ids, id)
	}
	_, err := w.client.ElectLeaders(w.t.Context(), &kafka.ElectLeadersRequest{Topic: w.topic, Partitions: ids, Timeout: 5 * time.Second})
	return err == nil
}
