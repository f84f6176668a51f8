package judges

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// minOverlap is the share of a quote's words that a passage has to contain, close
// together, for the quote to count as taken from it.
const minOverlap = 0.8

// minFragment is the least number of words between two ellipses of a quote: any
// sentence could be assembled from shorter fragments.
const minFragment = 3

// containsQuote reports whether one of the passages contains the quote. Case, white
// space, punctuation and the encoding of characters do not matter. The quote may
// leave out words with "...": the fragments must follow one another. A fifth of the
// words may differ, but no number and no negation. This catches invented quotes; it
// does not prove that a quote is exact: a spelled-out number or a name may be among
// the fifth.
func containsQuote(passages []string, quote string) bool {
	texts := make([][]string, len(passages))
	for i, p := range passages {
		texts[i] = words(p)
	}
	whole := words(quote)
	if len(whole) == 0 {
		return false
	}
	if inOrder(texts, [][]string{whole}) { // the passage itself may contain "..."
		return true
	}
	parts := fragments(quote)
	tooShort := func(part []string) bool { return len(part) < minFragment }
	return len(parts) > 1 && !slices.ContainsFunc(parts, tooShort) && inOrder(texts, parts)
}

// inOrder reports whether the texts contain all parts, one after the other.
func inOrder(texts, parts [][]string) bool {
	texts = slices.Clone(texts)
	for _, part := range parts {
		for {
			if len(texts) == 0 {
				return false
			}
			if end := findWindow(texts[0], part); end >= 0 {
				texts[0] = texts[0][end:]
				break
			}
			texts = texts[1:]
		}
	}
	return true
}

// fragments splits a quote at its ellipses into lists of words.
func fragments(quote string) [][]string {
	var out [][]string
	for part := range strings.SplitSeq(strings.ReplaceAll(quote, "…", "..."), "...") {
		if w := words(part); len(w) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// words splits s into lower-case words of letters and digits. Characters are
// normalised (NFKC): a PDF writes é as an e and an accent, a model as one
// character. In scripts without spaces each character is a word. An escaped line
// break, as in an output that is JSON in a string, separates words: its letter does
// not belong to the next word.
func words(s string) []string {
	var out []string
	start := -1
	end := func(i int) {
		if start >= 0 {
			out = append(out, s[start:i])
			start = -1
		}
	}
	s = strings.ToLower(norm.NFKC.String(s))
	if strings.IndexByte(s, '\\') >= 0 {
		s = strings.NewReplacer(`\n`, "  ", `\r`, "  ", `\t`, "  ").Replace(s)
	}
	for i, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			end(i)
			out = append(out, string(r))
		case !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r):
			end(i)
		case start < 0:
			start = i
		}
	}
	end(len(s))
	return out
}

// findWindow slides a window of the quote's length over the text. It returns the end
// of the first window that contains enough of the quote's words, each as often as
// the quote does, and the same numbers and negations; -1 if there is none.
func findWindow(text, quote []string) int {
	o := overlap{missing: make(map[string]int, len(quote))}
	for _, w := range quote {
		o.missing[w]++
		if mustMatch(w) {
			o.mismatches++
		}
	}
	need := int(math.Ceil(float64(len(quote))*minOverlap - 1e-6)) // without rounding errors
	size := min(len(quote), len(text))
	for i, w := range text {
		o.move(w, -1)
		if i >= size {
			o.move(text[i-size], 1)
		}
		if o.hits >= need && o.mismatches == 0 {
			return i + 1
		}
	}
	return -1
}

// overlap counts what a window and a quote have in common.
type overlap struct {
	missing    map[string]int // how often the window lacks a word; negative: has it more often
	hits       int            // words of the quote that the window has
	mismatches int            // numbers and negations that only one of them has
}

// move updates the counts for a word that enters the window (by -1) or leaves it
// (by 1).
func (o *overlap) move(w string, by int) {
	n, known := o.missing[w]
	strict := mustMatch(w)
	if !known && !strict {
		return
	}
	o.missing[w] = n + by
	o.hits += max(n, 0) - max(n+by, 0)
	if strict {
		o.mismatches += max(n+by, -n-by) - max(n, -n)
	}
}

// mustMatch reports whether a different word would change the meaning: it is a
// number or a negation.
func mustMatch(w string) bool {
	return negations[w] || strings.ContainsFunc(w, unicode.IsNumber)
}

// negations are the words that turn a sentence into its opposite in common languages,
// in the form in which [words] splits them: don't ends in t, n'est begins with n.
var negations = map[string]bool{
	"not": true, "no": true, "never": true, "none": true, "nor": true, "neither": true, "nothing": true, "nobody": true,
	"without": true, "cannot": true, "t": true,
	"nicht": true, "kein": true, "keine": true, "keinen": true, "keinem": true, "keiner": true, "keines": true, "nie": true, "niemals": true, "ohne": true,
	"ne": true, "n": true, "pas": true, "jamais": true, "aucun": true, "aucune": true, "sans": true,
	"nunca": true, "jamás": true, "sin": true, "ningún": true, "ninguna": true, "não": true, "sem": true,
	"non": true, "mai": true, "senza": true, "nessun": true, "nessuna": true, "niet": true, "geen": true, "nooit": true, "zonder": true,
	"不": true, "没": true, "沒": true, "無": true, "无": true, "非": true, "未": true, "勿": true,
}
