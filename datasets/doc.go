// Package datasets turns failing requests into regression cases.
//
// A [Redactor] takes secrets and personal data out of an event, before a judge
// sees it and before anything is written. An [Archive] takes reports; each
// failing verdict is an occurrence of a [Case], and all occurrences with one
// signature are one case with a count and a few exemplars. A [Store] keeps them
// in SQLite, or in PostgreSQL for a fleet; [Store.List], [Store.Case] and
// [Store.Export] give them back.
//
// # Signature
//
// What makes two failures the same: the evaluator, the reason of the failure (a
// schema path, the criteria of a rubric), and the normalised input: all of what
// the user said last, in lower case, with digits and white space evened out.
// Prompt, model and feature are no part of it: what fails in one version of a
// prompt and again in the next is one case. Each exemplar says which ones were its
// own, and a case is found by every version and feature in which it was seen.
//
// # Guarantees
//
// Offer returns after the report is on disk. It is idempotent by request id and
// evaluator: an event that is handed over twice counts once. Content that could
// not be redacted is withheld: the case exists, without content. A store that
// cannot write answers with an error and has then written nothing of the report.
//
// # Tables
//
//	cases        one row a signature: what failed, first and last seen, count, status
//	occurrences  one row a request and evaluator: what makes writing idempotent
//	exemplars    at most [Config.MaxExemplars] requests a case, with redacted
//	             content and verdict as JSON: the first one, and the latest ones
//
// Times are milliseconds since 1970, in UTC, and those of the request, not of the
// row. [Store.Prune] deletes by them.
//
// Reports that wait at the same time are written in one transaction, because a
// commit costs one flush to disk however many rows it holds. A store from a newer
// program is refused.
//
// # One worker or many
//
// A SQLite file is one worker's: [Store.Claim] refuses a second one. Another
// process may read it at any time, and write when it is its turn.
//
// In PostgreSQL any number of workers write at once. All lock rows in one order,
// first of occurrences and then of cases, each by its key, so that they wait for
// each other and not in a circle; what the database ends all the same is tried
// again. A transaction and each statement of it end with [Config.Timeout], also
// when the worker hangs that began it. Who starts first makes the tables, under an
// advisory lock. That lock, and prepared statements, need a session: a pooler
// between has to pool by session.
//
// Texts are kept as every database takes them: what is no UTF-8, and NUL, is
// replaced; a long request id is known by its beginning and its hash, and stands
// whole in the exemplar.
package datasets
