package consumer

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterOf starts brokers whose answers a test decides, with a topic of one partition.
func clusterOf(t *testing.T, brokers int) (*kfake.Cluster, *testbed) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := DefaultConfig()
	cfg.Brokers, cfg.SessionTimeout, cfg.PartitionWatch = cluster.ListenAddrs(), 2*time.Second, 500*time.Millisecond
	return cluster, testbedOn(t, cfg, 1)
}

// TestFormerLeader: a broker that is cut off from the others goes on answering that
// there is nothing new in a partition that another broker leads now.
func TestFormerLeader(t *testing.T) {
	t.Parallel()
	cluster, b := clusterOf(t, 2)
	var notes notebook
	b.start(Deps{Handle: notes.Handle})
	b.publish(0, "before")
	b.eventually("read", func() bool { return b.stored(0) == 1 })

	old := cluster.LeaderFor(b.cfg.Topic, 0)
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if cluster.CurrentNode() != old {
			return nil, nil, false
		}
		cluster.SleepControl(func() { <-time.After(50 * time.Millisecond) })
		res := req.(*kmsg.FetchRequest).ResponseKind().(*kmsg.FetchResponse)
		nothing := kmsg.NewFetchResponseTopicPartition()
		nothing.HighWatermark, nothing.LastStableOffset = 1, 1
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = b.cfg.Topic
		topic.Partitions = append(topic.Partitions, nothing)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	if err := cluster.MoveTopicPartition(b.cfg.Topic, 0, 1-old); err != nil {
		t.Fatal(err)
	}
	<-time.After(200 * time.Millisecond) // until the publisher's picture of the cluster is due again
	b.publish(0, "after")
	b.eventually("the new leader is read", func() bool { return notes.get()["after"] == 1 })
}

// TestQuota: a broker answers a client over its quota with nothing at all, also on a
// fresh connection, which then knows no end of the partition. That is not a lost leader.
func TestQuota(t *testing.T) {
	t.Parallel()
	cluster, b := clusterOf(t, 1)
	b.publish(0, values("m", 5)...)
	const throttled = 50 // answers, of 50 ms: longer than a broker may be behind
	answers := 0
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if answers++; answers > throttled {
			return nil, nil, false
		}
		cluster.SleepControl(func() { <-time.After(50 * time.Millisecond) })
		return req.(*kmsg.FetchRequest).ResponseKind(), nil, true
	})
	var log logBuffer
	w := b.start(Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(&log, nil))})
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 5 })
	if text := log.String(); strings.Contains(text, "fetching interrupted") {
		t.Errorf("a connection under a quota was given up:\n%s", text)
	}
}
