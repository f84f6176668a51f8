// Package sensitive finds secrets and personal data in text.
//
// It is a leaf on the standard library, shared by those who report a leak
// (validators) and those who take it out (datasets). A [Detector] is made once
// and used by many; [Detector.Find] gives the places as byte offsets, in order
// and without overlap.
//
// # How it decides
//
// Each kind has anchors, bytes of which one must occur, or a number of digits
// that must stand together, so that clean text is passed over without running an
// expression: 2 KB take some 10 microseconds. An RE2 expression runs in windows
// around anchors and digits, so that time is linear in the text even where every
// word is a near match. Where a form alone says too little, a check follows:
// Luhn's digit for payment cards, modulo 97 for IBANs, a mix of character classes
// for assignments such as "token=...". Where two kinds match one place, the kind
// that stands earlier in the table wins: it is the more specific one.
//
// No-break and other spaces, typeset dashes between digits and wide digits count
// as those of ASCII, except for custom kinds, which see the text as it is.
//
// [Detector.FindField] knows the name under which a text stands. The value of
// "password" is a secret even when it is a word.
//
// # What it is not
//
// It is no proof of absence. Names and postal addresses of people have no form
// that an expression could know, and a password in prose looks like a word. A
// kind that finds too much can be left out; kinds of one's own can be added.
package redact
