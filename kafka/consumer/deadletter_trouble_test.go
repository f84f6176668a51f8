package consumer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	metadataAPI "github.com/segmentio/kafka-go/protocol/metadata"
	produceAPI "github.com/segmentio/kafka-go/protocol/produce"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
)

// slowBroker stands for the brokers of the dead letter topic, with slow writes.
type slowBroker struct {
	partitions int
	takes      atomic.Int64 // nanoseconds; below zero: no answer at all

	mu        sync.Mutex
	now, most int                   // guarded by mu; writes under way
	stored    map[int]int           // guarded by mu; letters by partition
	bad       []*produceAPI.Request // guarded by mu; that do not wait for the replicas
}

func (b *slowBroker) RoundTrip(ctx context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	switch r := req.(type) {
	case *metadataAPI.Request:
		return &metadataAPI.Response{Topics: []metadataAPI.ResponseTopic{{
			Name: r.TopicNames[0], Partitions: make([]metadataAPI.ResponsePartition, b.partitions),
		}}}, nil
	case *produceAPI.Request:
		return b.produce(ctx, r)
	}
	return nil, fmt.Errorf("%T", req)
}

func (b *slowBroker) produce(ctx context.Context, r *produceAPI.Request) (kafka.Response, error) {
	b.begin(r)
	hangs := time.Duration(b.takes.Load())
	if hangs < 0 {
		hangs = time.Hour
	}
	whole := backoff.Wait(ctx, hangs)
	b.end(r, whole)
	if !whole {
		return nil, ctx.Err()
	}
	return &produceAPI.Response{Topics: []produceAPI.ResponseTopic{{
		Topic: r.Topics[0].Topic, Partitions: make([]produceAPI.ResponsePartition, 1),
	}}}, nil
}

func (b *slowBroker) begin(r *produceAPI.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now++
	b.most = max(b.most, b.now)
	if time.Duration(r.Timeout)*time.Millisecond < time.Second || r.Acks != int16(kafka.RequireAll) {
		b.bad = append(b.bad, r)
	}
}

func (b *slowBroker) end(r *produceAPI.Request, stored bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now--
	if stored {
		b.stored[int(r.Topics[0].Partitions[0].Partition)]++
	}
}

// lettersOn returns a consumer whose dead letters go to a slowBroker.
func lettersOn(t *testing.T, partitions int) (*Consumer, *slowBroker, *tally) {
	t.Helper()
	seen := &tally{counts: make(map[string]int)}
	c, err := New(DefaultConfig(), Deps{Handle: new(notebook).Handle, Observe: seen})
	if err != nil {
		t.Fatal(err)
	}
	b := &slowBroker{partitions: partitions, stored: make(map[int]int)}
	c.letters.client.Transport = b
	return c, b, seen
}

// putAsideAll puts n messages aside at once.
func putAsideAll(ctx context.Context, c *Consumer, n int) *sync.WaitGroup {
	fault := eval.Permanent(eval.ReasonMalformed, errors.New("no event"))
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { c.putAside(ctx, &event.Message{Value: []byte("x"), Offset: int64(i)}, fault, 1) })
	}
	return &all
}

// TestExitWithDeadLettersThatHang: writes that hang end with the time to shut down,
// and none of them is made later.
func TestExitWithDeadLettersThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, broker, _ := lettersOn(t, 1)
		broker.takes.Store(-1)
		ctx, stop := context.WithCancel(t.Context())
		all := putAsideAll(ctx, c, 100)
		<-time.After(time.Minute)
		stop()
		stopped := time.Now()
		all.Wait()
		if err := c.stopWorkers(); err != nil {
			t.Error(err)
		}
		if d := time.Since(stopped); d > time.Second {
			t.Errorf("ended %v after the order to stop", d)
		}
		broker.takes.Store(0)
		<-time.After(time.Hour)
		if diff := cmp.Diff(map[int]int{}, broker.stored); diff != "" {
			t.Errorf("stored after the end (-want +got):\n%s", diff)
		}
	})
}

// TestDeadLettersAfterAHang: a letter whose write was given up is written once, by
// the next attempt.
func TestDeadLettersAfterAHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const letters = 100
		c, broker, seen := lettersOn(t, 1)
		broker.takes.Store(-1)
		all := putAsideAll(t.Context(), c, letters)
		<-time.After(5 * time.Minute)
		broker.takes.Store(int64(5 * time.Millisecond))
		well := time.Now()
		all.Wait()
		if diff := cmp.Diff(map[int]int{0: letters}, broker.stored); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if got := seen.count("dead malformed"); got != letters {
			t.Errorf("%d dead letters counted, want %d", got, letters)
		}
		if d, most := time.Since(well), publishTimeout+c.cfg.RetryMax+time.Second; d > most {
			t.Errorf("written %v after the broker was well, want %v at most", d, most)
		}
	})
}

// TestManyDeadLettersAtOnce: letters that wait for others do not time out, and are
// written once.
func TestManyDeadLettersAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const letters, each = 256, publishTimeout - time.Second
		c, broker, _ := lettersOn(t, 1)
		broker.takes.Store(int64(each))
		began := time.Now()
		putAsideAll(t.Context(), c, letters).Wait()
		if diff := cmp.Diff(map[int]int{0: letters}, broker.stored); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if broker.most != letterSlots {
			t.Errorf("%d written at once, want %d", broker.most, letterSlots)
		}
		if d, want := time.Since(began), letters/letterSlots*each; d != want {
			t.Errorf("took %v, want %v", d, want)
		}
		if len(broker.bad) > 0 {
			t.Errorf("%d writes do not wait for the replicas: %+v", len(broker.bad), *broker.bad[0])
		}
	})
}

// TestDeadLettersOfAKeyShareAPartition: it is the one that kafka-go's writers choose,
// so that an update of the program changes nothing; without a key they go round.
func TestDeadLettersOfAKeyShareAPartition(t *testing.T) {
	t.Parallel()
	const partitions = 3
	c, broker, _ := lettersOn(t, partitions)
	fault := eval.Permanent(eval.ReasonMalformed, errors.New("no event"))
	want := make(map[int]int)
	for _, key := range values("key", 20) {
		want[(&kafka.Hash{}).Balance(kafka.Message{Key: []byte(key)}, 0, 1, 2)]++
		c.putAside(t.Context(), &event.Message{Key: []byte(key)}, fault, 1)
	}
	for p := range partitions {
		want[p]++
		c.putAside(t.Context(), &event.Message{Value: []byte("no key")}, fault, 1)
	}
	if diff := cmp.Diff(want, broker.stored); diff != "" {
		t.Errorf("letters by partition (-want +got):\n%s", diff)
	}
}
