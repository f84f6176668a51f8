package deadletter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evalworker/evalworker/eval"
)

// TestEachRecord covers what a fetch may return besides the messages asked for.
func TestEachRecord(t *testing.T) {
	t.Parallel()
	batch := func(offsets ...int64) protocol.RecordReader {
		var rs []protocol.Record
		for _, o := range offsets {
			rs = append(rs, protocol.Record{Offset: o, Value: protocol.NewBytes([]byte("v"))})
		}
		return &protocol.RecordBatch{Records: protocol.NewRecordReader(rs...)}
	}
	control := func(offset int64) protocol.RecordReader {
		return &protocol.ControlBatch{Records: protocol.NewRecordReader((&protocol.ControlRecord{Offset: offset}).Record())}
	}
	tests := []struct {
		name    string
		batches []protocol.RecordReader
		seen    []int64
		after   int64
		some    bool
	}{
		{"nothing", nil, nil, 5, false},
		{"from the middle of a batch to the end of the span", []protocol.RecordReader{batch(3, 4, 5, 6), batch(7, 8, 9, 10, 11)}, []int64{5, 6, 7, 8, 9}, 12, true},
		{"gaps of compaction", []protocol.RecordReader{batch(5, 8), batch(9)}, []int64{5, 8, 9}, 10, true},
		{"a marker of a transaction is no message", []protocol.RecordReader{batch(5), control(6), batch(7)}, []int64{5, 7}, 8, true},
		{"a marker at the end", []protocol.RecordReader{control(5)}, nil, 6, true},
		{"a batch whose end was compacted away", []protocol.RecordReader{batch(3, 4)}, nil, 5, true},
		{"a batch of which nothing is left", []protocol.RecordReader{batch()}, nil, 5, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := kafka.NewRecordReader()
			if tt.batches != nil {
				in = &protocol.RecordStream{Records: tt.batches}
			}
			var seen []int64
			after, some, err := eachRecord(in, 5, 10, func(r *kafka.Record) error { seen = append(seen, r.Offset); return nil })
			if err != nil || after != tt.after || some != tt.some {
				t.Errorf("walk = %d, %v, %v; want %d, %v", after, some, err, tt.after, tt.some)
			}
			if diff := cmp.Diff(tt.seen, seen); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScanTransactions: markers of transactions are not letters, even if one is the
// last record of a partition.
func TestScanTransactions(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	c, err := kgo.NewClient(kgo.SeedBrokers(b.broker.Addr()), kgo.TransactionalID("t"), kgo.DefaultProduceTopic(b.cfg.DeadLetters()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for i := range 2 {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int64{4}, b.ends(b.cfg.DeadLetters())); diff != "" {
		t.Fatalf("ends (-want +got):\n%s", diff)
	}
	got, sum := b.list(Filter{})
	if diff := cmp.Diff([]string{"0:0  ", "0:2  "}, got); diff != "" || sum.Letters != 2 {
		t.Errorf("%+v (-want +got):\n%s", sum, diff)
	}
}

// TestScanWhileRetentionDeletes: messages deleted during the scan are passed over.
func TestScanWhileRetentionDeletes(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for i := range 5 {
		b.write(b.cfg.DeadLetters(), 0, b.letter(fmt.Sprint(i), eval.ReasonPanic, i))
	}
	if err := b.broker.DeleteRecords(b.cfg.DeadLetters(), 0, 3); err != nil {
		t.Fatal(err)
	}
	var seen []int64
	err := b.open().scan(t.Context(), b.cfg.DeadLetters(), span{0, 0, 5}, func(r *kafka.Record) error { seen = append(seen, r.Offset); return nil })
	if diff := cmp.Diff([]int64{3, 4}, seen); diff != "" || err != nil {
		t.Errorf("scan: %v (-want +got):\n%s", err, diff)
	}
	if got, _ := b.list(Filter{}); !cmp.Equal(got, []string{"0:3 3 panic", "0:4 4 panic"}) {
		t.Errorf("list: %v", got)
	}
	if err := b.open().scan(t.Context(), b.cfg.DeadLetters(), span{0, 9, 12}, func(*kafka.Record) error { return nil }); err == nil {
		t.Error("a partition that ends before its span is no error")
	}
}

// TestScanEnds: messages written during the scan are not read.
func TestScanEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.write(b.cfg.DeadLetters(), 0, b.letter("a", eval.ReasonPanic, 0))
	var got []string
	_, err := b.open().List(t.Context(), Filter{}, false, nil, func(l *Letter) error {
		got = append(got, string(l.Key))
		b.write(b.cfg.DeadLetters(), 0, b.letter("b", eval.ReasonPanic, 1))
		return nil
	})
	if err != nil || len(got) != 1 {
		t.Errorf("List: %v, %v", got, err)
	}
	fault := errors.New("the caller's")
	if _, err := b.open().List(t.Context(), Filter{}, false, nil, func(*Letter) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("List: %v, want the caller's error", err)
	}
}

// TestBrokerAway: the error of a broker that cannot be reached names it.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	const nobody = "127.0.0.1:1" // another test may listen on the address of a broker that was closed
	b.cfg.Brokers = []string{nobody}
	q := b.open()
	q.retryLimit = time.Second
	want := "look up topic events.dead: broker " + nobody + " cannot be reached: connect: connection refused"
	if _, err := q.List(t.Context(), Filter{}, false, nil, nil); err == nil || err.Error() != want {
		t.Errorf("List without a broker: %v, want %s", err, want)
	}
	if _, err := q.bounds(t.Context(), "events", []int{0}); err == nil || strings.Contains(err.Error(), "Client") || !strings.Contains(err.Error(), nobody) {
		t.Errorf("the bounds without a broker: %v, want its address and no functions", err)
	}
}
