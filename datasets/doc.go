// Package datasets turns failing requests into regression cases, and exports them.
//
// A [Keeper] takes reports. Each failing verdict is an occurrence of a [Case], and all
// occurrences with one signature are one case with a count and a few exemplars.
// [Cases] reads them: [Cases.List], [Cases.Case], and [Cases.Export], which writes a
// dataset, that is a snapshot of cases, in one of the [Formats]. The rows are in a
// [store.Store].
//
// # Signature
//
// What makes two failures the same is the evaluator, the reason of the failure (a
// schema path, the criteria of a rubric), and the normalised input: all of what
// the user said last, in lower case, with digits and white space evened out.
// Prompt, model and feature are not part of it: what fails in one version of a
// prompt and again in the next is one case. Each exemplar has its own prompt, version
// and feature, and a case is found by each version and feature in which it was seen.
//
// # Guarantees
//
// Offer returns after the report is on disk. It is idempotent by request id and
// evaluator: an event that is offered twice counts once. Content comes redacted;
// content that could not be redacted is withheld: the case exists without it. When the
// store cannot write, Offer returns an error and nothing of the report is written.
//
// # Tables
//
//	cases        one row per signature: what failed, first and last seen, count, status
//	occurrences  one row per request and evaluator: what makes writing idempotent
//	exemplars    a bounded number of requests per case, with redacted content and
//	             verdict as JSON: the first one, and the latest ones
//
// Times are milliseconds since 1970, in UTC: those of the request, not of the row.
// [store.Store.Prune] deletes by them.
//
// All workers of a PostgreSQL store lock rows in one order: occurrences by their key,
// then cases by theirs. So they wait for each other, and not in a circle.
//
// Texts are stored in the form that both databases accept: NUL, and what is not UTF-8,
// is replaced. A long request id is stored as its beginning and its hash; the exemplar
// has all of it.
package datasets
