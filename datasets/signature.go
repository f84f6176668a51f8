package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
)

// maxNormalised bounds the part of an input that enters a signature, in
// characters: the beginning of a question says which one it is.
const maxNormalised = 500

// signature gives the case id of a failure: a hash over what makes two failures
// the same. Without redacted content there is no input in it.
func signature(v *eval.Verdict, redacted *eval.Event) string {
	h := sha256.New()
	for _, part := range []string{v.Eval, v.Reason, normalise(question(redacted))} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// question gives what the user asked last.
func question(e *eval.Event) string {
	if e == nil {
		return ""
	}
	turns, ok := e.Input.Turns()
	if !ok {
		return e.Input.Text()
	}
	for _, turn := range slices.Backward(turns) {
		if turn.Role == "user" {
			return turn.Content
		}
	}
	return e.Input.Text()
}

// normalise evens out what does not change a question: case, white space, and
// the numbers of orders, dates and amounts.
func normalise(s string) string {
	var b strings.Builder
	last := ' '
	n := 0
	for _, c := range s {
		switch {
		case unicode.IsSpace(c):
			c = ' '
		case unicode.IsDigit(c):
			c = '#'
		default:
			c = unicode.ToLower(c)
		}
		if (c == ' ' || c == '#') && c == last {
			continue
		}
		last = c
		b.WriteRune(c)
		if n++; n == maxNormalised {
			break
		}
	}
	return strings.TrimSpace(b.String())
}
