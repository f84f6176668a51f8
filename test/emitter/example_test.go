package emitter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

func Example() {
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{emitter.DefaultTopic: 4}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	em, err := emitter.New(emitter.Config{Brokers: []string{broker.Addr()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = em.Emit(ctx, event.Event{
		RequestID: "req_9f3a", Feature: "support_agent", PromptVersion: "2026-06-01.3",
		Input: event.Text("Where is my parcel?"), Output: event.Text("It arrives tomorrow."),
	})
	if err != nil {
		fmt.Println(err) // the request goes on all the same
	}

	if err := em.Close(ctx); err != nil { // for ten seconds at most, even if ctx has ended
		fmt.Println(err)
	}
	fmt.Println("sent:", em.Stats().Sent)
	// Output: sent: 1
}

// Events that could not be sent are named, so that they can be kept elsewhere.
func ExampleUnsentError() {
	em, err := emitter.New(emitter.Config{Brokers: []string{"127.0.0.1:1"}, MaxAttempts: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := em.Emit(ctx, event.Event{RequestID: "req_1"}); err != nil {
		fmt.Println(err)
	}
	if unsent, ok := errors.AsType[*emitter.UnsentError](em.Close(ctx)); ok {
		fmt.Println(unsent.Count, unsent.RequestIDs)
	}
	// Output: 1 [req_1]
}

// Events that were given up can be kept, and published later with "emitter send FILE".
func ExampleConfig_unsent() {
	em, err := emitter.New(emitter.Config{
		Brokers: []string{"127.0.0.1:1"}, MaxAttempts: 1,
		Unsent: func(events []emitter.UnsentEvent, _ error) {
			for _, e := range events {
				fmt.Println(e.RequestID, len(e.Value) > 0) // or append e.Value and a line break to a file
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := em.Emit(ctx, event.Event{RequestID: "req_1"}); err != nil {
		fmt.Println(err)
	}
	_ = em.Close(ctx) // it reports them as well
	// Output: req_1 true
}

// Events that are left are published first the next time, which keeps the order.
func ExamplePublisher() {
	p, err := emitter.NewPublisher(emitter.Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	value := []byte(`{"event":"llm_request_completed","request_id":"req_1"}`)
	ev, err := event.Decode(value)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := p.Publish(context.Background(), []emitter.EncodedEvent{{Event: ev, Value: value}})
	fmt.Println(out.Written, "written,", len(out.Rejected), "refused,", len(out.Left), "left:", err != nil)
	// Output: 0 written, 0 refused, 1 left: true
}

func ExampleTraceparent() {
	traceID, spanID := [16]byte{15: 0x2a}, [8]byte{7: 0x07}
	fmt.Println(emitter.Traceparent(traceID, spanID, true, "")["traceparent"])
	// Output: 00-0000000000000000000000000000002a-0000000000000007-01
}

func ExampleFromHeader() {
	h := http.Header{}
	h.Set("traceparent", "00-0000000000000000000000000000002a-0000000000000007-01")
	h.Set("Authorization", "stays here")
	fmt.Println(emitter.FromHeader(h))
	// Output: map[traceparent:00-0000000000000000000000000000002a-0000000000000007-01]
}
