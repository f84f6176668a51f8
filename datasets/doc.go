// Package datasets keeps failing requests as cases: what the next version of a
// prompt must pass.
//
//	redactor, err := datasets.NewRedactor(datasets.RedactionConfig{})
//	store, err := datasets.Open(ctx, datasets.DefaultConfig())
//	archive := datasets.NewArchive(store, redactor, datasets.DefaultConfig())
//	redacted, err := redactor.Event(event)
//	n, err := archive.Offer(ctx, report, redacted)
//
// # Cases
//
// Each failing verdict is an occurrence of a case. Two failures are of the same
// case when their signatures are the same: evaluator, failure reason, and the
// last user turn in lower case with runs of space as one and runs of digits as
// "#". Prompt, model and feature are no part of it, because what fails in one
// version and again in the next is one case. A case counts its occurrences and
// keeps a few of them whole, its exemplars: the first one, and the most recent.
//
// # Redaction
//
// [Redactor] takes secrets and personal data out of content before a judge sees
// it and before it is written. It fails closed: content that it cannot walk, for
// its depth or size or because it is no JSON, gives an error, and the case is
// kept without content. What it finds, and what it cannot, stands in
// [internal/sensitive].
//
// # The store
//
// Three tables: cases (one row a signature, with its count), exemplars (redacted
// content, verdict and origin as JSON, at most max_exemplars a case) and
// occurrences (one row a request and evaluator). Occurrences make writing
// idempotent: what is offered again is neither counted nor kept twice. They are
// deleted by age ([Store.Prune]), and a request that comes again after that
// counts again. An age is that of the request, not of the row.
//
// [Store.Record] returns once its rows are on disk. One goroutine of the store
// writes; what waits while it commits goes into its next transaction together,
// since a commit costs a sync of the disk however many rows it holds.
//
// A second process may read at any time, and may write too: it waits for its
// turn as long as store.timeout allows. The schema is brought up to date by the
// first to open the file; a file from a newer program is refused.
//
// # What it is not
//
// It holds no passing requests, no metrics and no raw content. It does not
// decide what is sampled, and it calls no model.
package datasets
