package consumer

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestLagIsToTheCommittedOffset: the lag is what Kafka's own tools show, also while the
// broker takes no commits; what is finished by then is not unfinished.
func TestLagIsToTheCommittedOffset(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.MaxCommitOutage = patience
	w := b.start(Deps{Handle: new(notebook).Handle})
	w.owns(1)
	b.publish(0, values("a", 3)...)
	b.eventually("it is committed", func() bool { return w.Status().Partitions[0].Committed == 3 })
	restore := b.broker.RefuseCommits()
	b.publish(0, values("b", 5)...)
	var got PartitionStatus
	b.eventually("all is finished", func() bool {
		got = w.Status().Partitions[0]
		return got.Low == 8 && got.High == 8
	})
	if got.Committed != 3 || got.Lag != 5 || got.Unfinished != 0 {
		t.Errorf("committed %d, lag %d, unfinished %d; want 3, 5, 0", got.Committed, got.Lag, got.Unfinished)
	}
	restore()
	b.eventually("it is committed", func() bool { return w.Status().Partitions[0].Lag == 0 })
}

// leaderless makes a broker say that partition 1 of a topic has no leader.
func leaderless(cluster *kfake.Cluster, topic string, keys ...kmsg.Key) (restore func()) {
	h := cluster.Fault(kfake.Fault{Keys: keys, Topic: topic, Partitions: []int32{1}, Err: kerr.LeaderNotAvailable, Count: -1})
	return h.Remove
}

// pair makes a topic of two partitions on a broker whose answers a test decides.
func pair(t *testing.T) (*kfake.Cluster, *testbed) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := DefaultConfig()
	cfg.Brokers, cfg.SessionTimeout = cluster.ListenAddrs(), time.Minute
	return cluster, testbedOn(t, cfg, 2)
}

// TestLagWithoutALeaderFromTheStart: of a partition that the worker could never read
// nothing is known but that it has it: no figure is 0, and the lag in seconds grows.
func TestLagWithoutALeaderFromTheStart(t *testing.T) {
	t.Parallel()
	cluster, b := pair(t)
	b.publish(1, values("m", 3)...)
	restore := leaderless(cluster, b.cfg.Topic, kmsg.ListOffsets, kmsg.Fetch)
	w := b.start(Deps{Handle: new(notebook).Handle})
	w.owns(2)
	var first PartitionStatus
	b.eventually("it shows", func() bool { first = w.Status().Partitions[1]; return !first.DownSince.IsZero() })
	if first.Lag != -1 || first.Unfinished != -1 || first.OldestAgeSeconds < 0 {
		t.Errorf("lag %d, unfinished %d, age %v; want -1, -1 and a time", first.Lag, first.Unfinished, first.OldestAgeSeconds)
	}
	b.eventually("its age grows", func() bool { return w.Status().Partitions[1].OldestAgeSeconds > first.OldestAgeSeconds })
	restore()
	b.eventually("it is read", func() bool {
		p := w.Status().Partitions[1]
		return p.Lag == 0 && p.Unfinished == 0 && p.OldestAgeSeconds == 0 && p.Committed == 3
	})
}

// TestLagWhileIntakeIsPaused: while all places are taken, what is published counts as
// unfinished, also when the leader of another partition does not say where that ends.
func TestLagWhileIntakeIsPaused(t *testing.T) {
	t.Parallel()
	cluster, b := pair(t)
	b.cfg.MaxInFlight = 1
	release := make(chan struct{})
	w := b.start(Deps{Handle: heldUntil(release)})
	w.owns(2)
	b.publish(0, "slow", "waits")
	b.eventually("intake is paused", func() bool { return w.Status().InFlight == 1 && w.Status().Partitions[0].High == 2 })
	restore := leaderless(cluster, b.cfg.Topic, kmsg.ListOffsets)
	b.publish(0, values("m", 5)...)
	var got PartitionStatus
	b.eventually("they are counted", func() bool { got = w.Status().Partitions[0]; return got.Unfinished == 7 })
	if got.Lag != 7 || got.OldestAgeSeconds <= 0 {
		t.Errorf("lag %d, age %v; want 7 and a time", got.Lag, got.OldestAgeSeconds)
	}
	if other := w.Status().Partitions[1]; other.Lag != 0 || other.OldestAgeSeconds != 0 {
		t.Errorf("the other is read, and its lag is %d, its age %v", other.Lag, other.OldestAgeSeconds)
	}
	restore()
	close(release)
	b.eventually("all is finished", func() bool { p := w.Status().Partitions[0]; return p.Lag == 0 && p.OldestAgeSeconds == 0 })
}

// TestLagWithoutLookUps: fetches alone say where a partition ends.
func TestLagWithoutLookUps(t *testing.T) {
	t.Parallel()
	cluster, b := pair(t)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.publish(1, "before")
	b.eventually("it is read", func() bool { return notes.get()["before"] == 1 })
	leaderless(cluster, b.cfg.Topic, kmsg.ListOffsets)
	b.publish(1, "after")
	b.eventually("it is read too", func() bool {
		p := w.Status().Partitions[1]
		return notes.get()["after"] == 1 && p.High == 2 && p.Lag == 0 && p.Unfinished == 0 && p.OldestAgeSeconds == 0
	})
}

// TestLagIsItsOwners: the status of a worker leaves out a partition that has moved to
// another worker, or whose topic is deleted.
func TestLagIsItsOwners(t *testing.T) {
	t.Parallel()
	cluster, b := pair(t)
	first := b.start(Deps{Handle: new(notebook).Handle})
	first.owns(2)
	second := b.start(Deps{Handle: new(notebook).Handle})
	second.owns(1)
	first.owns(1)
	if a, c := first.Status().Partitions[0], second.Status().Partitions[0]; a.Partition == c.Partition {
		t.Errorf("both report partition %d", a.Partition)
	}
	if err := cluster.DeleteTopic(b.cfg.Topic); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*worker{first, second} {
		b.eventually("no partition is left", func() bool { return len(w.Status().Partitions) == 0 })
	}
}

// TestLagWithoutACoordinator: a worker that is expelled from its group reports no
// partitions, because others may have them, and is down.
func TestLagWithoutACoordinator(t *testing.T) {
	t.Parallel()
	cluster, b := pair(t)
	b.cfg.SessionTimeout, b.cfg.RebalanceTimeout = 2*time.Second, 2*time.Second // after which it gives up its membership
	w := b.start(Deps{Handle: new(notebook).Handle})
	w.owns(2)
	h := cluster.Fault(kfake.Fault{
		Keys:  []kmsg.Key{kmsg.FindCoordinator, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.OffsetCommit, kmsg.OffsetFetch},
		Count: -1, TopLevel: true, Err: kerr.CoordinatorNotAvailable,
	})
	b.eventually("it is down and has none", func() bool { s := w.Status(); return s.Down() && !s.Joined && len(s.Partitions) == 0 })
	h.Remove()
	w.owns(2)
}
