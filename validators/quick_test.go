package validators

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// quickSchemas use every keyword that quick knows, and some that it does not.
func quickSchemas() []string {
	return []string{
		`true`, `false`, `{}`,
		`{"type":"object","properties":{"a":{"type":"string","minLength":1,"maxLength":2},"b":{"enum":["x","\u00e9",null,true]},"c":{"type":"integer","minimum":0,"maximum":10}},"required":["a"],"additionalProperties":false}`,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":2}},"required":["a","z"]}`,
		`{"type":["object","array"],"additionalProperties":{"type":"boolean"},"items":{"const":"x"}}`,
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]},"b":{"oneOf":[{"type":"integer"},{"type":"object","required":["a"]}]},"c":{"anyOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]}}}`,
		`{"$defs":{"n":{"type":"object","properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/$defs/s"}},"additionalProperties":false},"s":{"type":"string","pattern":"^[a-z]*$"}},"$ref":"#/$defs/n"}`,
		`{"type":"object","maxProperties":0}`, `{"type":"object","minProperties":1}`, `{"uniqueItems":true,"type":"array"}`,
		`{"not":{"type":"string"}}`, `{"properties":{"a":{"format":"date"}},"patternProperties":{"^b":false}}`,
		`{"properties":{"a":{"format":"date"},"b":{"format":"email"},"c":{"multipleOf":2}}}`,
		`{"minimum":0.1,"maximum":0.3}`, `{"minimum":1,"maximum":3}`, `{"exclusiveMinimum":1}`, `{"const":1}`, `{"enum":[1,"x"],"const":"x"}`, `{"enum":["x","1"],"const":"x"}`,
		`{"minLength":1,"minItems":1}`, `{"maxLength":0}`, `{"maxItems":0}`, `{"prefixItems":[{"type":"string"}],"items":false}`, `{"anyOf":[{"type":"null"},{"properties":{"a":{"$ref":"#"}}}]}`, `{"oneOf":[{"type":"number"},{"type":"integer"}]}`,
		`{"oneOf":[{"minLength":1},{"type":"array"}]}`, `{"oneOf":[{"type":["string","integer"],"maxLength":1},{"type":"array","minItems":1},{"type":"object"}]}`,
		`{"$schema":"http://json-schema.org/draft-07/schema","items":[{"type":"string"}],"additionalItems":false}`,
		`{"$schema":"http://json-schema.org/draft-04/schema","type":"object","properties":{"a":{"minimum":1,"exclusiveMinimum":true}}}`,
	}
}

// compareQuick reports whether quick accepts the document, which the library then has
// to find valid, without a member twice.
func compareQuick(t *testing.T, s *schema, text string) bool {
	t.Helper()
	found, ok := scanWhole(text)
	if !ok || found.depth > maxDepth {
		return false
	}
	if !s.quick.accepts(trimJSON(text)) {
		return false
	}
	document := decode(text)
	if err := s.validate(t.Context(), document, 1<<30, 1); err != nil || countMembers(document) != found.members {
		t.Errorf("quick accepts %s, the library: %v, members %d of %d", text, err, countMembers(document), found.members)
	}
	return true
}

func randomDocument(r *rand.Rand, depth int) string {
	n := r.IntN(4)
	switch k := r.IntN(8); {
	case k < 3 && depth > 0:
		members := make([]string, n)
		for i := range members {
			members[i] = pickOne(r, `"a"`, `"b"`, `"c"`, `"z"`, `"\u0061"`, "\"\xff\"") + ":" + randomDocument(r, depth-1)
		}
		return "{" + strings.Join(members, ",") + "}"
	case k < 4 && depth > 0:
		items := make([]string, n)
		for i := range items {
			items[i] = randomDocument(r, depth-1)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return pickOne(r, `"x"`, `"é"`, `"\u00e9"`, `"ab"`, `""`, `"😀😀😀"`, `"2026-01-31"`, `null`, `true`, `false`, `0`, `1`, `-1`, `2.0`, `3`, `0.1`, `1e1`, `10`, `11`, `0.30000000000000004`, `3.0000000000000001`)
}

func pickOne(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// TestQuickIsRight compares quick with the library on random documents; among them it
// has to accept many.
func TestQuickIsRight(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	accepted, valid := 0, 0
	for _, text := range quickSchemas() {
		s, err := compileDocument([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for range 3000 {
			document := randomDocument(random, 3)
			if compareQuick(t, s, document) {
				accepted++
			} else if found, _ := scanWhole(document); !s.quick.unsure && s.validate(t.Context(), decode(document), 1<<20, 1) == nil && found.members == countMembers(decode(document)) {
				valid++
			}
		}
	}
	if accepted < 3*valid {
		t.Errorf("quick accepts %d documents, and not %d more that are valid", accepted, valid)
	}
}

func FuzzQuick(f *testing.F) {
	for i, text := range quickSchemas() {
		f.Add(text, randomDocument(rand.New(rand.NewPCG(7, uint64(i))), 3))
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		if found, ok := scanWhole(text); !ok || found.depth > maxDepth || len(text) > 4<<10 || len(document) > 4<<10 {
			return
		}
		if s, err := compileDocument([]byte(text)); err == nil {
			compareQuick(t, s, document)
		}
	})
}
