package validators

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// contentWords gives the words of a text that carry content, in the form in which
// they are compared. Scripts that are written without spaces give pairs of
// neighbouring characters instead of words.
func contentWords(text string, ignored map[string]bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for token := range tokens(text) {
			switch first, _ := utf8.DecodeRuneInString(token); {
			case unspaced(first):
				if !pairs(token, yield) {
					return
				}
			case unicode.IsDigit(first):
				if !yield(number(token)) {
					return
				}
			default:
				word, _ := strings.CutSuffix(strings.ToLower(strings.ReplaceAll(token, "’", "'")), "'s")
				if utf8.RuneCountInString(word) < 2 || ignored[word] {
					continue
				}
				if !yield(stem(word)) {
					return
				}
			}
		}
	}
}

// tokens splits a text into words, numbers and runs of an unspaced script.
func tokens(text string) iter.Seq[string] {
	const (
		none = iota
		letters
		digits
		ideographs
	)
	class := func(r rune) int {
		switch {
		case unspaced(r):
			return ideographs
		case unicode.IsLetter(r) || unicode.IsMark(r):
			return letters
		case unicode.IsDigit(r):
			return digits
		}
		return none
	}
	return func(yield func(string) bool) {
		start, current := 0, none
		for i, r := range text {
			c := class(r)
			switch {
			case c == current:
				continue
			case current == letters && (c == digits || (r == '\'' || r == '’') && classAfter(text, i, class) == letters):
				continue // don't; B12
			case current == digits && (r == '.' || r == ',') && classAfter(text, i, class) == digits:
				continue // 1,000.50
			}
			if current != none && !yield(text[start:i]) {
				return
			}
			start, current = i, c
		}
		if current != none {
			yield(text[start:])
		}
	}
}

// classAfter gives the class of the character after the one at i.
func classAfter(text string, i int, class func(rune) int) int {
	_, size := utf8.DecodeRuneInString(text[i:])
	r, n := utf8.DecodeRuneInString(text[i+size:])
	if n == 0 {
		return 0
	}
	return class(r)
}

// unspaced reports a character of a script that is written without spaces.
func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// pairs gives each two neighbouring characters of a run.
func pairs(run string, yield func(string) bool) bool {
	_, size := utf8.DecodeRuneInString(run)
	if size == len(run) {
		return yield(run)
	}
	for last, i := 0, size; i < len(run); {
		_, size = utf8.DecodeRuneInString(run[i:])
		if !yield(run[last : i+size]) {
			return false
		}
		last, i = i, i+size
	}
	return true
}

// number writes a number without marks between thousands and without zeros at the
// end of a decimal fraction: 1,000.50 is 1000.5.
func number(token string) string {
	token = strings.ReplaceAll(token, ",", "")
	if strings.Count(token, ".") == 1 {
		token = strings.TrimSuffix(strings.TrimRight(token, "0"), ".")
	}
	return token
}

// stem cuts the commonest English endings, so that refunds, refunded and refunding
// are refund. It is light on purpose: a stem of fewer than three letters is not cut.
func stem(word string) string {
	if strings.HasSuffix(word, "ss") || strings.HasSuffix(word, "us") {
		return word
	}
	for _, rule := range [...]struct {
		suffix, instead string
		least           int
	}{
		{"ations", "", 3},
		{"ation", "", 3},
		{"ingly", "", 3},
		{"ings", "", 3},
		{"ies", "i", 2},
		{"ied", "i", 2},
		{"ing", "", 3},
		{"sses", "ss", 2},
		{"edly", "", 3},
		{"ed", "", 3},
		{"ly", "", 4},
		{"es", "", 3},
		{"s", "", 3},
	} {
		if base, ok := strings.CutSuffix(word, rule.suffix); ok && utf8.RuneCountInString(base) >= rule.least {
			return ending(base + rule.instead)
		}
	}
	return ending(word)
}

// ending undoes what an ending does to the letters before it: a doubled consonant
// (shipped), a dropped e (store, storing), a y that became i.
func ending(base string) string {
	n := len(base)
	switch {
	case n >= 4 && base[n-1] == base[n-2] && strings.IndexByte("bdgmnprt", base[n-1]) >= 0:
		return base[:n-1]
	case n >= 4 && base[n-1] == 'e':
		return base[:n-1]
	case n >= 3 && base[n-1] == 'y':
		return base[:n-1] + "i"
	}
	return base
}

// stopWords are English words that carry grammar and no content.
func stopWords() map[string]bool {
	const list = `a about above after again against all also am an and any are aren't as at be because been before being below
between both but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each else etc few for from
further had hadn't has hasn't have haven't having he he'd he'll her here hers herself him himself his how however i i'd i'll i'm i've if
in into is isn't it its itself just let let's may me might more most must my myself no nor not now of off on once only or other ought our ours
ourselves out over own per please same shall shan't she she'd she'll should shouldn't so some such than that the their theirs them themselves then
there these they they'd they'll they're they've this those through thus to too under until up upon us very via was wasn't we we'd we'll we're
we've were weren't what when where whether which while who whom whose why will with within without won't would wouldn't yes yet you you'd you'll
you're you've your yours yourself yourselves`
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}
