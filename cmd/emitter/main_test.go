package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) {
	testscript.Main(leaks.Checked(m), map[string]func(){"emitter": main})
}

const topic = "llm.requests.completed"

// TestScripts: each script has a broker of its own, at $KAFKA_BROKERS. The command
// "records FILE" writes what the topic holds into a file, a record a line: key,
// headers, value.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			b, err := broker.Start(broker.Config{Topics: map[string]int32{topic: 1}})
			if err != nil {
				return err
			}
			env.Defer(b.Close)
			env.Setenv("KAFKA_BROKERS", b.Addr())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"records": records},
	})
}

func records(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: records FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addr := ts.Getenv("KAFKA_BROKERS")
	conn, err := kafka.DialLeader(ctx, "tcp", addr, topic, 0)
	ts.Check(err)
	last, err := conn.ReadLastOffset()
	ts.Check(err)
	ts.Check(conn.Close())

	var text strings.Builder
	if last > 0 {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 4 << 20})
		for range last {
			m, err := r.ReadMessage(ctx)
			ts.Check(err)
			fmt.Fprintf(&text, "%s ", m.Key)
			for _, h := range m.Headers {
				fmt.Fprintf(&text, "%s=%s;", h.Key, h.Value)
			}
			fmt.Fprintf(&text, " %s\n", m.Value)
		}
		ts.Check(r.Close())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
}
