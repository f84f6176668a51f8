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
	maxValueLength = 200 // of a tag, as Datadog cuts it
	maxNameLength  = 180 // of an evaluator's name; a metric's name may have 200
)

// guard makes tags out of values that come from outside, and bounds how many
// distinct values a key may take: DogStatsD has no escaping and no bound of its
// own, and each new combination of tags is a new time series that is paid for.
//
// The first limit values of a key keep their names until the process ends; a later
// one becomes "other". Safe for concurrent use.
type tagSet struct {
	key      string
	limit    int
	overflow func(key string) // called once, at the first overflow
	sanitize func(string) string

	mu        sync.RWMutex
	tags      map[string]string   // guarded by mu; value as it came -> tag
	values    map[string]struct{} // guarded by mu; values as they are sent
	overflows atomic.Int64        // values that became other
}

func newTagSet(key string, limit int, clean func(string) string, overflow func(string)) *tagSet {
	return &tagSet{key: key, limit: limit, sanitize: clean, overflow: overflow, tags: map[string]string{}, values: map[string]struct{}{}}
}

// tag gives "key:value" for a value; empty for an empty value.
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

// value is tag without the key.
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
	// Many spellings may share one clean value; remembering them is bounded too.
	if len(g.tags) < 4*g.limit && len(value) <= maxValueLength {
		g.tags[value] = tag
	}
	return tag
}

// cleanValue makes a tag value of any text: lower case, at most 200 bytes, and
// of letters, digits and _ . / - : only. Datadog takes letters of any script.
func sanitizeValue(s string) string {
	return sanitize(s, maxValueLength, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_./-:", r)
	})
}

// cleanName makes a part of a metric's name of any text. Names are ASCII.
func sanitizeName(s string) string {
	name := sanitize(s, maxNameLength, func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.'
	})
	switch name {
	case "count", "weighted": // the names of counts; one name must not have two types
		return name + "_score"
	}
	return name
}

// clean writes a text in lower case, cuts it between characters, and writes _ for
// what is not allowed.
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
