// Package pipeline is what happens to one event.
//
//	decode        no event: a permanent error, which makes a dead letter
//	decide        nobody wants it: counted as sampled out, done
//	validators    in order, in place: microseconds
//	judges        in parallel, each under its own timeout, on redacted content
//	archive       failing reports only; durable, idempotent, retried in place
//	record        spans and metrics; never blocks, never fails
//
// The order of the last two matters. The archive is the only step that can fail
// from here, and recording comes after it, so an event that is handed over
// again is not counted twice.
//
// Judges are paid for. So an archive that is down is tried again in place,
// with the verdicts at hand, until it is back or the context ends: the event
// keeps its slot, intake stalls, and nobody pays twice. [Pipeline.Status] shows
// such a stall.
//
// An evaluator that fails, or panics, is a verdict with outcome error, and the
// event goes on. A context that ends is neither: Handle returns the context's
// error, the message stays uncommitted and another worker evaluates it.
//
// What a policy reload replaces, the sampler and the evaluators, is one
// immutable [Suite] behind an atomic pointer. An event is decided and evaluated
// under one suite.
package pipeline
