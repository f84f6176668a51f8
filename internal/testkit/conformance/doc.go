// Package conformance holds every evaluator to the contract of [eval.Evaluator].
//
//	conformance.Evaluator(t, build, samples)
//
// It checks that name, type and version are stable, that verdicts and errors stay
// within their bounds, that the event is not changed, that many goroutines may
// evaluate at once, and that a context that has ended is respected.
//
// [Canary] is a word that stands for content. The suite plants it where content is
// and looks for it where content must not go: labels, reasons, errors.
//
// Only tests import it. It cannot tell whether a verdict is right: that is for the
// tests of the evaluator.
package conformance
