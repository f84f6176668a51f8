// Package eval is the vocabulary of evaluation: what an evaluator returns, what a
// report holds, and how an error tells its caller what to do next. It imports the
// standard library and package event only, so that a third party can write an
// evaluator without taking on Kafka, Datadog or a model client.
//
// # From event to report
//
// The sampler answers an event's envelope with a [Plan]: which evaluators run,
// each with its probability. Each [Evaluator] returns a [Verdict]; event, plan
// and verdicts together are a [Report].
//
// # A failed evaluation, and an evaluation that failed
//
// A failed evaluation is a value: a Verdict with [OutcomeFail]. An evaluation
// that failed is an error: a timeout, a refusal, an answer that cannot be read.
// The pipeline turns such an error into a Verdict with [OutcomeError] and a
// [Reason], and never into a pass or a fail. OutcomeError is the zero value, so
// a forgotten field cannot count as a pass.
//
// # Errors are classed by the caller's next action
//
// This is about the error of a whole message, which pipeline.Handle returns to the
// consumer of Kafka; an evaluator's error becomes a verdict, as above. nil means done.
// [Permanent] means that the same input can never succeed: it becomes a dead letter.
// Every other error means that a dependency is down: back off and hand over the same
// message again.
//
// # What this package does not do
//
// It holds no state, starts no goroutine, does no I/O and logs nothing.
package eval
