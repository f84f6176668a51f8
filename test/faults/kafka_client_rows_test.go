package faults

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
)

// clientRows are about what a worker shares with other clients of the cluster: a group,
// and a quota.
func clientRows() []scenario {
	return []scenario{
		{name: "two-topics", title: "two deployments with a topic each in one group", group: groupKafka, ci: true, run: twoTopicsRow},
		{name: "quota", title: "a byte quota on the worker", group: groupKafka, ci: true, run: quotaRow},
	}
}

// twoTopicsRow starts a worker of another topic in the same group. That is one
// rebalance; the leader then finds its own topic as it assigned it, however often it
// looks.
func twoTopicsRow(w *world) {
	const (
		looks  = time.Second // between looks at the topic, so that the row is short
		lasts  = 8 * looks
		events = 1000
	)
	other := newWorld(w.t, w.suite, scenario{name: "two-topics-other"})
	other.group = w.group
	for _, each := range []*world{w, other} {
		each.kafkaConfig(32, "partition_watch: "+looks.String())
	}
	w.begin(4, "A")
	w.publish(events)
	w.answered(events / 4)
	alone, _ := w.workers["A"].status()
	other.begin(8, "B") // more partitions than the other topic has
	joined := time.Now()
	w.joined(4, "A")
	other.publish(events)
	other.answered(events / 4)
	generations := func() [2]int32 {
		a, _ := w.workers["A"].status()
		b, _ := other.workers["B"].status()
		return [2]int32{a.Consumer.Generation, b.Consumer.Generation}
	}
	first := generations()
	w.bound(first[0] == alone.Consumer.Generation+1 && first[1] == first[0], "generation %d became %d and %d, want one rebalance", alone.Consumer.Generation, first[0], first[1])
	w.lasting(lasts - time.Since(joined))
	if last := generations(); last != first {
		w.bound(false, "generations %v became %v without a cause", first, last)
	}
	w.publish(events)
	other.publish(events)
	w.settled()
	other.settled()
	named := len(w.workers["A"].linesOf(sharedGroup)) + len(other.workers["B"].linesOf(sharedGroup))
	w.bound(named == 1, "the log names the other topic %d times, want once", named)
	w.finish()
	w.nothingRepeated()
	other.finish()
	other.nothingRepeated()
	w.row.broken = append(w.row.broken, other.row.broken...)
	w.note("the other: %d events, %d lost, %d repeated", other.row.in, other.row.lost, other.row.repeated)
}

// sharedGroup is what a worker logs about topics of others in its group.
const sharedGroup = "the group reads other topics too: give each deployment a group of its own"

// quotaRow limits what a worker may fetch. A broker answers a client over its quota at
// once, with nothing, even the first fetch of a connection, and then not at all for a
// while. Such an answer says nothing about the partition, so the worker has to wait.
func quotaRow(w *world) {
	const (
		client = "faults-quota"
		// perSec is in bytes. What the broker allows at once, eleven times that, is less
		// than the topic holds, so that some connections get nothing at first.
		perSec   = 5000
		events   = 1200
		shortest = 9 * time.Second // a worker that starts takes half of that without a quota
	)
	w.setQuota(client, perSec)
	w.allSound = true
	w.kafkaConfig(256, "client_id: "+client, "max_in_flight_bytes: 67108864")
	w.open(8)
	w.publish(events)
	began := time.Now()
	a := w.start("A")
	down, seen := 0, 0
	w.eventually("all events are evaluated", func() bool {
		if s, ok := a.status(); ok && s.Consumer.Joined {
			if seen++; seen == 1 {
				a.fault() // a broker that has just been started has no coordinator at first
			}
			down = max(down, s.Consumer.PartitionsDown())
		}
		return w.model.answers() >= len(w.ledger.published)-len(w.ledger.broken)
	})
	took := time.Since(began)
	w.tells(a, "200", "")
	w.finish()
	w.nothingRepeated()
	interrupted := len(a.linesOf("fetching interrupted; trying again"))
	w.note("read in %.1f s", took.Seconds())
	w.bound(took >= shortest, "read in %.1f s: the quota had no effect", took.Seconds())
	w.bound(seen > 0 && down == 0, "%d partitions down at once, in %d looks", down, seen)
	w.bound(interrupted == 0, "the worker connected again: %d lines", interrupted)
}

// setQuota limits the bytes a second that a client id may fetch, until the row ends.
func (w *world) setQuota(client string, perSec float64) {
	w.t.Helper()
	broker, err := w.suite.broker(w.t.Context())
	w.must(err)
	w.kafka = broker
	w.connect(broker.Addr())
	alter := func(ctx context.Context, op kafka.AlterClientQuotaOps) error {
		op.Key = "consumer_byte_rate"
		res, err := w.client.AlterClientQuotas(ctx, &kafka.AlterClientQuotasRequest{Entries: []kafka.AlterClientQuotaEntry{{
			Entities: []kafka.AlterClientQuotaEntity{{EntityType: "client-id", EntityName: client}}, Ops: []kafka.AlterClientQuotaOps{op},
		}}})
		if err == nil {
			err = res.Entries[0].Error
		}
		return err
	}
	w.must(alter(w.t.Context(), kafka.AlterClientQuotaOps{Value: perSec}))
	w.t.Cleanup(func() {
		if err := alter(context.WithoutCancel(w.t.Context()), kafka.AlterClientQuotaOps{Remove: true}); err != nil {
			w.t.Error(err)
		}
	})
}
