package telemetry

import (
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

const (
	overflowValue  = "other"
	maxValueLength = 200 // of a tag; Datadog truncates longer ones
	maxNameLength  = 180 // of an evaluator's name; a metric's name may have 200
)

// tagSet creates the tags of one key from untrusted values, and bounds the number
// of distinct values: DogStatsD neither escapes nor bounds them, and each new
// combination of tags is a time series that costs money.
//
// The first limit values stay as they are until the process ends; later ones become
// "other". It is safe for concurrent use.
type tagSet struct {
	key      string
	limit    int
	overflow func(key string) // called once, at the first overflow
	sanitize func(string) string

	mu        sync.RWMutex
	tags      map[string]string   // guarded by mu; original value -> tag
	values    map[string]struct{} // guarded by mu; sanitised values
	overflows atomic.Int64        // values that became other
}

func newTagSet(key string, limit int, clean func(string) string, overflow func(string)) *tagSet {
	return &tagSet{key: key, limit: limit, sanitize: clean, overflow: overflow, tags: map[string]string{}, values: map[string]struct{}{}}
}

// tag returns "key:value" for a value; empty for an empty value.
func (g *tagSet) tag(value string) string {
	if value == "" {
		return ""
	}
	g.mu.RLock()
	tag, ok := g.tags[value]
	g.mu.RUnlock()
	if ok {
		return tag
	}
	return g.admit(value)
}

// value returns the tag of a value without the key.
func (g *tagSet) value(value string) string {
	tag := g.tag(value)
	if tag == "" {
		return ""
	}
	return tag[len(g.key)+1:]
}

func (g *tagSet) admit(value string) string {
	clean := g.sanitize(value)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.values[clean]; !known {
		if len(g.values) >= g.limit {
			if g.overflows.Add(1) == 1 {
				g.overflow(g.key)
			}
			return g.key + ":" + overflowValue
		}
		g.values[clean] = struct{}{}
	}
	tag := g.key + ":" + clean
	// Many spellings may share one sanitised value; their number is bounded too.
	if len(g.tags) < 4*g.limit && len(value) <= maxValueLength {
		g.tags[value] = tag
	}
	return tag
}

// sanitizeValue turns any text into a tag value: lower case, at most 200 bytes,
// only letters of any script, digits and the characters _.:/- in it.
func sanitizeValue(s string) string {
	return sanitize(s, maxValueLength, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_./-:", r)
	})
}

// sanitizeName turns any text into a part of a metric's name, which is ASCII.
func sanitizeName(s string) string {
	name := sanitize(s, maxNameLength, func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.'
	})
	switch name {
	case "count", "weighted": // count metrics have these names, and a name must not have two types
		return name + "_score"
	}
	return name
}

// sanitize returns a text in lower case, truncated between characters, with _ for
// characters that are not allowed.
func sanitize(s string, limit int, allowed func(rune) bool) string {
	b := make([]byte, 0, min(len(s), limit))
	for _, r := range s {
		if r = unicode.ToLower(r); !allowed(r) {
			r = '_'
		}
		if len(b)+utf8.RuneLen(r) > limit {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}
