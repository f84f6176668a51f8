// Package pipeline is what happens to one event.
//
//	decode        not an event: a permanent error, which becomes a dead letter
//	decide        no evaluator wants it: counted as sampled out, done
//	validators    in order, in place: microseconds
//	judges        in parallel, each under its own timeout, on redacted content
//	cases         failing reports only; durable, idempotent, retried in place
//	record        spans and metrics; never blocks, never fails
//
// The order of the last two matters. Storing the case is the only step that can fail
// from here on, and recording comes after it, so an event that is handed over
// again is not counted twice.
//
// Judges cost money. So while the store is down, an event keeps its verdicts
// and is offered again until the store is back or the context ends: it keeps
// its slot, intake stalls, and its judges are not paid twice. [Pipeline.StoreDown]
// shows such a stall.
//
// An evaluator that fails or panics makes a verdict with outcome error, and the
// event goes on. A context that ends does not: Handle returns the context's
// error, the message stays uncommitted and another worker evaluates it.
//
// What a reload replaces is one immutable [policy.Policy] behind an atomic
// pointer. An event is decided and evaluated under one policy.
package pipeline
