package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// TestNothingBeginsWhileCommitsFail: while commits fail nothing new begins, because a
// crash would repeat all of it; when they work again, all goes on.
func TestNothingBeginsWhileCommitsFail(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.MaxCommitOutage = 200 * time.Millisecond
	b.cfg.PartitionWatch = time.Hour // only the reader notes how far the partition reaches
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.publish(0, "first")
	b.eventually("the first is committed", func() bool { return b.stored(0) == 1 })

	restore := b.broker.RefuseCommits()
	b.publish(0, "dirty") // something that cannot be committed
	b.eventually("the outage is seen", func() bool { return w.Status().Stalled != "" })
	b.publish(0, values("held", 5)...)
	b.eventually("they are fetched", func() bool { return w.Status().Partitions[0].High == 7 })
	if diff := cmp.Diff(once([]string{"first", "dirty"}), notes.get()); diff != "" {
		t.Errorf("handled during the outage (-want +got):\n%s", diff)
	}
	restore()
	b.eventually("all committed", func() bool { return b.stored(0) == 7 })
	if got := w.Status().Stalled; got != "" {
		t.Errorf("stalled after the outage: %q", got)
	}
}

// TestOnePartitionCannotBeRead: a partition that cannot be read does not hold up
// others, and shows in the status.
func TestOnePartitionCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2, true)
	restore := b.broker.RefuseFetches(b.cfg.Topic, 1)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.publish(0, "read")
	b.publish(1, "unread")
	b.eventually("the other is read", func() bool { return b.stored(0) == 1 })
	b.eventually("it shows", func() bool { return w.Status().PartitionsDown() == 1 })
	s := w.Status()
	if s.Partitions[0].Error != "" || s.Down() || s.Stalled != "" {
		t.Errorf("more than the one is down: %+v", s)
	}
	if p := s.Partitions[1]; !strings.Contains(p.Error, "Storage") || !strings.HasPrefix(p.Error, "broker 127.0.0.1:") || p.DownSince.IsZero() {
		t.Errorf("partition 1: %q since %v", p.Error, p.DownSince)
	}
	restore()
	b.eventually("it is read as well", func() bool { return b.stored(1) == 1 })
	b.eventually("all is well", func() bool { return w.Status().PartitionsDown() == 0 })
}

// TestShutdownWithABrokerThatHangs: a broker that hangs does not hold up the end of the
// program.
func TestShutdownWithABrokerThatHangs(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.Grace = endTimeout + time.Second
	b.publish(0, "a")
	g := newGatekeeper("a")
	w := b.start(Deps{Handle: g.Handle})
	g.await(t, 1)
	restore := b.broker.IgnoreCommits()
	defer restore()
	close(g.held["a"])
	b.eventually("it is done", func() bool { return w.seen.count("consumed") == 1 })
	if err := w.halt(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want %v: the last commit has no answer", err, context.DeadlineExceeded)
	}
}

// TestShutdownWaitsForTheBrokerToCommit: when a broker answers again within the grace,
// what is finished is committed.
func TestShutdownWaitsForTheBrokerToCommit(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.publish(0, "a")
	g := newGatekeeper("a")
	w := b.start(Deps{Handle: g.Handle})
	g.await(t, 1)
	restore := b.broker.IgnoreCommits()
	first := w.Status().Generation
	close(g.held["a"])
	b.eventually("it is done", func() bool { return w.seen.count("consumed") == 1 })
	w.stop()
	b.eventually("it joined once more", func() bool { return w.Status().Generation > first })
	restore()
	if err := w.halt(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := b.stored(0); got != 1 {
		t.Errorf("stored offset %d, want 1", got)
	}
}

func TestRunWithoutABroker(t *testing.T) {
	t.Parallel()
	const addr = "127.0.0.1:1" // nobody listens there; on a port that was closed another test may
	for _, start := range []Start{StartFirst, StartLast} {
		t.Run(string(start), func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			cfg.Brokers, cfg.Start = []string{addr}, start
			c, err := New(cfg, Deps{Handle: func(context.Context, event.Message) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := c.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
			if st := c.Status(); st.Joined {
				t.Error("joined a group without a broker")
			}
			if err := c.Run(t.Context()); err == nil {
				t.Error("Run ran twice")
			}
		})
	}
}

// TestBrokerRestart: the broker goes away and comes back with its data. What was in
// flight goes on in place; nothing is lost and nothing is done twice.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2, true)
	dir := t.TempDir()
	b.broker.Close()
	embedded := b.restart(broker.Config{Addr: b.broker.Addr(), Dir: dir, Topics: map[string]int32{b.cfg.Topic: 2}})
	b.publish(0, values("a", 20)...)
	b.publish(1, values("b", 20)...)
	g := newGatekeeper("a4", "b9")
	w := b.start(Deps{Handle: g.Handle})
	g.await(t, 2)
	b.eventually("the others consumed", func() bool { return w.seen.count("consumed") == 38 })
	embedded.Close()
	close(g.held["a4"])
	b.eventually("finished without a broker", func() bool { return w.seen.count("consumed") == 39 })
	b.restart(broker.Config{Addr: embedded.Addr(), Dir: dir})
	close(g.held["b9"])
	b.eventually("all committed", func() bool { return b.stored(0) == 20 && b.stored(1) == 20 })
	if diff := cmp.Diff(once(values("a", 20), values("b", 20)), g.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if err := w.halt(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestAStaleGenerationIsRefused: a commit names generation and member, so a past
// generation cannot set an offset back.
func TestAStaleGenerationIsRefused(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 20)...)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.eventually("all committed", func() bool { return b.stored(0) == 20 })
	res, err := b.client.DescribeGroups(t.Context(), &kafka.DescribeGroupsRequest{GroupIDs: []string{b.cfg.Group}})
	if err != nil {
		t.Fatal(err)
	}
	member := res.Groups[0].Members[0].MemberID
	generation := int(w.Status().Generation)
	back := newPartition(t.Context(), 0, 0)
	back.tracker.skip(0)
	for name, as := range map[string]membership{
		"an old generation":  {generation - 1, member},
		"a forgotten member": {generation, "somebody"},
	} {
		if err := w.commit(t.Context(), as, []*partition{back}); !errors.Is(err, errStale) {
			t.Errorf("commit of %s: %v, want %v", name, err, errStale)
		}
	}
	if got := b.stored(0); got != 20 {
		t.Errorf("committed %d, want 20", got)
	}
}

func TestCommitRefusesWhatIsNoOffset(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	w := b.start(Deps{Handle: new(notebook).Handle})
	if _, err := w.offsetCommit(t.Context(), memberless, []kafka.OffsetCommit{{Partition: 0, Offset: -5}}); err == nil {
		t.Error("an offset of -5 was sent")
	}
}

// TestNewPartitionsAreReadFromTheirFirstMessage: partitions that are added are read
// from their first message, also by a group that began at the end of the topic.
func TestNewPartitionsAreReadFromTheirFirstMessage(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("before", 3)...)
	b.cfg.Start = StartLast
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	w.owns(1)
	b.publish(0, "after")
	b.eventually("the one after is handled", func() bool { return w.seen.count("consumed") == 1 })
	b.eventually("partitions added", func() bool {
		res, err := b.client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: b.cfg.Topic, Count: 3}},
		})
		return err == nil && res.Errors[b.cfg.Topic] == nil
	})
	b.eventually("the writer knows them", func() bool {
		res, err := b.client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{b.cfg.Topic}})
		return err == nil && len(res.Topics) == 1 && len(res.Topics[0].Partitions) == 3
	})
	b.publish(1, values("one", 5)...)
	b.publish(2, values("two", 5)...)
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 11 })
	w.owns(3)
	if diff := cmp.Diff(once([]string{"after"}, values("one", 5), values("two", 5)), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestStartLastIsForNewGroupsOnly: a group that has committed goes on there, whatever
// Start says.
func TestStartLastIsForNewGroupsOnly(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2)
	b.publish(0, values("a", 5)...)
	b.publish(1, values("b", 5)...)
	b.commitByHand(kafka.OffsetCommit{Partition: 0, Offset: 3})
	b.cfg.Start = StartLast
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 7 })
	if diff := cmp.Diff(once(values("a", 5)[3:], values("b", 5)), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestATopicMadeAgainIsReadFromItsFirstMessage: a topic that is deleted and made again
// is a new one: the offsets of the old mean nothing in it.
func TestATopicMadeAgainIsReadFromItsFirstMessage(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2)
	b.publish(0, values("old", 10)...)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.eventually("all committed", func() bool { return b.stored(0) == 10 })
	if _, err := b.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{b.cfg.Topic}}); err != nil {
		t.Fatal(err)
	}
	b.createTopic(b.cfg.Topic, 2)
	b.publish(0, values("new", 4)...)
	b.publish(1, values("more", 4)...)
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") >= 18 })
	if diff := cmp.Diff(once(values("old", 10), values("new", 4), values("more", 4)), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	b.eventually("the new offsets are committed", func() bool { return b.stored(0) == 4 && b.stored(1) == 4 })
}

func TestOffsetBeyondTheEnd(t *testing.T) {
	t.Parallel()
	for policy, want := range map[OutOfRange][]string{
		OutOfRangeFirst: append(values("m", 5), "new"),
		OutOfRangeLast:  {"new"},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, 1)
			b.cfg.OutOfRange = policy
			b.publish(0, values("m", 5)...)
			b.commitByHand(kafka.OffsetCommit{Partition: 0, Offset: 99})
			var notes notebook
			w := b.start(Deps{Handle: notes.Handle})
			b.eventually("the offset is reset", func() bool { return w.seen.count("reset") == 1 })
			b.publish(0, "new")
			b.eventually("all committed", func() bool { return b.stored(0) == 6 })
			if diff := cmp.Diff(once(want), notes.get()); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDeletedMessagesAreCounted: what retention deletes before it is read is counted,
// whether the worker was away or is too slow.
func TestDeletedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.publish(0, values("m", 10)...)
	b.commitByHand(kafka.OffsetCommit{Partition: 0, Offset: 2, Metadata: encodeRuns(2, []run{{3, 5}}, maxMetadata)})
	if err := b.broker.DeleteRecords(b.cfg.Topic, 0, 7); err != nil {
		t.Fatal(err)
	}
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 3 })
	if got := w.seen.count("lost"); got != 3 {
		t.Errorf("%d counted as lost, want 3: offsets 2 to 6 without the finished 3 and 4", got)
	}
	if diff := cmp.Diff(once(values("m", 10)[7:]), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func TestMarkersOfTransactionsAreNoMessages(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, "before")
	for _, commit := range []bool{true, false} {
		b.transaction(0, commit)
	}
	b.publish(0, "after")
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.eventually("all committed", func() bool { return b.stored(0) == 4 })
	if diff := cmp.Diff(once([]string{"before", "after"}), notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if n, markers := w.seen.count("consumed"), w.seen.count("control"); n != 2 || markers != 2 {
		t.Errorf("%d consumed and %d markers, want 2 and 2", n, markers)
	}
}

// transaction ends an empty transaction, which leaves a marker in the partition.
func (b *testbed) transaction(partition int, commit bool) {
	b.t.Helper()
	ctx, id := b.t.Context(), b.cfg.Group
	var producer *kafka.ProducerSession
	b.eventually("a producer id", func() bool {
		res, err := b.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 60000, ProducerID: -1, ProducerEpoch: -1})
		if err != nil || res.Error != nil {
			return false
		}
		producer = res.Producer
		return true
	})
	b.eventually("the partition joins the transaction", func() bool {
		res, err := b.client.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{
			TransactionalID: id, ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch,
			Topics: map[string][]kafka.AddPartitionToTxn{b.cfg.Topic: {{Partition: partition}}},
		})
		return err == nil && res.Topics[b.cfg.Topic][0].Error == nil
	})
	res, err := b.client.EndTxn(ctx, &kafka.EndTxnRequest{
		TransactionalID: id, ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch, Committed: commit,
	})
	if err != nil || res.Error != nil {
		b.t.Fatalf("end transaction: %v, %+v", err, res)
	}
}

// TestTransientErrorsAreTriedAgain: while a dependency is down the same message is
// handled again, and Status shows it.
func TestTransientErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, "m")
	var calls atomic.Int64
	up := make(chan struct{})
	w := b.start(Deps{Handle: func(context.Context, event.Message) error {
		calls.Add(1)
		select {
		case <-up:
			return nil
		default:
			return eval.WithReason(eval.ReasonUnavailable, errors.New("the store is away"))
		}
	}})
	b.eventually("three attempts", func() bool { return calls.Load() >= 3 })
	if st := w.Status(); st.Stalled != "handlers wait for a dependency: unavailable: the store is away" || st.StalledSince.IsZero() || st.InFlight != 1 {
		t.Errorf("status during the trouble: %+v", st)
	}
	if got := b.stored(0); got > 0 {
		t.Errorf("committed %d while the message is not done", got)
	}
	close(up)
	b.eventually("it is committed", func() bool { return b.stored(0) == 1 })
	b.eventually("the stall is over", func() bool { return w.Status().Stalled == "" })
	if got := w.seen.count("consumed"); got != 1 {
		t.Errorf("%d consumed, want 1", got)
	}
}

// TestMetadataThatIsTooLargeIsCut: a broker that accepts less metadata than we write
// gets as much as it accepts, at once: there may be no other change to commit for as
// long as the slow messages take.
func TestMetadataThatIsTooLargeIsCut(t *testing.T) {
	t.Parallel()
	for limit, least := range map[int]int{200: 34, 40: 4, 8: 0} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			const messages = 241
			b := newTestbed(t, 1, true)
			b.broker.LimitMetadata(limit)
			b.publish(0, values("m", messages)...)
			hold, finish := make(chan struct{}), make(chan struct{})
			w := b.start(Deps{Handle: func(ctx context.Context, m event.Message) error {
				until := finish
				if m.Offset%2 == 1 { // runs are finished between them
					until = hold
				}
				select {
				case <-until:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}})
			b.eventually("all in flight", func() bool { return w.Status().InFlight == messages })
			close(finish)
			b.eventually("half of them consumed", func() bool { return w.seen.count("consumed") == (messages+1)/2 })
			b.eventually("as many as fit are committed", func() bool {
				low, metadata, _ := b.broker.CommittedOffset(b.cfg.Group, b.cfg.Topic, 0)
				runs, err := decodeRuns(low, metadata)
				return err == nil && low == 1 && len(runs) >= least && w.metadataLimit.Load() < maxMetadata
			})
			close(hold)
			b.eventually("all committed", func() bool { return b.stored(0) == messages })
		})
	}
}

// TestAPartitionThatEndsBelowWhatWasReadIsReadAgain: a topic that was made again so fast
// that no reader noticed is recognised by a partition that ends below what was read of
// it.
func TestAPartitionThatEndsBelowWhatWasReadIsReadAgain(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	b.publish(0, values("m", 3)...)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle})
	b.eventually("all committed", func() bool { return b.stored(0) == 3 })
	b.eventually("a reader is open", func() bool { return w.partition(0).open.Load() })
	w.partition(0).tracker.jump(50) // as if more had been read of the one before
	b.eventually("the offset is reset", func() bool { return w.seen.count("reset") >= 1 })
	b.publish(0, "new")
	b.eventually("it is read", func() bool { return notes.get()["new"] >= 1 })
}

func (c *Consumer) partition(id int) *partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.partitions[id]
}

// TestTwoTopicsInOneGroup: deployments with topics of different sizes share a group
// without disturbing each other. The leader compares its own topic's partitions alone.
func TestTwoTopicsInOneGroup(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1)
	other := *b
	other.cfg.Topic += "-other"
	other.createTopic(other.cfg.Topic, 3)
	var log logBuffer
	first := b.start(Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(&log, nil))})
	first.owns(1)
	second := other.start(Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(&log, nil))})
	second.owns(3)
	first.owns(1)
	joined := first.Status().Generation
	b.publish(0, values("a", 5)...)
	other.publish(2, values("b", 5)...)
	b.eventually("all consumed", func() bool { return first.seen.count("consumed") == 5 && second.seen.count("consumed") == 5 })
	looks := time.NewTimer(20 * b.cfg.PartitionWatch)
	defer looks.Stop()
	<-looks.C
	if now := first.Status().Generation; now != joined {
		t.Errorf("generation %d became %d: the group rebalanced without a cause", joined, now)
	}
	if n := strings.Count(log.String(), "the group reads other topics too"); n != 1 {
		t.Errorf("other topics are named %d times; want once:\n%s", n, log.String())
	}
}
