package telemetry

import (
	"fmt"
	"strings"
	"sync"
	"testing"
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
