package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/kafka/fetch"
)

// TestDialLeader reads from a broker what a Writer has published.
func TestDialLeader(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a broker")
	}
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{"events": 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	const n = 1000
	w := &kafka.Writer{Addr: kafka.TCP(broker.Addr()), Topic: "events", RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd, Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return 1 })}
	var all []kafka.Message
	for i := range n {
		all = append(all, kafka.Message{Value: fmt.Append(nil, i), Headers: []kafka.Header{{Key: "number", Value: fmt.Append(nil, i)}}})
	}
	if err := errors.Join(w.WriteMessages(t.Context(), all...), w.Close()); err != nil {
		t.Fatal(err)
	}

	cfg := conn.DefaultConfig()
	cfg.Brokers = []string{broker.Addr()}
	d := fetch.NewDialer(fetch.Config{ClientID: "test", MaxWait: 10 * time.Millisecond, MaxBytes: 1 << 20, Timeout: 10 * time.Second}, conn.NewDialer(cfg))
	if _, err := d.DialLeader(t.Context(), broker.Addr(), "nothing", 0); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("a topic that is not there: %v", err)
	}
	conn, err := d.DialLeader(t.Context(), broker.Addr(), "events", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var m event.Message
	for next := 10; next < n; {
		if err := conn.Fetch(int64(next)); err != nil {
			t.Fatal(err)
		}
		for {
			err := conn.Next(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Offset != int64(next) || string(m.Value) != fmt.Sprint(next) || len(m.Headers) != 1 || string(m.Headers[0].Value) != fmt.Sprint(next) || conn.Control() {
				t.Fatalf("offset %d: %+v", next, m)
			}
			next++
		}
		if conn.Offset() != int64(next) || conn.High() != n {
			t.Fatalf("offset %d, high %d after %d", conn.Offset(), conn.High(), next)
		}
	}
	if err := conn.Fetch(n + 1); !errors.Is(err, kafka.OffsetOutOfRange) {
		t.Errorf("beyond the end: %v", err)
	}
	if err := conn.Fetch(n); err != nil {
		t.Errorf("after an error: %v", err)
	}
	if err := conn.Next(&m); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}
