// Package sidecar takes events over HTTP and sends them to Kafka, for
// applications in any language. It is the engine of the command emitter serve.
//
//	POST /v1/events             one event as JSON, or one a line
//	GET  /v1/openapi.yaml       all of this, for machines
//	GET  /v1/event.schema.json  the JSON Schema of an event
//	GET  /livez /readyz         probes
//	GET  /statusz               what was accepted, sent, set aside; the spool; Kafka
//
// # What an answer means
//
// 202 says that the events are safe: written to the spool and synced. They reach
// Kafka at least once, those of one key in the order in which they were answered
// for, whatever happens to this process or to Kafka meanwhile. Requests that are
// under way at the same time have no order among them.
//
// 400 names each bad line. The good lines of the same request were accepted, and
// the answer says how many: resend only what was bad, and, behind ten thousand
// bad lines, what was not looked at. After every other status nothing was taken,
// with one exception: after 503 because of the disk, events may be there all the
// same, and a repetition repeats them.
//
// # How it is bounded
//
// Requests in flight, the size of a body before and after decompression, the size
// of an event, and the spool. A request beyond the first gets 429, as does one
// that finds the spool full; both carry Retry-After. Kafka that is away fills the
// spool and turns nothing else off: readiness turns false only when the spool
// takes nothing more.
//
// # How it stops
//
// Requests under way finish and what is spooled is sent, both within the grace.
// Until then the listener stays: probes and status are answered, and a new
// request is turned away with 503 on a connection that ends with it.
//
// # What cannot be delivered
//
// An event that Kafka will never take, because it is larger than the topic
// allows, is written to rejected.ndjson in the spool's folder, counted and logged
// with its id; the ones behind it go on. Everything else is tried for ever.
//
// # What it is not
//
// It does not evaluate, sample or redact. It listens on loopback unless it has a
// token, and answers no web page there; it speaks no TLS. With a token, the
// reasons on /readyz are for those who bear it, as everything else but the
// documents is.
package sidecar
