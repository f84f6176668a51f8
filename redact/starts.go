package redact

import "strings"

// starter finds the matches of a kind that begin with the same letters, such as the
// tokens of a service or the account numbers of a country.
type starter struct {
	Kind
	prefix string                                    // two bytes or more
	match  func(text string, i int) (start, end int) // of what is sensitive from i; the same twice: nothing is
}

// starts is a table of starters by their first two bytes. It is looked up at the
// beginning of each word, so that a text is read once, however many forms there are.
type starts struct {
	buckets [1 << 12]uint16 // place in groups, by hash
	groups  [][]starter     // the first is empty
}

func startHash(a, b byte) int { return (int(a)<<5 ^ int(b)) & (1<<12 - 1) }

// add appends a starter to the table.
func (s *starts) add(st starter) {
	if s.groups == nil {
		s.groups = make([][]starter, 1)
	}
	bucket := &s.buckets[startHash(st.prefix[0], st.prefix[1])]
	if *bucket == 0 {
		*bucket = uint16(len(s.groups)) //nolint:gosec // no more groups than buckets
		s.groups = append(s.groups, nil)
	}
	s.groups[*bucket] = append(s.groups[*bucket], st)
}

// find appends the matches that begin with a word of the text. Of several at one
// place it is the longest. The starters' prefixes are looked for in key, which is the
// text or its copy in small letters.
func (s *starts) find(found []Match, h *haystack, key string) []Match {
	if len(s.groups) == 0 {
		return found
	}
	done := 0 // what is before it has been found
	for _, at := range h.words {
		i := int(at)
		if i+2 >= len(key) || i < done {
			continue
		}
		bucket := s.buckets[startHash(key[i], key[i+1])]
		if bucket == 0 {
			continue
		}
		var best Match
		for k := range s.groups[bucket] {
			st := &s.groups[bucket][k]
			if !strings.HasPrefix(key[i:], st.prefix) {
				continue
			}
			if start, end := st.match(h.text, i); end > max(start, best.End) {
				best = Match{st.Name, st.Class, start, end}
			}
		}
		if best.End > 0 {
			found = append(found, best)
			done = best.End
		}
	}
	return found
}

// any reports whether a prefix of one of the starters stands anywhere in a text.
func (s *starts) any(text string) bool {
	if len(s.groups) == 0 {
		return false
	}
	for i := 0; i+1 < len(text); i++ {
		for _, st := range s.groups[s.buckets[startHash(text[i], text[i+1])]] {
			if strings.HasPrefix(text[i:], st.prefix) {
				return true
			}
		}
	}
	return false
}

// tokenStarters returns the starters of the table of tokens.
func tokenStarters() (out []starter) {
	for _, t := range tokenFormats() {
		for _, notation := range t.formats {
			f, err := parseFormat(notation)
			if err != nil {
				continue // TestTables finds it
			}
			kind := Kind{t.kind, ClassSecret, describeToken(t)}
			out = append(out, starter{
				kind, f[0].literal,
				func(text string, i int) (int, int) {
					end := f.match(text, i)
					for end > 0 && text[end-1] == '.' { // of a sentence
						end--
					}
					if end == 0 || !isToken(f, text[i:end]) {
						return 0, 0
					}
					return i, end
				},
			})
		}
	}
	return out
}

func describeToken(t tokenFormat) string {
	if t.kind == apiToken {
		return "token of another service, told by its first letters"
	}
	return t.service
}

// jwtStarters returns the starters of JSON Web Tokens: two JSON objects in base64, the
// first of which may be all that is left of it, and a signature; or all that in base64
// once more.
func jwtStarters() []starter {
	jwt := Kind{"jwt", ClassSecret, "JSON Web Token"}
	again := format{{literal: "ZXlK"}, {class: base64Char, least: 60, most: 1 << 20}, {class: padding, most: 2}}
	return []starter{
		{jwt, "eyJ", func(text string, i int) (int, int) {
			head := run{class: urlSafe, least: 8}.length(text, i+3)
			body := i + 3 + head
			if head == 0 || !strings.HasPrefix(text[body:], ".eyJ") {
				return 0, 0
			}
			n := run{class: urlSafe, least: 8}.length(text, body+4)
			end := body + 4 + n
			if n == 0 || byteAt(text, end) != '.' {
				return 0, 0
			}
			return i, end + 1 + run{class: urlSafe}.length(text, end+1)
		}},
		{jwt, "ZXlK", func(text string, i int) (int, int) { return i, again.match(text, i) }},
	}
}

// length returns the number of characters of the run at i, 0 if there are too few.
func (r run) length(text string, i int) (n int) {
	for i+n < len(text) && classes[text[i+n]]&r.class != 0 {
		n++
	}
	if n < r.least {
		return 0
	}
	return n
}
