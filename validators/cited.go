package validators

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// readCitations counts the citations of an answer that has no configured format: in
// its text, or in the strings and the lists of sources of a JSON answer; and those
// that the provider reports beside the text.
func readCitations(out output, e *event.Event, s *sources, others *regexp.Regexp) tally {
	m := &marker{sources: s}
	texts := []string{out.text}
	if doc, ok := decodeDocument(withoutFence(out.text)); ok {
		texts = m.readDocument(doc)
		slices.Sort(texts) // maps have no order
	}
	for _, text := range texts {
		m.read(text)
	}
	t := m.count()
	if !out.json {
		t.add(s.readReported(e.Output))
	}
	if t.found+t.invented == 0 {
		for _, text := range texts {
			t.found += s.countNamed(text)
		}
	}
	if t == (tally{}) && slices.ContainsFunc(texts, func(text string) bool { return citesOtherwise(text, others) }) {
		t.unclear++
	}
	return t
}

func (t *tally) add(more tally) {
	t.found, t.invented, t.unclear = t.found+more.found, t.invented+more.invented, t.unclear+more.unclear
}

// count decides what each mark is.
//
// Numbers are ids when one of them is; otherwise they are positions in the list of
// chunks, from 1, or from 0 if 0 is cited.
func (m *marker) count() tally {
	byID, first, attachedFound, slugFound := false, 1, false, false
	for _, k := range m.marks {
		known := m.sources.has(k.id)
		byID = byID || known && isDigits(k.id)
		slugFound = slugFound || known && isSlug(k.id)
		if k.id == "0" && !k.attached && !k.leads {
			first = 0
		}
	}
	found := func(k mark) bool {
		n, number := asNumber(k.id)
		link, defined := m.links[k.id]
		switch {
		case m.sources.has(k.id):
			return true
		case defined && !byID:
			return m.sources.has(link)
		}
		return number && (m.sources.tails[n] || !byID && n >= first && n < first+len(m.sources.chunks))
	}
	for _, k := range m.marks {
		attachedFound = attachedFound || k.attached && found(k)
	}
	t := tally{unclear: m.unclear}
	for _, k := range m.marks {
		shape := idShape(k.id)
		switch {
		case found(k):
			t.found++
		case isDigits(k.id):
			switch {
			case m.sources.isFigure(k.id):
			case k.id == "0", k.leads, k.attached && !attachedFound:
				t.unclear++
			default:
				t.invented++
			}
		case shape != "" && m.sources.shapes[shape], k.named && len(m.sources.chunks) == 0, slugFound && isSlug(k.id):
			t.invented++
		case k.named, m.sources.slugs && isSlug(k.id):
			t.unclear++
		}
	}
	return t
}

// cites reports whether a number cites a chunk, by id or by position.
func (s *sources) cites(number string) bool {
	n, ok := asNumber(number)
	return s.has(number) || ok && !s.numeric && n >= 1 && n <= len(s.chunks)
}

// isFigure reports whether a number is a year, or has far more digits than one that
// cites: it is not a citation.
func (s *sources) isFigure(number string) bool { return len(number) > s.digits+1 || isYear(number) }

// plausible reports whether an item in brackets may be an id: it is one, is a number,
// or has the shape of one.
func (s *sources) plausible(id string) bool {
	shape := idShape(id)
	return s.has(id) || isDigits(id) || shape != "" && s.shapes[shape]
}

// readDocument returns the strings of a JSON answer, and adds the items of its lists
// of sources. All other numbers are data.
func (m *marker) readDocument(doc any) (texts []string) {
	switch v := doc.(type) {
	case string:
		texts = append(texts, v)
	case []any:
		for _, item := range v {
			texts = append(texts, m.readDocument(item)...)
		}
	case map[string]any:
		for name, value := range v {
			switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
			case "sources", "citations", "references", "sourceids", "citationids", "citedids", "sourceid", "citationid", "citation":
				m.readSources(value)
			default:
				texts = append(texts, m.readDocument(value)...)
			}
		}
	}
	return texts
}

// readSources adds the items of a member that lists sources.
func (m *marker) readSources(value any) {
	switch v := value.(type) {
	case json.Number:
		m.addNamed(v.String())
	case string:
		switch {
		case m.addWhole(v, true):
		case strings.Contains(v, "["):
			m.read(v)
		default:
			if id, _, _ := m.readItem(v); id != "" {
				m.marks = append(m.marks, mark{id: id, named: true})
			}
		}
	case []any:
		for _, item := range v {
			m.readSources(item)
		}
	case map[string]any:
		for _, name := range []string{"id", "source_id", "sourceId", "chunk_id", "document_id", "doc_id", "source", "url", "uri", "file", "filename", "title"} {
			if id, ok := v[name]; ok {
				m.readSources(id)
				return
			}
		}
		m.unclear++
	}
}

// readReported counts the citations that a provider reports beside the text: members
// "citations" and "annotations" of messages and parts, as OpenAI, Anthropic and
// Cohere write them, and Mistral's parts of the type "reference". A provider reports sources that it was given, so one that is
// not found by name or index is not invented: the chunks have other names.
func (s *sources) readReported(out event.Content) (t tally) {
	raw := out.Raw()
	if !slices.ContainsFunc([]string{`"citations"`, `"annotations"`, `"reference_ids"`}, func(name string) bool { return bytes.Contains(raw, []byte(name)) }) {
		return t
	}
	walk(decode(string(raw)), func(v any) {
		object, _ := v.(map[string]any)
		if list, ok := object["reference_ids"].([]any); ok && object["type"] == "reference" { // Mistral
			for _, item := range list {
				id := fmt.Sprint(item)
				if n, number := asNumber(id); s.has(id) || number && !s.numeric && n < len(s.chunks) {
					t.found++
				} else {
					t.unclear++
				}
			}
		}
		for _, name := range []string{"citations", "annotations"} {
			list, _ := object[name].([]any)
			for _, item := range list {
				if s.reported(item) {
					t.found++
				} else {
					t.unclear++
				}
			}
		}
	})
	return t
}

// reported reports whether a provider's citation names a chunk, or counts up to one.
func (s *sources) reported(citation any) (found bool) {
	walk(citation, func(v any) {
		switch v := v.(type) {
		case string:
			found = found || len(v) <= maxCitation && s.has(v)
		case map[string]any:
			for _, name := range []string{"document_index", "search_result_index"} {
				if index, ok := v[name].(json.Number); ok {
					n, ok := asNumber(index.String())
					found = found || ok && n < len(s.chunks)
				}
			}
		}
	})
	return found
}

// countNamed counts the ids that a text names outside of any mark, as in "according
// to kb_1". Only ids that are neither words nor numbers are looked for.
func (s *sources) countNamed(text string) (n int) {
	for word := range strings.FieldsSeq(plain(text)) {
		if !mayBeID(word) {
			continue
		}
		if id := foldID(strings.Trim(word, ".,;:!?()[]<>{}\"'`*_")); s.ids[id] && idShape(id) != "" && !isDigits(id) {
			n++
		}
	}
	return n
}

// newOtherCitations matches citations in forms that name no id: of LaTeX, in tags, by
// author and year, "document 2", and a number in parentheses at the end of a sentence.
func newOtherCitations() *regexp.Regexp {
	return regexp.MustCompile(`\\(?:[a-z]*cite[a-z]*)\*?(?:\[[^\]\n]*\])*\{[^}\n]+\}` +
		`|<(?:cite|citation|ref|source)[ >]` +
		`|\(\p{Lu}[\p{L}'-]+(?:,|(?: et al\.?| and \p{Lu}[\p{L}'-]+| & \p{Lu}[\p{L}'-]+),?) (?:19|20)\d\d[a-z]?(?:, pp?\. ?\d+(?:-\d+)?)?\)` +
		`|(?i:\b(?:documents?|docs?|sources?|passages?|chunks?|references?|contexts?) (?:no\. ?|#)?\d{1,3}\b)` +
		`|[\p{L}\d]\p{P}? ?\(\d{1,2}(?:, ?\d{1,2})*\)(?:[.!?]?\s*$|[.!?]\s)`)
}

// citesOtherwise reports whether a text, outside of code, has a citation in a form that
// the ids cannot decide.
func citesOtherwise(text string, others *regexp.Regexp) bool {
	for i, prose := range strings.Split(text, "```") {
		if i%2 == 0 && others.MatchString(prose) {
			return true
		}
	}
	return false
}

// mayBeID reports whether a word has a digit, or a . or / before its end, as any id
// with an [idShape] has.
func mayBeID(word string) bool {
	for i := range len(word) {
		if c := word[i]; c >= '0' && c <= '9' || (c == '.' || c == '/') && i < len(word)-1 {
			return true
		}
	}
	return false
}
