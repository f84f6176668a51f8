// Package sidecar accepts events over HTTP and sends them to Kafka, for
// applications in any language. It is the engine of the command emitter serve.
//
//	POST /v1/events             one event as JSON, or one per line
//	GET  /v1/openapi.yaml       the description of this interface, for machines
//	GET  /v1/event.schema.json  the JSON Schema of an event
//	GET  /livez /readyz         probes
//	GET  /statusz               what was accepted, sent, set aside; the spool; Kafka
//
// # What an answer means
//
// 202 says that the events are safe: written to the spool and synced. They reach
// Kafka at least once, those of one key in the order of their answers, whatever
// happens to this process or to Kafka meanwhile. Requests that are under way at
// the same time have no order among them.
//
// 400 names each bad line. The good lines of the same request were accepted, and
// the answer says how many: resend only the bad ones and, behind ten thousand bad
// lines, what was not looked at. With every other status nothing was accepted, with
// one exception: after 503 because of the disk, the events may be in the spool, and
// sending them again repeats them.
//
// With both, warnings name the members of accepted events that are not read: unknown ones,
// and values without a meaning. They also say which events went without their content.
// They hold names and types, never values.
//
// # How it is bounded
//
// There are bounds for the requests in flight, a body before and after decompression,
// an event, and the spool. One request too many gets 429 with Retry-After, as does one
// that finds the spool full. While Kafka is away the spool fills and everything else
// works: readiness turns false only when the spool has no room.
//
// # How it stops
//
// Requests under way finish and the spool is sent, within the grace. Meanwhile
// probes and status are answered, and a new request gets 503 and its connection ends.
//
// # What cannot be delivered
//
// A rejected event, which Kafka will never accept because it is larger than the
// topic allows, is written to rejected.ndjson in the spool's folder, counted and
// logged with its id, and the events behind it are sent. Everything else is retried
// without end.
//
// # What it does not do
//
// It does not evaluate or sample, and it speaks no TLS. What is kept from Kafka, media or
// all that a redactor finds, is the publisher's business, and is taken out before an event
// is in the spool. It listens on loopback unless it has a token, and answers no web page
// there. If it has one, a request without the token sees only the documents and whether
// the sidecar is well.
package sidecar
