package consumer

import "testing"

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
