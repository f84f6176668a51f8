// Withhold keeps content from Kafka: what it leaves out never leaves the process.
//
//	KAFKA_BROKERS=localhost:9092 go run ./examples/withhold
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/redact"
)

func main() {
	if err := run(context.Background(), strings.Split(os.Getenv("KAFKA_BROKERS"), ",")); err != nil {
		fmt.Fprintln(os.Stderr, "withhold:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, brokers []string) (err error) {
	redactor, err := redact.New(redact.Config{})
	if err != nil {
		return err
	}
	em, err := emitter.New(emitter.Config{Brokers: brokers, Prepare: func(e *event.Event) bool {
		switch e.Feature {
		case "internal":
			return false // is not published at all
		case "health":
			e.Withhold("health")
		}
		return redactor.Prepare(e) // secrets and personal data of all others
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, em.Close(ctx)) }()
	for _, feature := range []string{"internal", "health", "support"} {
		err := em.Emit(ctx, event.Event{
			RequestID: event.RequestID(fmt.Sprintf("%s_%d", feature, time.Now().UnixNano())), Feature: feature, Status: "success",
			Input: event.Text("my question"), Output: event.Text("the answer"),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
