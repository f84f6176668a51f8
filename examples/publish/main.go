// Publish shows how an application publishes a finished model request.
//
//	go run ./cmd/evalworker demo --keep          # prints a broker's address
//	KAFKA_BROKERS=ADDRESS go run ./examples/publish
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
	err = em.Emit(ctx, event.Event{
		RequestID: "req_9f3a", Feature: "support_agent", Environment: "prod",
		PromptName: "support_triage", PromptVersion: "2026-06-01.3",
		Provider: "anthropic", Model: "claude-sonnet-4", Status: "success",
		InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.0),
		Input:  event.Text("Where is my order?"),
		Output: event.Text(`{"reply": "It left our warehouse on Monday."}`), OutputSchema: "support_reply",
	})
	if err != nil {
		return err
	}
	if err := em.Flush(ctx); err != nil {
		return err
	}
	fmt.Printf("published: %+v\n", em.Stats())
	return nil
}
