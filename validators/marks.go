package validators

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark is one place of an answer that cites, or may cite, one source.
type mark struct {
	id       string // as [foldID] returns it
	named    bool   // its form says that it is a citation: (source: x), 【x】
	attached bool   // it is a number right behind a word: a citation, or an index
	leads    bool   // it is a number before a text: an item of the answer's own list, or a definition
}

// marker collects the marks of a text. These are marks:
//
//	[1] [kb_1, kb_2] [1-3] [^1] [^1^] [citation:1] [Source 1] [fees.pdf, p. 3]   brackets
//	[[1]](url) [1](url)                              a number that is a link
//	(source: fees.pdf, page 3), and a line "Sources: [1], fees.pdf"
//	【1†source】                                      and citations in private-use characters
//	word¹ word<sup>1</sup>                           superscripts behind a word
//
// A remark such as [sic], a time, a year and anything in code are none.
type marker struct {
	sources *sources
	marks   []mark
	links   map[string]string // sources of numbers that the answer defines itself: "[1]: https://..."
	unclear int               // citations that name nothing that an id could be
}

// maxCitation bounds the bytes inside one pair of brackets, so that the search is
// linear in the text.
const maxCitation = 400

// read collects the marks of a text.
func (m *marker) read(text string) {
	text = withoutCode(plain(tagSuperscripts(text)))
	for i := 0; i < len(text); {
		n := 0
		if i == 0 || text[i-1] == '\n' {
			n = m.readLine(text[i:])
		}
		if n == 0 {
			n = m.readAt(text, i)
		}
		i += max(1, n)
	}
	for rest := text; ; {
		i := strings.Index(rest, "citeturn")
		if i < 0 {
			break
		}
		rest = rest[i+m.readTurns(rest[i:]):]
	}
}

// readAt reads the mark that begins at a byte and returns its length; 0 if none
// begins there.
func (m *marker) readAt(text string, i int) int {
	switch text[i] {
	case '[':
		return m.readBracket(text, i)
	case '(':
		if list, n, ok := enclosed(text[i:], "(", ")"); ok {
			if list, ok = cutSourceWord(list); ok {
				m.addNamed(list)
				return n
			}
		}
	case '<':
		return m.readSuperscript(text, i)
	case "【"[0], "\ue200"[0]:
		return m.readSpecial(text[i:])
	}
	return 0
}

// readSpecial reads a citation in brackets that are used for nothing else.
func (m *marker) readSpecial(rest string) int {
	for _, b := range [...]struct{ opening, closing string }{{"【", "】"}, {"〔", "〕"}} {
		if list, n, ok := enclosed(rest, b.opening, b.closing); ok {
			m.addNamed(list)
			return n
		}
	}
	list, n, ok := enclosed(rest, "\ue200", "\ue201")
	if !ok {
		return 0
	}
	for _, id := range strings.Split(list, "\ue202")[1:] {
		m.marks = append(m.marks, mark{id: foldID(id), named: true})
	}
	return n
}

// readLine reads a line that lists sources and returns its length.
func (m *marker) readLine(rest string) int {
	line, _, _ := strings.Cut(rest[:min(len(rest), maxCitation)], "\n")
	list, ok := cutSourceWord(strings.TrimLeft(line, " *_#>-"))
	if list = strings.Trim(list, " *_."); !ok || list == "" || strings.ContainsAny(list, "[【(") {
		return 0
	}
	m.addNamed(list)
	return len(line)
}

// enclosed returns what stands between two brackets at the beginning of a text, and
// the length with brackets.
func enclosed(text, opening, closing string) (inside string, length int, ok bool) {
	after, ok := strings.CutPrefix(text, opening)
	if !ok {
		return "", 0, false
	}
	inside, _, ok = strings.Cut(after[:min(len(after), maxCitation)], closing)
	ok = ok && !strings.ContainsAny(inside, "[\n")
	return inside, len(opening) + len(inside) + len(closing), ok
}

// cutSourceWord cuts the word for a source with its colon from a list of sources.
func cutSourceWord(text string) (list string, ok bool) {
	word, list, ok := strings.Cut(text, ":")
	switch strings.ToLower(strings.Trim(word, " *_")) {
	case "source", "sources", "src", "references", "citation", "citations", "cite", // a "reference" is often an order's
		"quelle", "quellen", "fuente", "fuentes", "fonte", "fonti", "bron", "来源", "出典", "出处":
		return list, ok && !strings.HasPrefix(list, "//")
	}
	return "", false
}

// addNamed adds the items of a list that says of itself that it cites.
func (m *marker) addNamed(list string) {
	if m.addWhole(list, true) {
		return
	}
	for item := range strings.FieldsFuncSeq(list, isListComma) {
		switch id, lo, hi := m.readItem(item); {
		case id == "" || isNone(id):
		case lo != "":
			m.marks = append(m.marks, mark{id: lo, named: true}, mark{id: hi, named: true})
		default:
			m.marks = append(m.marks, mark{id: id, named: true})
		}
	}
}

// addWhole adds a text that as a whole is an id, which may hold commas and spaces.
// It also reads what OpenAI's assistants write, 【message:index†name】, where only the
// name can be compared.
func (m *marker) addWhole(text string, named bool) bool {
	if index, name, ok := strings.Cut(text, "†"); ok {
		turn, place, two := strings.Cut(strings.TrimSpace(index), ":")
		_, a := asNumber(turn)
		_, b := asNumber(place)
		if two && a && b && !m.sources.has(index) {
			if m.sources.has(name) {
				m.marks = append(m.marks, mark{id: foldID(name)})
			} else {
				m.unclear++
			}
			return true
		}
	}
	if m.sources.has(text) {
		m.marks = append(m.marks, mark{id: foldID(text), named: named})
		return true
	}
	return false
}

func isListComma(r rune) bool { return r == ',' || r == ';' }

func isNone(id string) bool {
	return slices.Contains([]string{"none", "n/a", "na", "unknown", "keine", "-", "..."}, id)
}

// readItem returns the id of one item in brackets, without a label before it and
// without the place in the source behind it; empty for a place alone, such as p. 3.
// For a range of numbers it returns its ends too.
func (m *marker) readItem(item string) (id, lo, hi string) {
	item, _, _ = strings.Cut(item, "†") // some models append a name to the id
	item = strings.Trim(item, " \t^*_\"'`\\")
	id = foldID(item)
	if m.sources.has(id) || isPlace(id) {
		if isPlace(id) && !m.sources.has(id) {
			id = ""
		}
		return id, "", ""
	}
	if file, _, ok := strings.Cut(id, "#"); ok && file != "" {
		if m.sources.has(file) || fileType(file) != "" {
			id = foldID(file)
		}
	}
	if words := strings.Fields(id); len(words) > 1 { // fees.pdf p. 3
		for i := len(words) - 1; i > 0; i-- {
			if isPlace(strings.Join(words[i:], " ")) {
				id = foldID(strings.Join(words[:i], " "))
				break
			}
		}
	}
	if shape := idShape(id); shape != "" && m.sources.shapes[shape] && !m.sources.has(id) && !isDigits(id) {
		return id, "", ""
	}
	id = foldID(cutLabel(id))
	if from, to, ok := strings.Cut(id, "-"); ok {
		from, to = foldID(from), foldID(cutLabel(foldID(to)))
		if isDigits(from) && isDigits(to) && !m.sources.has(id) {
			return id, from, to
		}
	}
	return id, "", ""
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// cutLabel cuts a word for a source from a number: source 1, doc-1, citation:1, #1.
func cutLabel(id string) string {
	word := id[:len(id)-len(strings.TrimLeftFunc(id, isLetter))]
	number := strings.TrimLeft(id[len(word):], " .:#_-")
	switch word {
	case "", "source", "sources", "src", "citation", "citations", "cite", "ref", "refs", "reference", "doc", "docs", "document", "documents", "chunk", "passage",
		"context", "result", "note", "footnote", "id", "article", "snippet", "excerpt", "quelle", "dokument", "fuente", "fonte":
		if number != "" && (word != "" || strings.HasPrefix(id, "#")) && (isDigits(number) || isDigits(strings.Replace(number, "-", "", 1))) {
			return number
		}
	}
	return id
}

// isPlace reports whether an item names a place in a source: page 3, pp. 3-5, § 2.
func isPlace(id string) bool {
	word := id[:len(id)-len(strings.TrimLeftFunc(id, func(r rune) bool { return isLetter(r) || r == '§' }))]
	place := strings.Trim(id[len(word):], " .:=")
	switch word {
	case "p", "pp", "pg", "pgs", "page", "pages", "s", "seite", "seiten", "l", "line", "lines", "ch", "chapter", "sec", "section", "sections", "para",
		"paragraph", "§", "§§", "fig", "figure", "table", "slide", "col", "row", "article", "art":
		return place != "" && unicode.IsDigit(rune(place[0]))
	}
	return false
}

// readBracket reads [..] at a byte and returns its length.
func (m *marker) readBracket(text string, i int) int {
	inside, n, ok := enclosed(text[i:], "[", "]")
	if !ok || strings.TrimSpace(inside) == "" {
		return 0
	}
	before, after := text[:i], text[i+n:]
	target, _, isLink := enclosed(strings.TrimPrefix(after, "]"), "(", ")")
	switch {
	case isLink && strings.HasSuffix(before, "!"): // a picture
		return n
	case isLink && strings.HasPrefix(after, "]") != strings.HasSuffix(before, "["):
		isLink = false
	}
	if isLink && m.readLink(inside, target) {
		return n
	}
	bare := isDigits(strings.TrimSpace(inside))
	if !bare && m.addWhole(inside, false) {
		return n
	}
	if list, ok := cutSourceWord(inside); ok {
		m.addNamed(list)
		return n
	}
	if _, id, ok := strings.Cut(inside, ":"); ok && !bare && m.addWhole(id, false) { // [doc: kb_1]
		return n
	}
	var ids []string
	stranger, ranged := false, false // ranged: a range that does not begin with a citation
	for item := range strings.FieldsFuncSeq(inside, isListComma) {
		switch id, lo, hi := m.readItem(item); {
		case id == "":
		case lo != "":
			ranged = ranged || !m.sources.cites(lo)
			ids = append(ids, lo, hi)
		default:
			stranger = stranger || !m.sources.plausible(id)
			ids = append(ids, id)
		}
	}
	if stranger {
		m.readStrangers(inside, ids)
		return n
	}
	leads := (bare || strings.HasPrefix(inside, "^")) && len(ids) == 1 && m.define(ids[0], before, after)
	word, attached := wordBefore(before)
	if attached && bare && isIdentifier(word) {
		return n // an index: x[0]
	}
	data := ranged || len(ids) > 1 && (slices.Contains(ids, "0") || followsData(before, word)) || bare && strings.HasSuffix(strings.TrimRight(before, " "), "=")
	if data && slices.ContainsFunc(ids, func(id string) bool { return !m.sources.cites(id) }) {
		if !slices.ContainsFunc(ids, m.sources.isFigure) {
			m.unclear++ // more likely an interval, or a list of values
		}
		return n
	}
	for _, id := range ids {
		m.marks = append(m.marks, mark{id: id, attached: attached && bare, leads: leads})
	}
	return n
}

// readStrangers reads brackets that hold something that no id can be.
func (m *marker) readStrangers(inside string, ids []string) {
	known := slices.DeleteFunc(ids, func(id string) bool { return !m.sources.has(id) })
	for _, id := range known {
		m.marks = append(m.marks, mark{id: id})
	}
	if id := foldID(inside); len(known) == 0 {
		switch {
		case isSlug(id):
			m.marks = append(m.marks, mark{id: id})
		case looksCited(inside):
			m.unclear++
		}
	}
}

// readLink reads a link whose text or target may cite; false if it is not a citation.
func (m *marker) readLink(inside, target string) bool {
	target, _, _ = strings.Cut(strings.TrimSpace(target), " ")
	id, _, _ := m.readItem(inside)
	switch {
	case m.sources.has(target):
		m.marks = append(m.marks, mark{id: foldID(target)})
	case !isDigits(id) && !m.sources.has(id):
		if m.sources.shapes[idShape(id)] && idShape(id) != "" {
			m.unclear++
		}
	case m.sources.web && !m.sources.has(id):
		m.marks = append(m.marks, mark{id: foldID(target)})
	default:
		return false
	}
	return true
}

// define reports whether a number stands before the text that it belongs to, as in
// "[1]: https://..." or "[1] pay, [2] cancel", and notes the source that a line names
// for it.
func (m *marker) define(number, before, after string) bool {
	before = strings.TrimRight(before[max(0, len(before)-16):], " \t*-•>")
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(strings.TrimLeft(after, " \t"))
	if before != "" && last != '\n' {
		return strings.ContainsRune(":,;", last) && strings.HasPrefix(after, " ") && isLetter(next)
	}
	line, _, _ := strings.Cut(after[:min(len(after), maxCitation)], "\n")
	for word := range strings.FieldsSeq(line) {
		word = strings.Trim(word, "<>()[]:,;*_\"")
		if id := foldID(strings.TrimRight(word, ".")); m.sources.has(id) && !isDigits(id) || m.sources.web && isWebAddress(id) {
			if m.links == nil {
				m.links = map[string]string{}
			}
			m.links[number] = id
			break
		}
	}
	return true
}

// tagSuperscripts returns a text with the superscript digits in it as <sup>12</sup>.
func tagSuperscripts(text string) string {
	if isASCII(text) || !strings.ContainsAny(text, "¹²³⁰⁴⁵⁶⁷⁸⁹") {
		return text
	}
	var b strings.Builder
	raised := false
	for _, r := range text {
		digit := superscript(r)
		switch {
		case digit >= 0 && !raised:
			b.WriteString("<sup>")
		case digit < 0 && raised:
			b.WriteString("</sup>")
		}
		if raised = digit >= 0; raised {
			b.WriteByte(byte('0' + digit))
		} else {
			b.WriteRune(r)
		}
	}
	if raised {
		b.WriteString("</sup>")
	}
	return b.String()
}

// readSuperscript reads <sup>1</sup> behind a word or a sentence. Behind anything
// else it is an exponent: x², 10³, km².
func (m *marker) readSuperscript(text string, i int) int {
	inside, n, ok := enclosed(text[i:], "<sup>", "</sup>")
	if !ok {
		return 0
	}
	word, _ := wordBefore(text[:i])
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(text[:i], " "))
	if utf8.RuneCountInString(word) < 3 && !isUnspaced(last) && !strings.ContainsRune(".,;:!?\"'", last) || word != "" && isIdentifier(word) {
		return n
	}
	for item := range strings.FieldsFuncSeq(inside, isListComma) {
		if id := foldID(item); isDigits(id) {
			m.marks = append(m.marks, mark{id: id, attached: true})
		}
	}
	return n
}

// readTurns reads a citation of ChatGPT's that has lost its private-use characters,
// such as citeturn0search1turn0search2, and returns its length.
func (m *marker) readTurns(rest string) int {
	const word = "cite"
	run := rest[len(word):min(len(rest), maxCitation)]
	run = run[:len(run)-len(strings.TrimLeft(run, "abcdefghijklmnopqrstuvwxyz0123456789"))]
	for _, id := range strings.Split(run, "turn")[1:] {
		m.marks = append(m.marks, mark{id: "turn" + id, named: true})
	}
	return len(word) + len(run)
}

// wordBefore returns the word at the end of a text, and whether nothing stands
// between it and the end.
func wordBefore(text string) (word string, attached bool) {
	trimmed := strings.TrimRight(text[max(0, len(text)-64):], " \t")
	word = trimmed[len(strings.TrimRightFunc(trimmed, func(r rune) bool { return isAlphanumeric(r) || r == '_' })):]
	last, _ := utf8.DecodeLastRuneInString(word)
	return word, word != "" && strings.HasSuffix(text, word) && !isUnspaced(last)
}

// isIdentifier reports whether a word is a name in code or a number rather than a
// word of a sentence.
func isIdentifier(word string) bool {
	return utf8.RuneCountInString(word) == 1 || strings.ContainsAny(word, "_0123456789")
}

// followsData reports whether what comes before a list of numbers introduces data.
func followsData(before, word string) bool {
	before = strings.TrimRight(before, " \t\n")
	if last, _ := utf8.DecodeLastRuneInString(before); strings.ContainsRune("=:([{,<>+*/∈", last) {
		return true
	}
	switch strings.ToLower(word) {
	case "is", "are", "was", "were", "be", "in", "array", "list", "vector", "tuple", "values", "value", "numbers", "interval", "range", "returns", "return",
		"returned", "output", "prints", "gives", "get", "gets", "set", "between", "from", "of", "equals", "like", "and", "or", "with":
		return true
	}
	return false
}

// isSlug reports whether an id consists of words with hyphens or underscores.
func isSlug(id string) bool {
	return strings.ContainsAny(id, "-_") && strings.TrimFunc(id, isLetter) != id &&
		!strings.ContainsFunc(id, func(r rune) bool { return !isLetter(r) && r != '-' && r != '_' })
}

// looksCited reports whether a text in brackets looks like a citation that is not by
// id: a file, an address, a token with digits, or an author with a year.
func looksCited(inside string) bool {
	id := foldID(inside)
	if fileType(id) != "" || isWebAddress(id) {
		return true
	}
	if !strings.ContainsAny(id, " ,") {
		const short = 6 // bytes: B12, H2O
		return (len(id) >= short || strings.ContainsAny(id, "-_/#")) && strings.ContainsAny(id, "0123456789") && strings.ContainsFunc(id, isLetter)
	}
	author, year, ok := strings.Cut(id, ",")
	if strings.Contains(id, " et al") {
		return true
	}
	year = strings.TrimSpace(year)
	return ok && len(year) >= 4 && isYear(year[:4]) && len(year) <= 5 && strings.IndexFunc(author, isLetter) == 0
}

func isYear(text string) bool {
	n, ok := asNumber(text)
	return ok && len(text) == 4 && n >= 1900 && n < 2100
}

func isLetter(r rune) bool { return unicode.IsLetter(r) }

// withoutCode blanks code fences, and the text between two backticks in one
// paragraph. A single backtick is an ordinary character.
func withoutCode(text string) string {
	if !strings.Contains(text, "`") {
		return text
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "```") {
		if i%2 == 1 {
			b.WriteByte('\n')
			continue
		}
		for paragraph := range strings.SplitAfterSeq(part, "\n\n") {
			pieces := strings.Split(paragraph, "`")
			for j, inline := range pieces {
				if j%2 == 0 || j == len(pieces)-1 {
					b.WriteString(inline)
				} else {
					b.WriteByte(' ')
				}
			}
		}
	}
	return b.String()
}
