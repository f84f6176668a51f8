package consumer

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	boundsAPI "github.com/segmentio/kafka-go/protocol/listoffsets"
	commitAPI "github.com/segmentio/kafka-go/protocol/offsetcommit"
)

// refuseOnceTransport accepts the first commit for its first partition only.
type refuseOnceTransport struct {
	kafka.RoundTripper
	refused   atomic.Bool
	meanwhile func() // happens before it answers
}

func (r *refuseOnceTransport) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	commit, ok := req.(*commitAPI.Request)
	if !ok || r.refused.Swap(true) {
		return r.RoundTripper.RoundTrip(ctx, addr, req)
	}
	topic := &commit.Topics[0]
	rest := topic.Partitions[1:]
	topic.Partitions = topic.Partitions[:1]
	res, err := r.RoundTripper.RoundTrip(ctx, addr, commit)
	if err != nil {
		return nil, err
	}
	answer := &res.(*commitAPI.Response).Topics[0]
	for _, p := range rest {
		answer.Partitions = append(answer.Partitions, commitAPI.ResponsePartition{
			PartitionIndex: p.PartitionIndex, ErrorCode: int16(kafka.UnknownTopicOrPartition),
		})
	}
	r.meanwhile()
	return res, nil
}

// TestStartLastInParts: the broker accepts the first commit of a new group for one
// partition, and refuses the others once. These still begin at the end that they had
// at first, and not at their first message.
func TestStartLastInParts(t *testing.T) {
	t.Parallel()
	const partitions, old = 3, 10
	b := newTestbed(t, partitions)
	for p := range partitions {
		b.publish(p, values("old", old)...)
	}
	b.cfg.Start = StartLast
	c, err := New(b.cfg, Deps{Handle: new(notebook).Handle})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.transport.CloseIdleConnections)
	broker := &refuseOnceTransport{RoundTripper: c.client.Transport, meanwhile: func() {
		for p := range partitions {
			b.publish(p, "new")
		}
	}}
	c.client.Transport = broker
	if !c.beginGroup(t.Context()) || !broker.refused.Load() {
		t.Fatal("the group has no beginning")
	}
	got := make(map[int]int64)
	for p := range partitions {
		got[p] = b.stored(p)
	}
	if diff := cmp.Diff(map[int]int64{0: old, 1: old, 2: old}, got); diff != "" {
		t.Errorf("where the group begins (-want +got):\n%s", diff)
	}
}

func TestFindStart(t *testing.T) {
	t.Parallel()
	b := logBounds{first: 10, last: 20}
	tests := []struct {
		name   string
		next   int64
		policy OutOfRange
		want   startPoint
	}{
		{"nothing stored", unknownOffset, OutOfRangeLast, startPoint{offset: 10}},
		{"inside", 15, OutOfRangeFirst, startPoint{offset: 15}},
		{"at the first", 10, OutOfRangeFirst, startPoint{offset: 10}},
		{"at the end", 20, OutOfRangeFirst, startPoint{offset: 20}},
		{"deleted before it was read", 7, OutOfRangeFirst, startPoint{offset: 10}},
		{"beyond the end, start over", 21, OutOfRangeFirst, startPoint{offset: 10, beyond: true}},
		{"beyond the end, go to it", 21, OutOfRangeLast, startPoint{offset: 20, beyond: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := findStart(tt.next, b, tt.policy); got != tt.want {
				t.Errorf("findStart(%d) = %+v, want %+v", tt.next, got, tt.want)
			}
		})
	}
}

// lostTransport answers requests for bounds as kafka-go does when a leader is not reached.
type lostTransport struct{}

func (lostTransport) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	res := &boundsAPI.Response{}
	for _, topic := range req.(*boundsAPI.Request).Topics {
		answer := boundsAPI.ResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			answer.Partitions = append(answer.Partitions, boundsAPI.ResponsePartition{Partition: p.Partition, ErrorCode: -1})
		}
		res.Topics = append(res.Topics, answer)
	}
	return res, nil
}

// TestBoundsOfALostLeader: a leader that cannot be reached is not reported as one that has
// failed.
func TestBoundsOfALostLeader(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	c, err := New(cfg, Deps{Handle: new(notebook).Handle})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.transport.CloseIdleConnections)
	c.client.Transport = lostTransport{}
	_, err = c.bounds(t.Context(), []int{3})
	want := "broker localhost:9092: list offsets of " + cfg.Topic + "/3: its leader cannot be reached, or does not answer"
	if err == nil || c.describe(err).Error() != want {
		t.Errorf("%v, want %s", c.describe(err), want)
	}
}
