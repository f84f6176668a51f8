// Package pipeline evaluates one event, in these steps.
//
//	decode        not an event: a permanent error, which becomes a dead letter
//	decide        no evaluator wants it: counted as sampled out, done
//	validators    in order, in place: microseconds
//	judges        in parallel, each under its own timeout, on redacted content
//	cases         failing reports only; durable, idempotent, retried in place
//	record        spans and metrics; never blocks, never fails
//
// The order of the last two matters. Storing the case is the last step that can
// fail, and recording follows it, so an event that is handed over again is not
// counted twice.
//
// Judges cost money. So while the store is down, an event keeps its verdicts
// and is offered again until the store is back or the context ends: its judges are
// not paid twice, but it keeps its slot, so intake stalls. [Pipeline.StoreDown]
// reports such a stall.
//
// An evaluator that fails or panics yields a verdict with outcome error, and the
// other evaluators go on. When the context ends, Handle returns the context's error
// instead, the message stays uncommitted and another worker evaluates it.
//
// A reload replaces one immutable [policy.Policy] behind an atomic pointer. An
// event is decided and evaluated under one policy.
package pipeline
