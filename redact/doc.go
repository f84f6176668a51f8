// Package redact finds secrets and personal data in text, and removes them from
// events.
//
// A [Detector] finds the places, as byte offsets in order and without overlap; the
// validators pii and secrets report them. A [Redactor] replaces them by the name of
// their kind, such as [EMAIL], in all content of an event, before a judge sees it and
// before a case is written. Both are created once and are safe for concurrent use.
//
//	r, err := redact.New(redact.Config{Keep: []string{"ip_address"}})
//	...
//	redacted, err := r.Event(e)
//
// # How a detector decides
//
// Each kind has anchors, one of which must occur, or needs a run of digits of some
// length, so that clean text is skipped without running an expression: 2 KB take
// some 10 microseconds. An RE2 expression runs in windows around anchors and
// digits, so that time is linear in the text even where every word is a near match.
// Where the form is not enough, a check follows: Luhn's digit for payment cards,
// modulo 97 for IBANs, a mix of character classes for assignments such as
// "token=...". Where two kinds match one place, the kind that is earlier in the
// table wins: it is the more specific one.
//
// No-break and other spaces, typeset dashes between digits and full-width digits
// count as their ASCII equivalents. A [Pattern] of the configuration sees the
// unchanged text. [Detector.FindField] also considers the name of a field: the
// value of "password" is a secret even when it is a word.
//
// # What it does not do
//
// It does not prove absence. Names and postal addresses of people have no form
// that an expression could match, and a password in prose looks like a word. A kind
// that finds too much can be left out, and patterns of your own can be added.
package redact
