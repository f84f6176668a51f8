package validators

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func checkCitations(c Config) fault.List {
	var faults fault.List
	if c.Format == "" {
		return nil
	}
	if len(c.Format) > maxPattern {
		faults.Add("format", itoa(len(c.Format))+" bytes are too many", "want at most "+itoa(maxPattern))
		return faults
	}
	switch re, err := regexp.Compile(c.Format); {
	case err != nil:
		faults.Add("format", regexProblem(err), regexExpected(c.Format))
	case re.NumSubexp() != 1:
		faults.Add("format", "has "+itoa(re.NumSubexp())+" groups", `want one group around the id, for example \[doc:(\w+)\]`)
	}
	return faults
}

// buildCitations makes a validator that looks every cited id up among the ids of
// the retrieved chunks. The score is the share of citations that are found there.
//
// Without format, 【id】 and (source: id) are citations, and so is [id] when the id
// has the shape of one that was retrieved: the same sequence of letters, digits
// and marks, as in doc-12 and doc-7, or of hexadecimal digits, as in two UUIDs. A
// remark such as [sic], a link and whatever stands in code are none. Several ids
// may share a bracket, parted by commas; [Smith, 2020] holds something else, so
// its number is no id.
func buildCitations(c Config, _ *Schemas) (made, error) {
	find := bracketed
	if c.Format != "" {
		re, err := regexp.Compile(c.Format)
		if err != nil {
			return made{}, err
		}
		find = func(text string, _ map[string]bool) []string {
			var ids []string
			for _, m := range re.FindAllStringSubmatch(text, -1) {
				ids = append(ids, strings.TrimSpace(m[1]))
			}
			return ids
		}
	}
	return made{answer: func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		out, missing := outputOf(e)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		known, missing := chunkIDs(e.Retrieval)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		cited, invented := 0, 0
		for _, id := range find(out.text, known) {
			cited++
			if !known[id] {
				invented++
			}
		}
		switch {
		case cited == 0 && c.Required:
			return fail("uncited", "no citation"), nil
		case cited == 0:
			return pass("uncited"), nil
		case invented > 0:
			v := fail("unknown_source", "cited id was not retrieved")
			v.Score = 1 - float64(invented)/float64(cited)
			return v, nil
		}
		return pass("cited"), nil
	}}, nil
}

// chunkIDs gives the ids of what was retrieved. A search that found nothing has
// none, and still every citation is then invented; chunks that carry no id make
// the question undecidable.
func chunkIDs(r *event.Retrieval) (ids map[string]bool, missing string) {
	if r == nil || r.Chunks == nil {
		return nil, "retrieval.chunks"
	}
	ids = make(map[string]bool, len(r.Chunks))
	for i := range r.Chunks {
		if id := strings.TrimSpace(string(r.Chunks[i].ID)); id != "" {
			ids[id] = true
		}
	}
	if len(ids) == 0 && len(r.Chunks) > 0 {
		return nil, "retrieval.chunks.id"
	}
	return ids, ""
}

// maxCitation bounds the bytes inside one pair of brackets, so that the search is
// linear in the text.
const maxCitation = 200

// bracketed finds the citations in a text that follow no configured format.
func bracketed(text string, known map[string]bool) []string {
	shapes := make(map[string]bool, len(known))
	for id := range known {
		shapes[shape(id)] = true
	}
	var ids []string
	add := func(inside string, certain bool) {
		parts := citedIn(inside)
		certain = certain || !slices.ContainsFunc(parts, func(id string) bool { return !known[id] && !shapes[shape(id)] })
		for _, id := range parts {
			if certain || known[id] {
				ids = append(ids, id)
			}
		}
	}
	text = withoutCode(text)
	for i := range len(text) {
		switch rest := text[i:]; {
		case text[i] == '[':
			if inside, after, ok := between(rest, "[", "]"); ok && !strings.HasPrefix(after, "(") {
				add(inside, false)
			}
		case strings.HasPrefix(rest, "【"):
			if inside, _, ok := between(rest, "【", "】"); ok {
				add(inside, true)
			}
		case text[i] == '(':
			if opening, ok := sourceOpening(rest); ok {
				if inside, _, ok := between(rest, opening, ")"); ok {
					add(inside, true)
				}
			}
		}
	}
	return ids
}

// citedIn gives the parts of what stands in one pair of brackets.
func citedIn(inside string) []string {
	var parts []string
	for id := range strings.FieldsFuncSeq(inside, func(r rune) bool { return r == ',' || r == ';' }) {
		id, _, _ = strings.Cut(id, "†") // some models append a name to the id
		if id = strings.TrimPrefix(strings.TrimSpace(id), "^"); id != "" {
			parts = append(parts, id)
		}
	}
	return parts
}

// sourceOpening gives the start of "(source: id)" as it is written.
func sourceOpening(text string) (string, bool) {
	for _, word := range [...]string{"(source:", "(sources:"} {
		if len(text) >= len(word) && strings.EqualFold(text[:len(word)], word) {
			return text[:len(word)], true
		}
	}
	return "", false
}

// between gives what stands in the brackets that text begins with.
func between(text, opening, closing string) (inside, after string, ok bool) {
	inside, _, ok = strings.Cut(text[len(opening):min(len(text), maxCitation)], closing)
	if !ok || strings.ContainsAny(inside, "[\n") {
		return "", "", false
	}
	return inside, text[len(opening)+len(inside)+len(closing):], true
}

// withoutCode blanks what stands in code fences, and between two backticks of one
// paragraph. A lone one is a character like any other.
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

// shape gives an id with every run of letters as a and every run of digits as 9. In
// hashes and UUIDs the runs differ from id to id; there every run of hexadecimal
// digits is f.
func shape(id string) string {
	if isHash(id) {
		return strings.Repeat("f-", strings.Count(id, "-")) + "f"
	}
	var b strings.Builder
	last := rune(0)
	for _, r := range id {
		switch {
		case unicode.IsLetter(r):
			r = 'a'
		case unicode.IsDigit(r):
			r = '9'
		}
		if r != last || r != 'a' && r != '9' {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// isHash reports whether an id is eight or more hexadecimal digits, parted by
// dashes or not. A word has no digits, and a number no letters.
func isHash(id string) bool {
	letters, numerals := 0, 0
	for i := range len(id) {
		switch c := id[i]; {
		case c == '-':
		case c >= '0' && c <= '9':
			numerals++
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			letters++
		default:
			return false
		}
	}
	return letters > 0 && numerals > 0 && letters+numerals >= 8
}
