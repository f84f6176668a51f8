package judges

import (
	"strings"
	"unicode"
)

// minOverlap is the share of a quote's words that a passage has to hold, close
// together, for the quote to count as taken from it.
const minOverlap = 0.8

// quoted reports whether the quote stands in one of the passages. Case, white
// space and punctuation do not matter; words left out are marked by "..." and
// each part has to be found; a fifth of the words may differ.
func quoted(quote string, passages []string) bool {
	parts := fragments(quote)
	if len(parts) == 0 {
		return false
	}
	texts := make([][]string, len(passages))
	for i, p := range passages {
		texts[i] = words(p)
	}
	for _, part := range parts {
		found := false
		for _, text := range texts {
			if found = holds(text, part); found {
				break
			}
		}
		if !found {
			return false
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

// words gives the letters and digits of s, in lower case, word by word. In
// scripts that write no spaces each character is a word. A line break that JSON
// has escaped, as in an output that is JSON in a text, is a line break: its letter
// is no part of the word behind it.
func words(s string) []string {
	var out []string
	start := -1
	end := func(i int) {
		if start >= 0 {
			out = append(out, s[start:i])
			start = -1
		}
	}
	s = strings.ToLower(s)
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

// holds slides a window of the quote's length over the text and counts the
// quote's words in it, each as often as it stands in the quote.
func holds(text, quote []string) bool {
	need := int(float64(len(quote))*minOverlap + 0.999999)
	want := make(map[string]int, len(quote))
	for _, w := range quote {
		want[w]++
	}
	size, hits := min(len(quote), len(text)), 0
	for i, w := range text {
		if n, ok := want[w]; ok {
			if n > 0 {
				hits++
			}
			want[w] = n - 1
		}
		if i >= size {
			if n, ok := want[text[i-size]]; ok {
				if n >= 0 {
					hits--
				}
				want[text[i-size]] = n + 1
			}
		}
		if hits >= need {
			return true
		}
	}
	return false
}
