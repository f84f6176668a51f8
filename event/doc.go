// Package event is what an application publishes: the request-completed event,
// its envelope in message headers, and what providers write in its content. It
// imports the standard library only, so that an application can publish events
// without taking on Kafka, Datadog or a model client.
//
// # Reading an event
//
// [Decode] reads a message's value. It is a tolerant reader: unknown fields are
// ignored, other names that teams use for the same facts are accepted
// ([Aliases]), and only broken JSON, a wrong type or a missing request id is an
// [Error]. Depth and lengths are bounded ([MaxDepth], [MaxItems]), because a
// message may come from anybody.
//
// # The envelope
//
// The [Envelope] holds the few-valued fields of an event and its origin trace.
// Publishers copy it into headers ([Event.Headers]); a worker reads it back with
// [EnvelopeFromHeaders] and can decide about an event without decoding its body.
//
// # Content
//
// Input and output are [Content]: a string, a JSON value, chat messages or a
// provider's response. [Content.Text], [Content.Turns] and [Event.Said] read
// them alike for every evaluator.
//
// # What this package does not do
//
// It holds no state, starts no goroutine, does no I/O and logs nothing.
package event
