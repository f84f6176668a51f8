// Publish shows how an application publishes finished requests to a model.
//
//	KAFKA_BROKERS=localhost:9092 go run ./examples/publish
//
// docs/publish.md has the way from here to the first score.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv("KAFKA_BROKERS"))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

// answers stand in for a model. The second is not the JSON that was asked for.
var answers = [][2]string{
	{"Where is my parcel?", `{"answer": "It arrives today.", "category": "shipping", "confidence": 0.9, "citations": [], "needs_human": false}`},
	{"May I send it back?", "Yes, within 30 days."},
}

func run(ctx context.Context, brokers string) (err error) {
	if brokers == "" {
		return errors.New("set KAFKA_BROKERS to the address of a broker, such as localhost:9092")
	}
	// Once, when the application starts. With dd-trace-go, ddtrace.FromContext as
	// TraceContext ties each event to the active span.
	em, err := emitter.New(emitter.Config{
		Brokers: strings.Split(brokers, ","),
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)), // of what goes wrong
	})
	if err != nil {
		return err
	}
	// Writes what is buffered and reports what could not be sent, for ten seconds at most,
	// also when a signal has ended ctx.
	defer func() { err = errors.Join(err, em.Close(ctx)) }()

	// For each finished request. Emit does not wait for the network.
	for i, a := range answers {
		err := em.Emit(ctx, event.Event{
			RequestID:  event.RequestID(fmt.Sprintf("go_%d_%d", time.Now().UnixNano(), i)), // unique
			PromptName: "first_go", PromptVersion: "v1", Status: "success",
			Input: event.Text(a[0]), Output: event.Text(a[1]),
		})
		if err != nil {
			return err
		}
	}
	if err := em.Flush(ctx); err != nil {
		return err
	}
	fmt.Println("sent:", em.Stats().Sent)
	return nil
}
