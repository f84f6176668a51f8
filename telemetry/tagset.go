package telemetry

import (
	"hash/maphash"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

const (
	overflowValue  = "other"
	maxValueLength = 200 // of a tag; Datadog truncates longer ones
	maxNameLength  = 180 // of an evaluator's name; a metric's name may have 200
	maxStrangers   = 8192
)

// tagSet creates the tags of one key from untrusted values, and bounds the number
// of distinct values at a time: DogStatsD neither escapes nor bounds them, and each new
// combination of tags is a time series that costs money.
//
// There are limit places. A value without one is sent as "other". A place becomes free when
// its value was not used for forgetAfter, so what a worker names follows from the last hours
// and not from its age. When no place is free, a value takes the one of the value that was
// not used for longest, if
//
//   - that one is idle: not used for idleAfter;
//   - or the value is new: otherwise a version that is being released would be the one that
//     has no name. Each takes a token of a budget of limit an hour, half of that at once; there is
//     none for less than ten places.
//
// A value that lost its place to a new one is not new any more, or values that are all in use
// and more than the places would take turns. After a value had to do without a place, for
// idleAfter, a new one takes an idle place only when it comes a second time: so an id in the
// place of a version takes none.
//
// It is safe for concurrent use.
type tagSet struct {
	key       string
	limit     int
	closed    bool // the values are the program's own: they are few, and keep their places
	sanitize  func(string) string
	clock     *clock
	overflow  overflow
	none      *tagValue // of an empty value
	other     *tagValue
	placeless *tagValue // other, for lack of a place

	mu        sync.RWMutex
	spellings map[string]*tagValue // guarded by mu; by the original value
	values    map[string]*tagValue // guarded by mu; by the sanitised value; those that have a place
	last      uint32               // guarded by mu; the number of the last one
	busyUntil int64                // guarded by mu; no place is idle before
	calmFrom  int64                // guarded by mu; idleAfter after a value had to do without a place
	budget    *rate.Limiter        // of places that new values take from others
	strangers strangers            // guarded by mu
}

// tagValue is a value of a key as it is sent.
type tagValue struct {
	tag  string // key:value; empty for no value
	text string // without the key
	// n is the number of the value among those of its key: 0 for no value, 1 for other. A
	// number is given once.
	n    uint32
	used atomic.Int64 // second of the last use
	gone atomic.Bool  // it has lost its place
}

// otherNumber is the number of the value other in every set.
const otherNumber = 1

// touch notes a use.
func (v *tagValue) touch(now int64) {
	if v.used.Load() != now {
		v.used.Store(now)
	}
}

func newTagSet(key string, limit int, clean func(string) string, c *clock) *tagSet {
	other := func() *tagValue {
		return &tagValue{tag: key + ":" + overflowValue, text: overflowValue, n: otherNumber}
	}
	return &tagSet{
		key: key, limit: limit, closed: isClosed(key), sanitize: clean, clock: c, none: &tagValue{}, other: other(), placeless: other(),
		spellings: map[string]*tagValue{}, values: map[string]*tagValue{}, last: otherNumber,
		budget:    rate.NewLimiter(rate.Every(time.Hour/time.Duration(limit)), limit/10*5),
		strangers: newStrangers(),
	}
}

// tag returns the tag for a value. The caller notes the use.
func (g *tagSet) tag(value string) *tagValue {
	if value == "" {
		return g.none
	}
	g.mu.RLock()
	v, ok := g.spellings[value]
	g.mu.RUnlock()
	if ok {
		return v
	}
	return g.admit(value)
}

// value returns the tag of a value without the key.
func (g *tagSet) value(value string) string { return g.tag(value).text }

func (g *tagSet) admit(value string) *tagValue {
	clean := g.sanitize(value)
	if clean == overflowValue {
		return g.other
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.values[clean]
	if v == nil {
		now := g.clock.now()
		if len(g.values) >= g.limit && !g.makeRoom(clean, now) {
			g.overflow.total.Add(1)
			return g.placeless
		}
		g.last++
		v = &tagValue{tag: g.key + ":" + clean, text: clean, n: g.last}
		v.used.Store(now)
		g.values[clean] = v
	}
	// Many spellings may share one sanitised value; their number is bounded too.
	if len(g.spellings) < 4*g.limit && len(value) <= maxValueLength {
		g.spellings[value] = v
	}
	return v
}

// makeRoom takes the place of the value that was not used for longest, if the value without
// a place may have it. The caller holds mu.
func (g *tagSet) makeRoom(clean string, now int64) bool {
	at := time.Unix(now, 0) // the limiter's view of the clock
	known, calm := g.strangers.known(clean), now >= g.calmFrom
	ok := false
	var longest *tagValue
	switch {
	case g.closed, known && now < g.busyUntil, !known && !calm && g.budget.TokensAt(at) < 1: // no need to search
	default:
		longest = g.longestUnused()
		idleFrom := longest.used.Load() + idleAfter
		if ok = now >= idleFrom && (known || calm) || !known && g.budget.AllowN(at, 1); !ok {
			g.busyUntil = idleFrom
		}
	}
	if !ok {
		g.calmFrom = now + idleAfter
		g.strangers.note(clean)
		return false
	}
	g.free(longest)
	g.strangers.note(longest.text)
	return true
}

// longestUnused returns the value whose last use is the longest ago; of several, the one
// that has its place for longest. The caller holds mu.
func (g *tagSet) longestUnused() (longest *tagValue) {
	var used int64
	for _, v := range g.values {
		if u := v.used.Load(); longest == nil || u < used || u == used && v.n < longest.n {
			longest, used = v, u
		}
	}
	return longest
}

// free takes the place of a value. The caller holds mu.
func (g *tagSet) free(v *tagValue) {
	v.gone.Store(true)
	delete(g.values, v.text)
	maps.DeleteFunc(g.spellings, func(_ string, of *tagValue) bool { return of == v })
}

// age frees the places of values that were not used for hours.
func (g *tagSet) age(now int64) {
	if g.closed {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range g.values {
		if now-v.used.Load() >= forgetAfter {
			g.free(v)
		}
	}
	g.strangers.age()
}

// strangers remembers values that have no place, for one to two times ageEvery and up to
// a number, by their hashes: they may be anything.
type strangers struct {
	seed          maphash.Seed
	young, former map[uint64]struct{}
}

func newStrangers() strangers {
	return strangers{seed: maphash.MakeSeed(), young: map[uint64]struct{}{}, former: map[uint64]struct{}{}}
}

func (s *strangers) known(value string) bool {
	h := maphash.String(s.seed, value)
	_, young := s.young[h]
	_, former := s.former[h]
	return young || former
}

func (s *strangers) note(value string) {
	if len(s.young) >= maxStrangers {
		s.age()
	}
	s.young[maphash.String(s.seed, value)] = struct{}{}
}

func (s *strangers) age() { s.young, s.former = map[uint64]struct{}{}, s.young }

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
