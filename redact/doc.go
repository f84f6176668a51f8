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
// A text is searched as it is shown: without characters that nobody sees, with the
// escapes of JSON, percent-encoding and the references of HTML expanded, again and
// again up to four times, and with the digits, letters, spaces, dashes and quotes of
// Unicode that stand for ASCII in ASCII. Where that can both join and part words, it is
// searched in each of the ways.
//
// What is told by its first letters, such as the tokens of services and account
// numbers, and what is told by the places of its digits, such as telephone numbers,
// stands in tables of forms ([tokenFormats], [ibanLengths], [phoneForms],
// [nationalForms]), and one pass over a text looks for all of them. The other kinds
// have anchors, one of which must occur, or need a run of digits of some length, so
// that clean text is skipped without running an expression. An RE2 expression runs in
// windows around them, so that time is linear in the text even where every word is a
// near match. Where the form is not enough, a check follows: Luhn's digit for payment
// cards, modulo 97 for IBANs, the check digits of a state, the words before a number,
// a mix of character classes for assignments such as "token=...". Where two kinds match
// one place, the kind that begins first wins, and then the more specific one.
//
// A [Pattern] of the configuration also sees the unchanged text. In JSON, in events and in
// calls of tools the name of a field counts too: the value of "password" is a secret even
// when it is a word.
//
// A [Redactor] searches a text again after it has replaced something, because what
// touched it may be found only then. Content is searched once more in the forms in which
// it is shown: what several strings hold together, such as an address in two parts of a
// message, is taken out of each of them. What still holds something is replaced or
// withheld as a whole. So a detector of the same kinds finds nothing in what a redactor
// returns.
//
// # What it does not do
//
// It does not prove absence. Names and postal addresses of people have no form
// that an expression could match, a password in prose looks like a word, and what is
// encoded in base64, spelled out or painted in an image is not read; SECURITY.md has
// the list. A kind that finds too much can be left out, and patterns of your own can
// be added.
package redact
