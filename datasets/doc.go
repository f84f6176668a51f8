// Package datasets turns failing requests into regression cases, and exports them.
//
// A [Keeper] accepts reports. Each failing verdict is an occurrence of a [Case],
// and all occurrences with one signature are one case with a count and a few
// exemplars. [Cases] reads them: [Cases.Groups], [Cases.List], [Cases.Case], and
// [Cases.Export], which writes a snapshot of cases, a dataset, in one of the [Formats].
// The rows are in a [store.Store].
//
// # Causes and signatures
//
// Failures have one cause if they have the same evaluator, the same reason (a schema
// path, the criteria of a rubric) and the same prompt. A case is a question inside a
// cause: the signature is the cause and the normalised input, which is all of what the
// user said last, in lower case, with digits and white space normalised. The version
// of the prompt, model and feature are not part of either: a failure in one version
// and again in the next is one case, so that it can test the next one. Each exemplar
// has its own version and feature, and a case is found by every version and feature in
// which it was seen.
//
// Causes are not stored: they are groups of cases by three columns. Earlier builds had
// signatures without the prompt; their cases go on for the prompt that they have.
//
// # Guarantees
//
// Offer returns after the report is on disk. It is idempotent by request id and
// evaluator: an event that is offered twice counts once. Callers redact the
// event; the Keeper redacts what judges explained. Without a redacted event the case is
// written without content, and its signature has no input. When the store cannot
// write, Offer returns an error and nothing of the report is written.
//
// Feedback whose prompt or question is not known gets them from the store, if its request
// was kept by another evaluator; otherwise the exemplar says that the question is not
// known. Both are occurrences of their own, and neither replaces the other.
//
// # Tables
//
//	cases        one row per signature: what failed, first and last seen, count, status
//	occurrences  one row per request and evaluator: what makes writing idempotent
//	exemplars    a bounded number of requests per case, with redacted content and
//	             verdict as JSON: the first one, and the latest ones
//
// Times are milliseconds since 1970, in UTC, and refer to the request, not to the
// row. [store.Store.Prune] deletes by them.
//
// All workers of a PostgreSQL store lock rows in one order: occurrences by their key,
// then cases by theirs, so that they cannot deadlock.
//
// Texts are stored in a form that both databases accept: NUL and invalid UTF-8 are
// replaced. A long request id is stored as its beginning and its hash; the exemplar
// has all of it.
package datasets
