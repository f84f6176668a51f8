// Package redact finds secrets and personal data in text, and takes them out of
// events.
//
// A [Detector] finds the places, as byte offsets in order and without overlap; the
// validators pii and secrets report them. A [Redactor] replaces them by the name of
// their kind, such as [EMAIL], in all content of an event, before a judge sees it
// and before a case is written. Both are made once and are safe for concurrent use.
//
//	r, err := redact.New(redact.Config{Keep: []string{"ip_address"}})
//	...
//	redacted, err := r.Event(e)
//
// # How a detector decides
//
// Each kind has anchors, bytes of which one must occur, or a number of digits
// that must stand together, so that clean text is passed over without running an
// expression: 2 KB take some 10 microseconds. An RE2 expression runs in windows
// around anchors and digits, so that time is linear in the text even where every
// word is a near match. Where the form says too little, a check follows: Luhn's
// digit for payment cards, modulo 97 for IBANs, a mix of character classes for
// assignments such as "token=...". Where two kinds match one place, the kind that
// stands earlier in the table wins: it is the more specific one.
//
// No-break and other spaces, typeset dashes between digits and wide digits count
// as those of ASCII. A [Pattern] of the configuration sees the text as it is.
// [Detector.FindField] also considers the name under which a text stands: the value
// of "password" is a secret even when it is a word.
//
// # What it does not do
//
// It does not prove absence. Names and postal addresses of people have no form
// that an expression could know, and a password in prose looks like a word. A
// kind that finds too much can be left out, and patterns of your own can be added.
package redact
