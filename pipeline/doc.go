// Package pipeline is what happens to one event. The consumer of Kafka asks
// [Pipeline.Skip] first, which decides on the message's headers alone, and hands over
// to [Pipeline.Handle] what an evaluator may want, or what has no headers to decide by:
//
//	decode        not an event: a permanent error, which becomes a dead letter
//	decide        no evaluator wants it: counted as sampled out, done
//	validators    in order, in place, on the event as it is: microseconds
//	judges        in parallel, each under its own timeout, on redacted content
//	cases         reports with a failing verdict only; durable and idempotent
//	record        spans and metrics; never blocks, never fails
//
// Only then Handle returns nil and the offset may be committed: a case is durable
// before its event counts as done. A feedback event has no evaluators: its rating is
// the verdict, under the name user_feedback. Feedback that names its request alone gets
// prompt, model, trace and content from it, if the request is among the latest that this
// pipeline decoded; those are remembered in bounded memory from the first such feedback on.
//
// An evaluator that fails, panics or has no answer in time yields a verdict with outcome
// error, whatever the class of its error. The event goes on, makes no case for it and is
// not evaluated again later: a model that is down costs verdicts, not events.
//
// A store that is down holds events with a failing verdict: Handle keeps the verdicts and offers the report
// again until the store is back or the context ends. Its judges are not paid twice, but
// it keeps its slot, so intake stalls; [Pipeline.StoreDown] reports that. When the context
// ends, Handle returns its error, the message stays uncommitted and another worker
// evaluates it. Recording follows storing, so a report is recorded once for each time that
// its event finishes; an event that is delivered twice is evaluated and recorded twice,
// and counts once in its case.
//
// When content cannot be redacted, judges answer with an error of reason redaction, and
// a case is kept without the content.
//
// A reload replaces one immutable [policy.Policy] behind an atomic pointer. An
// event is decided and evaluated under one policy.
package pipeline
