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
// What providers give is read beside the event's own fields, in any of their names: counts
// of tokens, whole requests and responses, or their members spread into the event. It fills
// the fields that the event does not have; of statements that contradict each other none
// counts. [DecodeWithWarnings] names what is not read, and [FromResponse] makes an event of a
// provider's response.
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
// Input and output are [Content]: a string, a JSON value, or what a provider's
// library returned. [Event.Answer] reads what the model said, [Content.Turns] a
// chat, and [Content.Text] and [Content.Reply] what a person or a judge is shown, so
// that every evaluator reads the same. The shapes stand in a table in shapes.go: a
// new one is a row there, with an example. What has the marks of a provider and no
// known form is unread ([Answer.Unread]); nothing is guessed.
//
// # What this package does not do
//
// It holds no state, starts no goroutine, does no I/O and logs nothing.
//
// # Stability
//
// That of package emitter: from v1 on what compiles goes on compiling, and every field
// that was published is read.
package event
