package validators

import (
	"strings"
	"unicode"
)

// languages counts scripts and function words of texts, to tell whether an answer
// and the retrieved texts can share words at all.
type languages struct {
	scripts map[string]int // letters
	words   map[string]int // function words by language
	read    int            // bytes
}

// maxLanguageBytes bounds how much of the texts is read: a few pages show the
// language.
const maxLanguageBytes = 64 << 10

// add counts a text.
func (l *languages) add(text string) {
	if l.scripts == nil {
		l.scripts, l.words = map[string]int{}, map[string]int{}
	}
	text = text[:min(len(text), maxLanguageBytes-l.read)]
	l.read += len(text)
	for _, r := range text {
		if script := scriptOf(r); script != "" {
			l.scripts[script]++
		}
	}
	languages := functionWords()
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		for language, words := range languages {
			if strings.Contains(words, " "+word+" ") {
				l.words[language]++
			}
		}
	}
}

// scriptOf returns the script of a letter; empty for any other character.
func scriptOf(r rune) string {
	switch {
	case !unicode.IsLetter(r):
		return ""
	case unicode.Is(unicode.Latin, r):
		return "Latin"
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return "Han"
	}
	for _, name := range [...]string{"Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Telugu", "Thai", "Hangul", "Georgian", "Armenian"} {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	return "other"
}

// incomparable returns why an answer cannot be compared with the texts by words;
// empty when it can.
func (l *languages) incomparable(answer string) string {
	if reason := withoutClaim(answer); reason != "" {
		return reason
	}
	var a languages
	a.add(answer)
	if x, y := most(a.scripts, 1), most(l.scripts, 1); x != "" && y != "" && x != y {
		return "answer and retrieved text are in different scripts"
	}
	least := 2
	if !isASCII(answer) {
		least = 1 // no accents in English
	}
	if x, y := most(a.words, least), most(l.words, 2); x != "" && y != "" && x != y {
		return "answer and retrieved text are in different languages"
	}
	return ""
}

// most returns the name with the highest count, if that is at least twice the next
// and at least least; else nothing.
func most(counts map[string]int, least int) (best string) {
	first, second := 0, 0
	for name, n := range counts {
		switch {
		case n > first:
			best, first, second = name, n, first
		case n > second:
			second = n
		}
	}
	if first < least || first < 2*second {
		return ""
	}
	return best
}

// functionWords returns frequent words of languages in Latin script that hardly
// occur in the others.
func functionWords() map[string]string {
	return map[string]string{
		"en": " the and is are was were of to for with that this you your have has it be will not from by if ",
		"de": " der die das und ist sind ein eine einen nicht mit für von zu den dem im auf sie wird werden ich es ab ",
		"fr": " le la les des est sont une un et dans pour avec pas vous votre qui que sur du au aux ne ce cette ",
		"es": " el los las es son una un y en para con que por su del no se al lo está esta ",
		"pt": " o os as é são uma um e em para com que por seu do da dos das não se ao está ",
		"it": " il lo gli è sono una un e per con che di del della dei non si al questo le ",
		"nl": " de het een en is zijn van voor met niet op dat u uw in te wordt naar aan er ",
	}
}

// withoutClaim returns why an answer cannot be grounded in the retrieved text: it does
// no more than say that there is no answer in it, or decline. It is empty for any other
// answer.
func withoutClaim(answer string) string {
	const longest = 60 // words
	fields := strings.Fields(strings.ToLower(answer))
	if len(fields) > longest {
		return ""
	}
	text := strings.ReplaceAll(strings.Join(fields, " "), "’", "'")
	for _, phrase := range [...]string{
		"i don't know", "i do not know", "i'm not sure", "i am not sure", "don't have enough information", "do not have enough information", "not enough information",
		"insufficient information", "no information", "don't have information", "do not have information", "don't have any information", "could not find", "couldn't find",
		"cannot find", "can't find", "unable to find", "is not mentioned", "isn't mentioned", "does not mention", "doesn't mention", "do not mention", "don't mention",
		"does not contain", "doesn't contain", "do not contain", "don't contain", "does not provide", "doesn't provide", "not provided in", "cannot answer", "can't answer",
		"unable to answer", "cannot be answered", "can't be answered", "cannot be determined", "can't be determined", "no relevant",
		"do not say", "don't say", "does not say", "doesn't say", "do not specify", "don't specify", "does not specify", "doesn't specify", "does not state", "doesn't state",
		"do not state", "don't state", "not specified", "not stated", "not covered",
	} {
		if strings.Contains(text, phrase) {
			return "answer says that it does not know"
		}
	}
	for _, phrase := range [...]string{
		"can't help with", "cannot help with", "can't help you", "cannot help you", "can't assist", "cannot assist", "unable to help", "unable to assist",
		"not able to help", "not able to assist",
	} {
		if strings.Contains(text, phrase) {
			return "answer declines"
		}
	}
	return ""
}
