package validators

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// contentWords calls visit for the content words of a text, in the form in which
// they are compared. In scripts that are written without spaces, each pair of
// neighbouring characters counts as a word.
func contentWords(text string, ignored map[string]bool, visit func(string)) {
	splitTokens(text, func(token string) {
		switch first, size := utf8.DecodeRuneInString(token); {
		case isUnspaced(first) && size == len(token):
			visit(token)
		case isUnspaced(first):
			for last, i := 0, size; i < len(token); {
				_, size = utf8.DecodeRuneInString(token[i:])
				visit(token[last : i+size])
				last, i = i, i+size
			}
		case unicode.IsDigit(first):
			visit(normalNumber(token))
		default:
			word, _ := strings.CutSuffix(strings.ToLower(strings.ReplaceAll(token, "’", "'")), "'s")
			if utf8.RuneCountInString(word) >= 2 && !ignored[word] {
				visit(stem(word))
			}
		}
	})
}

// runeClass is the kind of token that a character belongs to.
type runeClass int

const (
	otherRunes runeClass = iota
	letters
	digits
	ideographs
)

func classOf(r rune) runeClass {
	switch {
	case isUnspaced(r):
		return ideographs
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return letters
	case unicode.IsDigit(r):
		return digits
	}
	return otherRunes
}

// isUnspaced reports whether r belongs to a script that is written without spaces.
func isUnspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// splitTokens calls visit for the words, numbers and runs of an unspaced script.
func splitTokens(text string, visit func(string)) {
	start, current := 0, otherRunes
	for i, r := range text {
		class := classOf(r)
		next := otherRunes // class of the character after a mark
		if class == otherRunes && (r == '\'' || r == '’' || r == '.' || r == ',') {
			after, _ := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
			next = classOf(after)
		}
		switch {
		case class == current:
			continue
		case current == letters && (class == digits || (r == '\'' || r == '’') && next == letters):
			continue // don't; B12
		case current == digits && (r == '.' || r == ',') && next == digits:
			continue // 1,000.50
		}
		if current != otherRunes {
			visit(text[start:i])
		}
		start, current = i, class
	}
	if current != otherRunes {
		visit(text[start:])
	}
}

// normalNumber returns a number without separators of thousands and without trailing
// zeros of its fraction: 1,000.50 and 1.000,50 become 1000.5. A single separator before
// three digits separates thousands: 1.200 is 1200 in half of the world, and on both
// sides of a comparison the reading is the same.
func normalNumber(token string) string {
	last := strings.LastIndexAny(token, ".,")
	if last < 0 {
		return token
	}
	whole, fraction := token[:last], token[last+1:]
	mark := token[last : last+1]
	switch {
	case strings.Contains(whole, mark), len(fraction) == 3 && !strings.ContainsAny(whole, ".,") && whole != "0" && len(whole) <= 3:
		whole, fraction = whole+fraction, "" // thousands
	}
	whole = strings.NewReplacer(".", "", ",", "").Replace(whole)
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// joinHyphens joins the parts of words that a line break divides, as in texts from
// PDF files.
func joinHyphens(text string) string {
	if !strings.Contains(text, "-\n") && !strings.Contains(text, "-\r\n") {
		return text
	}
	parts := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "-\n")
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i == len(parts)-1 {
			break
		}
		last, _ := utf8.DecodeLastRuneInString(part)
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(parts[i+1], " \t"))
		if unicode.IsLetter(last) && unicode.IsLower(next) {
			parts[i+1] = strings.TrimLeft(parts[i+1], " \t")
			continue
		}
		b.WriteString("-\n")
	}
	return b.String()
}

// stem cuts the commonest English endings, so that refunds, refunded and refunding
// become refund. It is light on purpose: no stem gets shorter than least letters.
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
			return undoEnding(base + rule.instead)
		}
	}
	return undoEnding(word)
}

// undoEnding undoes what an ending does to the letters before it: a doubled consonant
// (shipped), a dropped e (store, storing), a y that became i.
func undoEnding(base string) string {
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

// stopWords returns the English words that carry grammar and no content.
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
