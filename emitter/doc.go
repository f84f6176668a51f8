// Package emitter publishes an application's finished model requests to Kafka, where
// evalworker evaluates them.
//
//	em, err := emitter.New(emitter.Config{Brokers: []string{"kafka:9092"}, TraceContext: ddtrace.FromContext})
//	if err != nil {
//		return err
//	}
//	defer em.Close(ctx) // writes what is buffered, also when ctx has ended by then
//	...
//	err = em.Emit(ctx, event.Event{RequestID: "req_9f3a", Feature: "support_agent", Output: event.Text(answer)})
//
// # What a request pays
//
// Emit encodes the event, puts it into a buffer and returns; goroutines of the
// emitter do everything that waits for the network. The buffer is bounded in events
// and in bytes, including what is being sent. When it is full, Emit counts the event
// and returns [ErrFull] at once or, with Config.Block, waits until there is room or
// its context is done. An application may ignore the error. While Kafka is away Emit
// costs no more than before, and memory stays within the buffer's bounds. A panic in a
// function of the Config does not reach the request.
//
// # What is guaranteed
//
// As long as the process lives, an event that Emit accepted is written at least once
// or reported as unsent: to Config.Unsent, which gets the event itself, at the moment it
// is given up, which is after two minutes of trying (Config.RetryFor), and by the next
// Flush or Close as an [UnsentError]. Writes wait
// for all in-sync replicas. A write that timed out may have happened and is tried
// again, so an event can arrive twice. It is then evaluated twice, but its request id
// keeps it one occurrence of its case. Events of one trace go to one partition; their
// order is not kept.
//
// # The end of an application
//
// An application that is told to end (SIGTERM) calls [Emitter.Close]. The context of its
// work has ended by then, as that of signal.NotifyContext; Close does not mind, and takes
// until the context's deadline or, without one, for Config.CloseTimeout. A container
// needs that time between SIGTERM and SIGKILL. Flush does end with its context, because
// the events stay in flight.
//
// # When something is wrong
//
// [Emitter.Err] and [Stats] say why the latest attempt failed, since when, and whether
// that is over; errors of Flush and Close say it too. Config.Logger is told of each
// trouble once a minute. An event that workers would refuse is refused by Emit.
//
// # In order
//
// A program that keeps its events somewhere safe itself, as the command emitter
// serve does, writes them with a [Publisher]: in order per key, and without giving up.
// An event that the topic will never accept is returned as a [RejectedEvent].
//
// # Through a sidecar
//
// With Config.Sidecar in place of Config.Brokers events are posted to "emitter serve" on
// the same machine, which keeps them on its disk until Kafka has them. All else is the
// same. It is for applications that have no login to Kafka, or that end often.
//
// # On the wire
//
// The value is the event as JSON. The key is the trace id as 32 hexadecimal
// digits, or the request id if there is no trace. The headers carry the envelope
// ([event.Event.Headers]), so that workers can sample without decoding.
//
// # What does not leave the application
//
// Pictures, sounds and files are replaced by their digest, type and size, unless
// Config.KeepMedia is set. Config.Prepare may redact, shorten or leave out events before
// they are encoded:
//
//	redactor, err := redact.New(redact.Config{})
//	...
//	em, err := emitter.New(emitter.Config{Brokers: brokers, Prepare: redactor.Prepare})
//
// Without it content is published as it is, and the worker redacts it before a judge or
// the store sees it.
//
// # What it does not do
//
// It keeps nothing on disk: a process that is killed loses what it buffered. It does not
// sample; the worker does.
//
// # Stability
//
// Before v1 a minor version may change names, and CHANGELOG.md says how to follow. From
// v1 on, what compiles with one version compiles with every later one of the same major
// version: fields and methods are added, none is removed or changes its meaning, so build
// structs with the names of their fields. Workers read the events of every earlier
// emitter. Excepted are [Publisher] and its types, which serve "emitter serve". The module
// needs kafka-go and what that needs, and a Go that is at most two
// releases old ([ADR 15]).
//
// [ADR 15]: https://github.com/evalworker/evalworker/blob/main/docs/adr/0015-modules.md
package emitter
