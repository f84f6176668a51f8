package telemetry

import (
	"strings"
	"sync"
	"sync/atomic"
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
type guard struct {
	key      string
	limit    int
	overflow func(key string) // called once, at the first overflow
	clean    func(string) string

	mu       sync.RWMutex
	tags     map[string]string   // guarded by mu; value as it came -> tag
	values   map[string]struct{} // guarded by mu; values as they are sent
	overflew atomic.Int64        // values that became other
}

func newGuard(key string, limit int, clean func(string) string, overflow func(string)) *guard {
	return &guard{key: key, limit: limit, clean: clean, overflow: overflow, tags: map[string]string{}, values: map[string]struct{}{}}
}

// tag gives "key:value" for a value; empty for an empty value.
func (g *guard) tag(value string) string {
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
func (g *guard) value(value string) string {
	tag := g.tag(value)
	if tag == "" {
		return ""
	}
	return tag[len(g.key)+1:]
}

func (g *guard) admit(value string) string {
	clean := g.clean(value)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.values[clean]; !known {
		if len(g.values) >= g.limit {
			if g.overflew.Add(1) == 1 {
				g.overflow(g.key)
			}
			return g.key + ":" + overflowValue
		}
		g.values[strings.Clone(clean)] = struct{}{} // it may be the start of something long
	}
	tag := g.key + ":" + clean
	// Many spellings may share one clean value; remembering them is bounded too.
	if len(g.tags) < 4*g.limit && len(value) <= maxValueLength {
		g.tags[value] = tag
	}
	return tag
}

// cleanValue makes a tag value of any text: lower case, at most 200 bytes, and
// of letters, digits and _ . / - : only.
func cleanValue(s string) string {
	return clean(s, maxValueLength, func(c byte) bool { return c == '_' || c == '.' || c == '/' || c == '-' || c == ':' })
}

// cleanName makes a part of a metric's name of any text.
func cleanName(s string) string {
	switch name := clean(s, maxNameLength, func(c byte) bool { return c == '_' || c == '.' }); name {
	case "count", "weighted": // the names of counts; one name must not have two types
		return name + "_score"
	default:
		return name
	}
}

func clean(s string, limit int, allowed func(byte) bool) string {
	if len(s) > limit {
		s = s[:limit]
	}
	ok := true
	for i := range len(s) {
		ok = ok && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9' || allowed(s[i]))
	}
	if ok {
		return s
	}
	b := []byte(s)
	out := b[:0]
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 0x80 && c < 0xC0 && i > 0: // the rest of a rune whose first byte became an underscore
			continue
		case (c < 'a' || c > 'z') && (c < '0' || c > '9') && !allowed(c):
			c = '_'
		}
		out = append(out, c)
	}
	return string(out)
}
