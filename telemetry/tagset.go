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
	tags      map[string]tagValue // guarded by mu; by the original value
	numbers   map[string]int32    // guarded by mu; of the sanitised values
	values    []string            // guarded by mu; sanitised values by their numbers
	overflows atomic.Int64        // values that became other
}

// tagValue is a value of a key as it is sent.
type tagValue struct {
	tag string // key:value; empty for no value
	// n is the number of the value among those of its key: 0 for no value, 1 for other.
	n int32
}

// otherNumber is the number of the value other in every set.
const otherNumber = 1

func newTagSet(key string, limit int, clean func(string) string, overflow func(string)) *tagSet {
	return &tagSet{
		key: key, limit: limit, sanitize: clean, overflow: overflow,
		tags: map[string]tagValue{}, numbers: map[string]int32{overflowValue: otherNumber}, values: []string{"", overflowValue},
	}
}

// tag returns the tag for a value; the zero value for an empty one.
func (g *tagSet) tag(value string) tagValue {
	if value == "" {
		return tagValue{}
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
func (g *tagSet) value(value string) string { return g.numbered(g.tag(value).n) }

// numbered returns the value with a number.
func (g *tagSet) numbered(n int32) string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.values[n]
}

func (g *tagSet) admit(value string) tagValue {
	clean := g.sanitize(value)
	g.mu.Lock()
	defer g.mu.Unlock()
	n, known := g.numbers[clean]
	if !known {
		if len(g.values)-2 >= g.limit { // all but none and other
			if g.overflows.Add(1) == 1 {
				g.overflow(g.key)
			}
			return tagValue{g.key + ":" + overflowValue, otherNumber}
		}
		n = int32(len(g.values)) //nolint:gosec // at most 100,000
		g.numbers[clean] = n
		g.values = append(g.values, clean)
	}
	tag := tagValue{g.key + ":" + clean, n}
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
