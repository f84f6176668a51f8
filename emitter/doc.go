// Package emitter is the client with which an application publishes its finished
// model requests for evaluation.
//
//	em, err := emitter.New(emitter.Config{Brokers: []string{"kafka:9092"}, TraceContext: ddtrace.FromContext})
//	if err != nil {
//		return err
//	}
//	defer em.Close(ctx)
//	...
//	err = em.Emit(ctx, event.Event{RequestID: "req_9f3a", Feature: "support_agent", Output: event.Text(answer)})
//
// # What a request pays
//
// Emit encodes the event, puts it into a buffer and returns; everything that
// waits for the network happens behind it. The buffer is bounded in events and
// in bytes, what is being sent included. When it is full, Emit returns [ErrFull]
// at once and counts it or, with Config.Block, waits until there is room or its
// context is done. An application that must never notice ignores the error.
//
// # What is guaranteed
//
// An event that Emit accepted is written at least once or reported as unsent: by
// the next Flush or Close as an [UnsentError], and at the moment it is given up
// to Config.Unsent, which is after two minutes of trying (Config.RetryFor). Writes
// wait for all in-sync replicas. A write whose time ran out may have been written
// all the same and is tried again, so an event can arrive twice; its request id
// makes that harmless. Events of one trace go to one partition; their order is not
// kept.
//
// # In order
//
// A program that keeps its events somewhere safe itself, as the command emitter
// serve does, writes them with a [Publisher]: in order per key, and nothing is
// ever given up.
//
// # On the wire
//
// The value is the event as JSON. The key is the trace id as 32 hexadecimal
// digits, or the request id where there is no trace. The headers carry the
// envelope ([event.Event.Headers]), by which workers decide without decoding.
//
// # What it is not
//
// It keeps nothing on disk: a process that is killed loses what it buffered. It
// neither samples nor redacts; both are the worker's.
package emitter
