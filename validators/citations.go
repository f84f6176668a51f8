package validators

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildCitations builds a validator that looks up every cited id among the ids of
// the retrieved chunks. The score is the share of citations that are found.
//
// Without format, 【id】 and (source: id) are citations, and so is [id] when the id
// has the shape of one that was retrieved: the same sequence of letters, digits
// and marks, as in doc-12 and doc-7, or of hexadecimal digits, as in two UUIDs. A
// remark such as [sic], a link and anything in code are not citations. Several ids,
// separated by commas, may share a bracket; in [Smith, 2020] one item is not an id,
// so the number is not one either.
func buildCitations(b *builder) answer {
	find, required := bracketedIDs, b.Required
	if b.Format != "" {
		re := b.compilePattern("format", b.Format)
		if re != nil && re.NumSubexp() != 1 {
			b.faults.Add("format", "has "+strconv.Itoa(re.NumSubexp())+" groups", `want one group around the id, for example \[doc:(\w+)\]`)
		}
		find = func(text string, _ map[string]bool) []string {
			var ids []string
			for _, m := range re.FindAllStringSubmatch(text, -1) {
				ids = append(ids, strings.TrimSpace(m[1]))
			}
			return ids
		}
	}
	return onOutput(func(_ context.Context, e *event.Event, out output) (eval.Verdict, error) {
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
		case cited == 0 && required:
			return fail("uncited", "no citation"), nil
		case cited == 0:
			return pass("uncited"), nil
		case invented > 0:
			v := fail("unknown_source", "cited id was not retrieved")
			v.Score = 1 - float64(invented)/float64(cited)
			return v, nil
		}
		return pass("cited"), nil
	})
}

// chunkIDs returns the ids of the retrieved chunks. After a search that found
// nothing, every citation is invented; chunks without ids make the question
// undecidable.
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

// brackets are the kinds of brackets that enclose citations.
var brackets = [...]struct {
	opening, closing string
	certain          bool // the content is a citation, whatever its shape
}{{"[", "]", false}, {"【", "】", true}, {"(source:", ")", true}, {"(sources:", ")", true}}

// bracketedIDs returns the citations of a text without a configured format.
func bracketedIDs(text string, known map[string]bool) []string {
	shapes := make(map[string]bool, len(known))
	for id := range known {
		shapes[idShape(id)] = true
	}
	var ids []string
	add := func(inside string, certain bool) {
		parts := citedIDs(inside)
		certain = certain || !slices.ContainsFunc(parts, func(id string) bool { return !known[id] && !shapes[idShape(id)] })
		for _, id := range parts {
			if certain || known[id] {
				ids = append(ids, id)
			}
		}
	}
	text = withoutCode(text)
	for i := range len(text) {
		for _, b := range brackets {
			rest := text[i:]
			if text[i] != b.opening[0] || len(rest) < len(b.opening) || !strings.EqualFold(rest[:len(b.opening)], b.opening) {
				continue
			}
			inside, _, closed := strings.Cut(rest[len(b.opening):min(len(rest), maxCitation)], b.closing)
			isLink := closed && b.opening == "[" && strings.HasPrefix(rest[len(inside)+len("[]"):], "(")
			if closed && !isLink && !strings.ContainsAny(inside, "[\n") {
				add(inside, b.certain)
			}
		}
	}
	return ids
}

// citedIDs returns the parts of the text in one pair of brackets.
func citedIDs(inside string) []string {
	var parts []string
	for id := range strings.FieldsFuncSeq(inside, func(r rune) bool { return r == ',' || r == ';' }) {
		id, _, _ = strings.Cut(id, "†") // some models append a name to the id
		if id = strings.TrimPrefix(strings.TrimSpace(id), "^"); id != "" {
			parts = append(parts, id)
		}
	}
	return parts
}

// withoutCode blanks code fences, and the text between two backticks in one
// paragraph. A single backtick is an ordinary character.
func withoutCode(text string) string {
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

// idShape replaces every run of letters in an id by a and every run of digits by
// 9. In hashes and UUIDs the runs differ from id to id, so there every run of
// hexadecimal digits becomes f.
func idShape(id string) string {
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

// isHash reports whether an id consists of eight or more hexadecimal digits, with
// or without dashes, and has both a letter and a digit: then it is neither a word
// nor a number.
func isHash(id string) bool {
	const numerals, letters = "0123456789", "abcdefABCDEF"
	return strings.ContainsAny(id, numerals) && strings.ContainsAny(id, letters) &&
		strings.Trim(id, "-"+numerals+letters) == "" && len(id)-strings.Count(id, "-") >= 8
}
