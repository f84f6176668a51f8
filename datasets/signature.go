package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// idDigits is the length of the id of a case or a cause: 64 bits of a hash. Among a
// million cases the probability that two share an id, and are counted as one, is 3 in
// 100 million.
const idDigits = 16

// signature returns the case id of a failure: a hash over its cause and the question.
// Without redacted content it contains no question, and differs from the signature of
// an empty one.
func signature(v *eval.Verdict, prompt string, redacted *event.Event) string {
	return hash(append([]string{v.Eval, v.Reason, prompt}, question(redacted)...)...)
}

// formerSignature returns the case id that a failure had while the prompt was not part
// of the signature.
func formerSignature(v *eval.Verdict, redacted *event.Event) string {
	return hash(append([]string{v.Eval, v.Reason}, question(redacted)...)...)
}

// causeID returns the id of the cause that a case has. Cases are grouped by the three
// columns, and the id only names a group, so that it is not stored.
func causeID(evaluator, reason, prompt string) string {
	return hash("cause", evaluator, reason, prompt)
}

func question(redacted *event.Event) []string {
	if redacted == nil {
		return []string{"withheld"}
	}
	return []string{"content", normalise(lastQuestion(redacted))}
}

func hash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part))
		h.Write([]byte{0xff}) // a byte that no UTF-8 text has, so that parts cannot run into each other
	}
	return hex.EncodeToString(h.Sum(nil))[:idDigits]
}

// lastQuestion returns what the user said last: the last non-empty user turn of a
// chat, else the whole input, else a user's comment. All of its text counts,
// because many prompts begin with the same long template.
func lastQuestion(e *event.Event) string {
	if e.Input.IsZero() {
		return e.Comment
	}
	turns, _ := e.Input.Turns()
	for _, turn := range slices.Backward(turns) {
		if turn.Role == event.RoleUser && strings.TrimSpace(turn.Content) != "" {
			return turn.Content
		}
	}
	return e.Input.Text()
}

// normalise removes differences that do not make a different question: upper case,
// white space, and the digits of orders, dates and amounts.
func normalise(s string) string {
	var b strings.Builder
	last := ' '
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
	}
	return strings.TrimSpace(b.String())
}
