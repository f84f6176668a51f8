// Package sampler decides which evaluators run for an event, and with which
// probability each of them was chosen. It is pure: no goroutine, no I/O, no
// clock and no random source. The same policy and the same event always lead to
// the same [eval.Plan], on every replica and in every replay.
//
// # The rule
//
// For each evaluator the probability is the largest rate among the rules that
// match the event, else the evaluator's own rate, else the default: 1 for a
// validator, [Config].DefaultRate for a judge. A matching rule therefore replaces the
// evaluator's own rate, and may lower it: rate 0 switches an evaluator off for the
// events that match, unless another rule matches too. An evaluator whose own
// condition is false never runs for that event.
//
// # The number
//
// Every event has one number R in [0, 2^56), the upper 56 bits of a salted
// xxHash64 over its identity: the lower 64 bits of the original trace id, which
// do not depend on whether the id was logged with 64 or 128 bits, or else the
// request id. An evaluator runs when R < rate * 2^56; rates 0 and 1 are exact. One
// R serves all evaluators, so a sample of 1 % is a subset of one of 10 %, and the
// events that an expensive judge sees are seen by the cheap ones as well.
//
// Tracers that sample by trace id use the bits of the id itself or a hash without
// our salt, so R is independent of that. Whether their choice matters depends on what
// applications publish. If they publish every request, it does not, although tracers
// write their threshold on the traces that they drop, too: [UpstreamNone], the default.
// If they publish the requests whose trace was kept, the probability that an event
// reaches us and is then chosen is the product of the two ([UpstreamTraces]): where
// tracestate carries the tracer's threshold (OpenTelemetry, "ot=th:"), it is in
// [eval.Pick].Probability. A threshold that keeps less than one trace in a million, or
// that would have dropped this trace, is implausible and ignored.
//
// R is as random as the identity: traces with the same lower 64 bits share one R.
// [Check] finds streams whose ids make samples of whole hosts.
//
// # Conditions
//
// A condition is an expression that is true or false, over the fields of
// [event.Dims], under the names that the event itself uses. An absent field is
// the empty string, and strings compare exactly. The language is a subset of
// expr-lang that cannot fail, loop or depend on anything but the fields: text in
// quotes, true and false, whole numbers, lists of texts, the operators
//
//	== != < <= > >= in contains startsWith endsWith matches and or not && || ! ?:
//
// and the functions lower, upper, trim, len, hasPrefix and hasSuffix. The
// pattern of matches is a constant (RE2, linear time). Everything else, an
// unknown field and a wrong type is a fault when the policy is loaded, never a
// silent no-match when it is used.
//
// # Speed
//
// [Sampler.DecideHeaders] decides on message headers alone, and allocates nothing
// when no evaluator runs. The results of the conditions for an envelope are cached
// in a bounded table, keyed by the fields that the conditions read, so that the
// usual decision is a look-up and one comparison. The table has room for 4,096
// combinations; when more are in use, or a value is too long for a few-valued
// field, the conditions are evaluated again. That costs about 0.3 microseconds per
// condition and changes no decision. Counting for [Sampler.Shares] adds one atomic
// addition to a decision, and none where all rates are 0 or 1.
package sampler
