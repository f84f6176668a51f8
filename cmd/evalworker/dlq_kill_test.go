package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestDLQKilled: a redrive that is killed while it works loses no letter, and the
// next one publishes at most one batch of them again.
func TestDLQKilled(t *testing.T) {
	t.Parallel()
	// The output for so many letters does not fit into a pipe that is not read, so
	// the process is still working when it is killed.
	const letters, batch, read = 6000, 100, 250
	w := newDeadWorld(t)
	const topic = "llm.requests.completed"
	if err := w.broker.CreateTopic(topic+".dead", 1); err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(w.broker.Addr()), Transport: transport}
	records := make([]kafka.Record, letters)
	for i := range records {
		id := fmt.Sprintf("r%d", i)
		h := func(key, value string) kafka.Header {
			return kafka.Header{Key: "evalworker-" + key, Value: []byte(value)}
		}
		records[i] = kafka.Record{
			Key: kafka.NewBytes([]byte(id)), Value: kafka.NewBytes([]byte(`{"event":"llm_request_completed","request_id":"` + id + `"}`)),
			Headers: []kafka.Header{h("reason", "panic"), h("origin-topic", topic), h("origin-partition", "0"), h("origin-offset", fmt.Sprint(i))},
		}
	}
	for len(records) > 0 {
		n := min(1000, len(records))
		res, err := client.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: topic + ".dead", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records[:n]...),
		})
		if err != nil || res.Error != nil {
			t.Fatal(err, res)
		}
		records = records[n:]
	}

	victim := exec.CommandContext(t.Context(), "evalworker", "dlq", "redrive", "--all", "--json", "--config", w.config)
	victim.Env = os.Environ()
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := range read {
		if !lines.Scan() {
			t.Fatalf("it ended after %d letters: %v", n, victim.Wait())
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // killed
	before := published(t, client, topic)
	if len(before) < read || len(before) == letters {
		t.Fatalf("%d of %d letters were published when it was killed after %d reports", len(before), letters, read)
	}

	w.dlq(cli.ExitOK, "redrive", "--all")
	total := 0
	after := published(t, client, topic)
	for _, n := range after {
		total += n
	}
	if len(after) != letters || total > letters+batch {
		t.Errorf("%d of %d letters were published, %d times in all; want each, and at most %d twice", len(after), letters, total, batch)
	}
	t.Logf("killed after %d letters; %d published twice", len(before), total-letters)
}

// published counts the messages of a topic's only partition by key.
func published(t *testing.T, client *kafka.Client, topic string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for next := int64(0); ; {
		res, err := client.Fetch(t.Context(), &kafka.FetchRequest{Topic: topic, Offset: next, MinBytes: 1, MaxBytes: 1 << 20})
		if err != nil || res.Error != nil {
			t.Fatal(err, res)
		}
		if next == res.HighWatermark {
			return out
		}
		for {
			r, err := res.Records.ReadRecord()
			if err != nil {
				break // the end of what this fetch brought
			}
			key, err := kafka.ReadAll(r.Key)
			if err != nil {
				t.Fatal(err)
			}
			if r.Offset >= next {
				out[string(key)]++
				next = r.Offset + 1
			}
		}
	}
}
