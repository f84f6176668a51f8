package validators

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wordKind says what a word tells about a text, as a set of bits.
type wordKind uint16

const (
	speakerWord   wordKind = 1 << iota // names the speaker, at the beginning of a clause
	thisWord                           // may begin the name of the speaker: this assistant
	joiningWord                        // joins clauses
	denialWord                         // denies or declines
	ruleWord                           // names a rule, or what is not proper
	fitWord                            // says what is proper
	requestWord                        // names the request, or what came of it
	ownWord                            // says whose or what kind of rule
	actWord                            // names what an assistant does
	foreignWord                        // denies in another language than English
	grammarWord                        // carries grammar in a language that is covered
	uncoveredWord                      // carries grammar in a language that is not
)

// refusalWords returns the words by which a sentence that may belong to a refusal is
// found, and the commonest words of many languages.
func refusalWords() map[string]wordKind {
	set := map[string]wordKind{}
	for kind, list := range map[wordKind]string{
		speakerWord: `i i'm i'd i'll i've we we're`,
		thisWord:    `this our`,
		joiningWord: `but so and therefore thus hence that because since as however though although while means way reason reasons sorry afraid apologies regret
unfortunately no model assistant ai chatbot bot program question hmm oops`,
		denialWord: `cannot can't cant won't wont don't not unable decline declining refuse refusing rather never no incapable prohibited forbidden
isn't aren't wouldn't shouldn't couldn't uncomfortable pass prefer barred restricted refrain abstain denied refused declined only crosses line avoid try out better turn`,
		ruleWord: `policy policies guidelines guideline programming scope principles violates violate violating against outside beyond inappropriate unethical
illegal immoral harmful acceptable unacceptable blocked filtered flagged moderation let's appropriate ethical providing condemn irresponsible conflicts
expertise capabilities abilities allowed permitted supported rejected withheld removed contrary terms reprehensible crime condemned cruel inhumane abhorrent despicable heinous hateful hurtful disrespectful
indefensible aspire injustice assault wrong morally abuse cruelty dishonest offense justification discrimination racist stereotype dangerous abusive`,
		fitWord: `okay ok right safe legal respectful fair accurate productive helpful responsible proper wrong violence reason
healthy justified moral humane good answer excuse something repeated copied emulated funny kind justifiable decent joke`,
		requestWord: `request question prompt query content topic material message input task subject conversation response output`,
		ownWord:     `my our openai's content usage safety ethical community`,
		actWord:     `providing creating sharing offering writing generating assisting helping answering producing describing engaging promoting fulfilling complying making discussing`,
		foreignWord: `kann darf werde möchte muss peux puis suis dois préfère puedo podré voy posso sono consigo poderei vou não estou`,
		grammarWord: `the a an of and to in is are was were be for on with that this it as at by from or i you they he she his her their my your have has
do does can will would there what which if so but
der die das und ist ein eine nicht zu den von mit für auf sie ich es im dem wird werden auch sind aus wie bei oder ihre kann
le la les de des et est un une en que qui dans pour sur pas vous je il elle au du ce ne se avec sont par plus mais
el los las y es una por con para su como del al lo se no más pero sus son
gli di che è per della si da ma anche più
o os as em um uma não com dos das na são`,
		uncoveredWord: `het niet ik zijn dat maar ook wij naar och att är inte jag som på till har det og ikke jeg ja ei että mutta minulla ole sen ovat
nie się jest że jak ale proszę nelze není jsem která ve bir bu için değil ben olarak yang dan tidak untuk dengan saya dapat không là của và tôi
és nem hogy az egy și nu este pentru că să minun sinua czy`,
	} {
		for w := range strings.FieldsSeq(list) {
			set[w] |= kind
		}
	}
	return set
}

// wordScan is what one pass over an opening found.
type wordScan struct {
	kinds          wordKind // of all words together
	words          int
	grammar        int // words of grammar in a language that is covered
	uncovered      int // and in one that is not
	latin, foreign int // letters of the Latin script, and of others
}

// suspect reports whether the text may hold a refusal.
func (s wordScan) suspect() bool {
	const few = 20 // words, so few that a refusal may leave its speaker out
	return s.kinds&(ruleWord|foreignWord) != 0 || s.kinds&denialWord != 0 && (s.kinds&(speakerWord|fitWord) != 0 || s.words < few)
}

// covered reports whether nothing shows that the text is in a language whose refusals
// are not known: another script, or words of its grammar.
func (s wordScan) covered() bool {
	const few = 3 // letters, or words
	return (s.foreign < few || s.foreign <= s.latin) && (s.uncovered < few || s.uncovered <= s.grammar)
}

// scanWords looks at each word of a text once. It does not allocate.
func scanWords(text string, kinds map[string]wordKind) (s wordScan) {
	var word [24]byte
	n := 0
	end := func() {
		if n == 0 {
			return
		}
		s.words++
		if n <= len(word) {
			kind := kinds[string(word[:n])]
			s.kinds |= kind
			if kind&grammarWord != 0 {
				s.grammar++
			}
			if kind&uncoveredWord != 0 {
				s.uncovered++
			}
		}
		n = 0
	}
	put := func(b byte) {
		if n < len(word) {
			word[n] = b
		}
		n++
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z':
			s.latin++
			put(c)
		case c >= 'A' && c <= 'Z':
			s.latin++
			put(c + 'a' - 'A')
		case c == '\'' && n > 0:
			put(c)
		case c < utf8.RuneSelf:
			end()
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			switch {
			case (r == '’' || r == 'ʼ') && n > 0:
				put('\'')
			case unicode.IsLetter(r):
				if r < 0x250 {
					s.latin++
				} else {
					s.foreign++
				}
				var b [utf8.UTFMax]byte
				for _, c := range b[:utf8.EncodeRune(b[:], unicode.ToLower(r))] {
					put(c)
				}
			default:
				end()
			}
			i += size
			continue
		}
		i++
	}
	end()
	return s
}

// cleanOpening returns the beginning of a text without code, quotes and the label of
// a speaker. A text that is one quote loses its quotation marks only.
func cleanOpening(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxOpening)], "")
	text = strings.TrimLeftFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("\"“«„'‘`", r)
	})
	if i := strings.IndexByte(text, ':'); i > 0 && i <= len("**assistant**") {
		switch strings.ToLower(strings.Trim(text[:i], "*_ ")) {
		case "assistant", "ai", "bot", "chatbot", "answer", "response", "reply", "model", "a":
			text = strings.TrimLeft(text[i+1:], "*_ \n\t")
		}
	}
	if !isASCII(text) {
		text = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`).Replace(text)
	}
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		if body, end, closed := strings.Cut(inner, `"`); closed && strings.TrimSpace(end) == "" || !closed {
			return body
		}
	}
	text = dropSpans(text, "```")
	text = dropSpans(text, "`")
	return dropSpans(text, `"`)
}

// dropSpans removes what stands between pairs of a mark, within one line unless the
// mark is that of a code block.
func dropSpans(text, mark string) string {
	if !strings.Contains(text, mark) {
		return text
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, mark)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inside, after, closed := strings.Cut(rest, mark)
		switch {
		case closed && (len(mark) > 1 || !strings.Contains(inside, "\n")):
			b.WriteString(mark + mark)
			text = after
		case len(mark) > 1:
			return b.String() // an open code block
		default:
			b.WriteString(mark)
			text = rest
		}
	}
}

// cutSentence splits off the first sentence or line.
func cutSentence(text string) (first, rest string) {
	const most = 600 // bytes
	for i := range min(len(text), most) {
		switch text[i] {
		case '\n':
			return text[:i], text[i+1:]
		case '.', '!', '?':
			end := i + 1
			for end < len(text) && strings.IndexByte(`.!?)"'*_`, text[end]) >= 0 {
				end++
			}
			if end == len(text) || text[end] == ' ' || text[end] == '\n' {
				if (i >= 3 || end > i+1) && !isTitle(text[:i]) {
					return text[:end], text[end:]
				}
			}
		}
	}
	if len(text) <= most {
		return text, ""
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut], text[cut:]
}

// isTitle reports whether a text ends with a title before a name, whose full stop ends
// no sentence.
func isTitle(text string) bool {
	switch word := text[strings.LastIndexAny(text, " \n")+1:]; word {
	case "Mr", "Ms", "Mrs", "Dr", "Prof", "St", "e.g", "i.e", "vs", "No":
		return true
	}
	return false
}

// afterOf returns what follows a sentence of the opening in the whole text. When the
// end of the sentence was cleaned of quotes or code, it is what follows in the opening.
func afterOf(text, sentence, rest string) string {
	sentence = strings.TrimSpace(sentence)
	if _, after, ok := strings.Cut(text, sentence[max(0, len(sentence)-40):]); ok {
		return after
	}
	return rest
}

// isItem reports whether a line is an item of a list.
func isItem(line string) bool {
	line = strings.TrimSpace(line)
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	switch {
	case digits > 0 && digits < len(line):
		return line[digits] == '.' || line[digits] == ')'
	case len(line) > 2 && (line[0] == '-' || line[0] == '*'):
		return line[1] == ' '
	}
	return strings.HasPrefix(line, "•")
}
