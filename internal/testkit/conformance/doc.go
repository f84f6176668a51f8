// Package conformance tests evaluators against the contract of [eval.Evaluator].
//
//	conformance.Evaluator(t, build, samples)
//
// It checks that name, type and version are stable, that verdicts and errors stay
// within their bounds, that the event is not changed, that many goroutines may
// evaluate at once, and that a context that has ended is respected.
//
// [Canary] is a word that marks content. The suite plants it where content is and
// looks for it where content must not go: labels, reasons, errors.
//
// Only tests import it. It cannot check whether a verdict is right: the evaluator's
// own tests do.
package conformance
