// Package event defines what an application publishes: the request-completed
// event, its envelope in message headers, and the forms in which providers write
// its content. It depends on the standard library and on small tools that do the
// same, so that an application can publish events without taking on Kafka,
// Datadog or a model client.
//
// # Reading an event
//
// [Decode] reads a message's value, by the tables of tables.go. It is a tolerant
// reader: unknown fields are ignored, other names that teams use for the same facts
// are accepted ([Aliases]), values that are written otherwise are read when they have
// one meaning, and left out and named when not ([Event.Ignored]). Only broken JSON or a
// missing identity is an [Error]. Depth and lengths are bounded ([MaxDepth], [MaxItems]), because
// publishers are not trusted.
//
// # The envelope
//
// The [Envelope] holds the few-valued fields of an event and its origin trace.
// Publishers copy it into headers ([Event.Headers]); a worker reads it with
// [EnvelopeFromHeaders], or through [HeaderView] without a copy, and decides about
// an event without decoding its body. A new dimension of the envelope is a field of
// [Event], a row of the table in envelope.go, and a row in package telemetry.
//
// # Content
//
// Input and output are [Content]: a string, a JSON value, chat messages or a
// provider's response. [Content.Text], [Content.Turns] and [Event.Answer] read
// them alike for every evaluator.
//
// # What this package does not do
//
// It holds no state, starts no goroutine, does no I/O and logs nothing.
package event
