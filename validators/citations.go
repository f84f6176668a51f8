package validators

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Labels of citations.
const (
	labelCited         = "cited"
	labelUncited       = "uncited"
	labelUnknownSource = "unknown_source"
)

// buildCitations builds a validator that looks up every cited id among the ids of
// the retrieved chunks. The score is the share of citations that are found.
//
// With a format, its group is the id. Without one, the forms that models and their
// providers write are citations; marks.go names them. A citation of a retrieved id
// is found whatever the form. One that is not found is invented if it has the shape
// of a retrieved id, or is a number and numbers can be told from data; otherwise it
// may name a source in words that the ids do not have, and decides nothing. When
// nothing else decides either, the verdict is cannot_judge.
func buildCitations(b *builder) answer {
	required := b.Required
	var find func(out output, e *event.Event, s *sources) tally
	if b.Format == "" {
		others := newOtherCitations()
		find = func(out output, e *event.Event, s *sources) tally { return readCitations(out, e, s, others) }
	} else {
		re := b.compilePattern("format", b.Format)
		if re != nil && re.NumSubexp() != 1 {
			b.faults.Add("format", "has "+strconv.Itoa(re.NumSubexp())+" groups", `want one group around the id, for example \[doc:(\w+)\]`)
		}
		find = func(out output, _ *event.Event, s *sources) (t tally) {
			for _, m := range re.FindAllStringSubmatch(out.text, -1) {
				if s.has(m[1]) {
					t.found++
				} else {
					t.invented++
				}
			}
			return t
		}
	}
	return onOutput(func(_ context.Context, e *event.Event, out output) (eval.Verdict, error) {
		if e.Retrieval == nil || e.Retrieval.Chunks == nil {
			return eval.NotApplicable("retrieval.chunks"), nil
		}
		s := newSources(e.Retrieval.Chunks)
		t := find(out, e, s)
		switch {
		case t.invented > 0:
			v := fail(labelUnknownSource, "cited id was not retrieved")
			v.Score = float64(t.found) / float64(t.found+t.invented)
			return v, nil
		case t.found > 0:
			return pass(labelCited), nil
		case s.nameless():
			return eval.NotApplicable("retrieval.chunks.id"), nil
		case t.unclear > 0:
			return cannotJudge("citations name no retrieved id"), nil
		case required:
			return fail(labelUncited, "no citation"), nil
		}
		return pass(labelUncited), nil
	})
}

// tally counts the citations of an answer.
type tally struct {
	found    int // name a retrieved chunk
	invented int // name none
	unclear  int // name something that the ids cannot decide
}

// sources are the retrieved chunks as an answer may cite them. Ids are compared
// without case and without leading zeros, in the form that [plain] returns.
type sources struct {
	chunks  []event.Chunk
	ids     map[string]bool
	shapes  map[string]bool // of ids, with [idShape]
	tails   map[int]bool    // numbers at the end of ids, such as 3 of doc-3
	numeric bool            // some id is a number
	web     bool            // some id is a web address
	slugs   bool            // some id is words with hyphens
	digits  int             // of the largest number that cites by id or by position
}

func newSources(chunks []event.Chunk) *sources {
	s := &sources{chunks: chunks, ids: make(map[string]bool, len(chunks)), shapes: map[string]bool{}, tails: map[int]bool{}}
	s.digits = len(strconv.Itoa(len(chunks)))
	for i := range chunks {
		id := foldID(string(chunks[i].ID))
		if id == "" {
			continue
		}
		s.ids[id] = true
		if i := strings.LastIndexAny(id, `/\`); i >= 0 && fileType(id[i+1:]) != "" {
			s.ids[id[i+1:]] = true // a file is cited by its name
		}
		s.shapes[idShape(id)] = true
		s.web = s.web || isWebAddress(id)
		s.slugs = s.slugs || isSlug(id)
		if _, ok := asNumber(id); ok {
			s.numeric = true
			s.digits = max(s.digits, len(id))
		} else if n, ok := asNumber(id[len(strings.TrimRight(id, "0123456789")):]); ok && !isHash(id) {
			s.tails[n] = true
		}
	}
	return s
}

func (s *sources) has(id string) bool {
	id = foldID(id)
	if s.ids[id] || !isWebAddress(id) {
		return s.ids[id]
	}
	id, _, _ = strings.Cut(id, "#")
	id, _, _ = strings.Cut(id, "?utm_") // added to links, such as utm_source=openai
	return s.ids[foldID(id)]
}

// nameless reports whether there are chunks and none has an id.
func (s *sources) nameless() bool { return len(s.ids) == 0 && len(s.chunks) > 0 }

// foldID returns an id as it is compared.
func foldID(id string) string {
	id = strings.ToLower(strings.TrimSpace(plain(id)))
	if _, page, ok := strings.Cut(id, "://"); ok && isWebAddress(id) {
		page = strings.TrimPrefix(page, "www.") // which scheme and host a page has is the server's choice
		if decoded, err := url.PathUnescape(page); err == nil {
			page = decoded
		}
		return "https://" + strings.TrimSuffix(page, "/")
	}
	if fileType(id) != "" {
		id = strings.ReplaceAll(id, "_", " ") // as files are named when they are stored, and when they are cited
	}
	if _, ok := asNumber(id); ok {
		id = strings.TrimLeft(id[:len(id)-1], "0") + id[len(id)-1:]
	}
	return id
}

// asNumber returns the value of a text of one to nine digits.
func asNumber(text string) (int, bool) {
	if text == "" || len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

func isWebAddress(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// idShape returns what ids of one kind have in common: of doc-12 and doc-7 the text
// with each number as 9; of files their type; of web addresses that they are such; of
// hashes and UUIDs the number of parts. It is empty for an id without a digit: a
// word such as "fees" has the shape of any remark in brackets.
func idShape(id string) string {
	switch {
	case isWebAddress(id):
		return "http"
	case isHash(id):
		return strings.Repeat("f-", strings.Count(id, "-")) + "f"
	case fileType(id) != "":
		return fileType(id)
	case !strings.ContainsAny(id, "0123456789"):
		return ""
	}
	var b strings.Builder
	number := false
	for _, r := range id {
		if digit := r >= '0' && r <= '9'; !digit || !number {
			number = digit
			if digit {
				r = '9'
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// fileType returns the ending of a file's name, such as .pdf; empty for other ids.
func fileType(id string) string {
	i := strings.LastIndexByte(id, '.')
	if i < 1 || len(id)-i < 3 || len(id)-i > 6 || !isLetter(rune(id[i+1])) || strings.ContainsFunc(id[i+1:], func(r rune) bool { return !isLetter(r) && (r < '0' || r > '9') }) {
		return ""
	}
	return id[i:]
}

// isHash reports whether an id consists of eight or more hexadecimal digits, with
// or without dashes, and has both a letter and a digit: then it is neither a word
// nor a number.
func isHash(id string) bool {
	const numerals, letters = "0123456789", "abcdefABCDEF"
	return strings.ContainsAny(id, numerals) && strings.ContainsAny(id, letters) &&
		strings.Trim(id, "-"+numerals+letters) == "" && len(id)-strings.Count(id, "-") >= 8
}
