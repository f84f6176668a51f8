package telemetry

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                              "plain",
		"2026-06-01.3":                       "2026-06-01.3",
		"Claude Sonnet-4/a:b":                "claude_sonnet-4/a:b",
		"reason:bad,tag|x\ny#z":              "reason:bad_tag_x_y_z",
		"größe":                              "größe",
		"検索":                                 "検索",
		"ПОИСК ٣":                            "поиск_٣",
		"a👍b":                                "a_b",
		"\xff\x80":                           "__",
		strings.Repeat("x", 300):             strings.Repeat("x", 200),
		strings.Repeat("x", 199) + "ü" + "y": strings.Repeat("x", 199),
	} {
		if got := sanitizeValue(in); got != want {
			t.Errorf("cleanValue(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"correctness": "correctness", "Tool Selection-2": "tool_selection_2", "a.b": "a.b", "count": "count_score", "Weighted": "weighted_score", "x:y/z": "x_y_z", "größe": "gr__e",
	} {
		if got := sanitizeName(in); got != want {
			t.Errorf("cleanName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTruncateTag(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     int // bytes
	}{
		{"short", "abc", 3},
		{"at the limit", strings.Repeat("a", maxTagBytes), maxTagBytes},
		{"above", strings.Repeat("a", 1<<20), maxTagBytes},
		{"between characters", "a" + strings.Repeat("é", maxTagBytes), maxTagBytes - 1},
		{"invalid", "\xff", 3},
		{"invalid and grown", strings.Repeat("\xffa", maxTagBytes), maxTagBytes},
	} {
		if got := truncateTag(tt.in); len(got) != tt.want || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, valid %t; want %d", tt.name, len(got), utf8.ValidString(got), tt.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a,b|c#d\ne:f")
	f.Add("Ünïcode \xff")
	f.Add("検索 İstanbul ȺȺ")
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_./-:", r)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := sanitizeValue(s)
		if len(v) > 200 || (v == "") != (s == "") || strings.ContainsFunc(v, odd) {
			t.Errorf("cleanValue(%q) = %q", s, v)
		}
		if again := sanitizeValue(v); again != v {
			t.Errorf("cleanValue is not stable: %q, %q", v, again)
		}
		if tag := truncateTag(s); len(tag) > maxTagBytes || !utf8.ValidString(tag) {
			t.Errorf("capped(%q) = %q", s, tag)
		}
	})
}

// TestTagSetBounds: the first values of a moment keep their names, later ones share one, and
// are counted.
func TestTagSetBounds(t *testing.T) {
	t.Parallel()
	g := newTagSet("feature", 3, sanitizeValue, newClock())
	distinct := map[string]bool{}
	for i := range 1000 {
		distinct[g.tag(fmt.Sprintf("f%d", i)).tag] = true
	}
	if len(distinct) != 4 || !distinct["feature:other"] || !distinct["feature:f2"] {
		t.Errorf("tags = %v, want three names and other", distinct)
	}
	if got := g.overflow.total.Load(); got != 997 {
		t.Errorf("counted %d, want 997", got)
	}
	if got := g.tag("F1").tag; got != "feature:f1" {
		t.Errorf("another spelling of a known value = %q", got)
	}
	if g.tag("").tag != "" || g.value("") != "" || g.value("f0") != "f0" {
		t.Error("empty and known values are wrong")
	}
	if n := len(g.spellings); n > 4*3 {
		t.Errorf("%d spellings are remembered", n)
	}
}

// TestTagSetSpellings: spellings of one value are one value, and cannot fill the
// memory.
func TestTagSetSpellings(t *testing.T) {
	t.Parallel()
	g := newTagSet("tool", 2, sanitizeValue, newClock())
	for i := range 100 {
		if got := g.tag("a" + string(rune(0x2600+i))).tag; got != "tool:a_" {
			t.Fatalf("tag = %q", got)
		}
	}
	if values, overflows := len(g.values), g.overflow.total.Load(); len(g.spellings) > 8 || values != 1 || overflows != 0 {
		t.Errorf("%d spellings of %d values, %d overflows", len(g.spellings), values, overflows)
	}
}

func TestTagSetConcurrent(t *testing.T) {
	t.Parallel()
	g := newTagSet("k", 5, sanitizeValue, newClock())
	var wg sync.WaitGroup
	var mu sync.Mutex
	distinct := map[string]bool{}
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				tag := g.tag(fmt.Sprint((i*7 + w) % 50)).tag
				mu.Lock()
				distinct[tag] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(distinct) != 6 {
		t.Errorf("%d distinct tags, want 5 and other", len(distinct))
	}
}

// places is a set whose clock a test moves.
type places struct {
	*tagSet
	seconds int64
}

func newPlaces(limit int) *places {
	c := newClock()
	return &places{tagSet: newTagSet("prompt_version", limit, sanitizeValue, c)}
}

// after moves the clock on.
func (p *places) after(d time.Duration) {
	p.seconds += int64(d / time.Second)
	p.clock.seconds.Store(p.seconds)
}

// use uses a value as an event does, and returns its name.
func (p *places) use(value string) string {
	v := p.tag(value)
	v.touch(p.seconds)
	return v.text
}

// TestUnusedValuesFreeTheirPlaces: hours after its last use a value has no place and nothing
// remembers it, and what is in use keeps its place.
func TestUnusedValuesFreeTheirPlaces(t *testing.T) {
	t.Parallel()
	p := newPlaces(5)
	for _, v := range []string{"1", "2", "3", "4", "5"} {
		p.use(v)
	}
	if got := p.use("6"); got != "other" {
		t.Fatalf("a sixth value of five is called %s", got)
	}
	for range 2 {
		p.after(forgetAfter / 2 * time.Second)
		p.use("5")
	}
	p.age(p.seconds)
	if len(p.values) != 1 || len(p.spellings) != 1 || p.values["5"] == nil {
		t.Errorf("places are held by %v, spellings %v; want 5 alone", p.values, p.spellings)
	}
	for _, v := range []string{"6", "7", "8", "9"} {
		if got := p.use(v); got != v {
			t.Errorf("%s is called %s", v, got)
		}
	}
}

// TestIdlePlaceIsTaken: when no place is free, that of the value that is idle for longest is
// taken, by a value that had one before too, and none of a value that is in use.
func TestIdlePlaceIsTaken(t *testing.T) {
	t.Parallel()
	p := newPlaces(3)
	p.use("idle")
	p.after(time.Second)
	p.use("later")
	p.use("busy")
	p.after(idleAfter * time.Second)
	p.use("busy")
	for _, step := range []struct{ value, want string }{
		{"new", "new"}, {"busy", "busy"}, {"later", "later"}, {"idle", "other"},
	} {
		if got := p.use(step.value); got != step.want {
			t.Errorf("%s is called %s, want %s", step.value, got, step.want)
		}
	}
	p.after(idleAfter * time.Second)
	p.use("later")
	if got := p.use("idle"); got != "idle" {
		t.Errorf("a value that comes back is called %s though a place is idle", got)
	}
}

// TestNewestHasAName: while all places are in use, a value that is new gets one, up to a
// budget; the one that lost it is not new, so they do not take turns.
func TestNewestHasAName(t *testing.T) {
	t.Parallel()
	const limit = 200
	p := newPlaces(limit)
	var versions []string
	for i := range limit {
		versions = append(versions, fmt.Sprint("old", i))
	}
	use := func() (others int) {
		p.after(5 * time.Minute)
		for _, v := range versions {
			if p.use(v) == overflowValue {
				others++
			}
		}
		return others
	}
	use()
	for i := range 20 { // releases of five versions, each quarter of an hour
		for n := range 5 {
			v := fmt.Sprint("new", i, "-", n)
			versions = append(versions, v)
			if got := p.use(v); got != v {
				t.Errorf("the newest version %s is called %s", v, got)
			}
		}
		for range 3 {
			if got, want := use(), len(versions)-limit; got != want {
				t.Errorf("%d versions are other, want %d", got, want)
			}
		}
	}
	for _, v := range versions[len(versions)-limit:] {
		if got := p.use(v); got != v {
			t.Errorf("%s, one of the newest %d, is called %s", v, limit, got)
		}
	}
}

// TestIDsInPlaceOfVersions: values that come once each use up the budget and no more, so they
// cost a bounded number of series; and a version that is released all the same has a name
// within minutes.
func TestIDsInPlaceOfVersions(t *testing.T) {
	t.Parallel()
	const limit, hours, perSecond = 200, 5, 20
	p := newPlaces(limit)
	names, next := 0, 0
	flood := func(seconds int) {
		for range seconds {
			for range perSecond {
				next++
				if id := fmt.Sprint("id-", next); p.use(id) == id {
					names++
				}
			}
			if got := p.use("good"); got != "good" {
				t.Fatalf("a version that is in use is called %s", got)
			}
			p.after(time.Second)
		}
	}
	p.use("good")
	flood(hours * 3600)
	if most := limit + limit/2 + hours*limit + hours; names > most {
		t.Errorf("%d of %d ids have names, want at most %d", names, next, most)
	}
	if got := len(p.strangers.young) + len(p.strangers.former); got > 2*maxStrangers {
		t.Errorf("%d values without a place are remembered", got)
	}
	for second := 0; p.use("released") != "released"; second++ {
		if second > idleAfter {
			t.Fatal("a version has no name ten minutes after its release")
		}
		flood(1)
	}
}

// TestOwnValuesKeepTheirPlaces: what the program itself writes is not forgotten.
func TestOwnValuesKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := newTagSet("outcome", 5, sanitizeValue, c)
	pass := g.tag("pass")
	c.seconds.Store(10 * forgetAfter)
	g.age(c.now())
	if g.tag("pass") != pass || pass.gone.Load() {
		t.Error("an outcome has lost its place")
	}
}
