package validators

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

func TestScanCounts(t *testing.T) {
	t.Parallel()
	got := scanValue(`{"a":[1,{"b":null}],"c":{}}`, 0)
	if got.depth != 3 || got.members != 3 || got.values != 6 || got.wide {
		t.Errorf("depth %d, members %d, values %d, wide %t; want 3, 3, 6, false", got.depth, got.members, got.values, got.wide)
	}
	for text, wide := range map[string]bool{
		"1e308": false, "1e-320": false, "-1.5E+400": false, "1e401": true, "1e-999999999": true,
		strings.Repeat("9", 300): false, strings.Repeat("9", 2000): true, "0." + strings.Repeat("1", 2000): true,
	} {
		if got := scanValue(text, 0); got.wide != wide || got.flaw != jsonscan.FlawNone {
			t.Errorf("%.20s: wide %t, flaw %q; want wide %t", text, got.wide, got.flaw, wide)
		}
	}
}

// FuzzScan compares the scan with the standard library's idea of JSON.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e-3,"x\u00e9\n",true,false,null,{}]}`, `[]`, `{}`, ` 1 `, `"\\"`, `[1,]`, `{"a"}`, `-`, `0.0`, "\"\x01\"", `{"a":1}}`, `[[[[`, `tr`, `"` + "\xff" + `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := scanWhole(text)
		if s.depth > 9000 {
			t.Skip("the standard library has a limit of depth, the scanner has none")
		}
		if ok != json.Valid([]byte(text)) {
			t.Fatalf("scan says %t, encoding/json %t (flaw %q at %d)", ok, !ok, s.flaw, s.end)
		}
		if !ok {
			return
		}
		if n := countMembers(decode(trimJSON(text))); n > s.members {
			t.Fatalf("%d members decoded, %d scanned", n, s.members)
		}
	})
}

// FuzzFindJSON: whatever is found in prose is an object or array, in order,
// and never overlaps.
func FuzzFindJSON(f *testing.F) {
	for _, seed := range []string{
		"Here: {\"a\":1}.", "```json\n[1]\n``` and {\"b\":2}", "see [1] and [2]", "{\"a\":", "{name} {{x}} {\"a\":{\"b\":[]}}", "[[[[[[", "~~~\n{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		findJSON(text, func(g span) bool {
			if g.start < last || g.end <= g.start || !json.Valid([]byte(text[g.start:g.end])) && g.depth < 9000 {
				t.Fatalf("found [%d:%d] after %d", g.start, g.end, last)
			}
			if c := text[g.start]; c != '{' && c != '[' {
				t.Fatalf("found a value that begins with %q", c)
			}
			last = g.end
			return true
		})
	})
}

// TestFindJSONIsLinear counts what the search reads, on texts that make a naive
// search quadratic.
func TestFindJSONIsLinear(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"only openings":      strings.Repeat("[", 1<<20),
		"openings, then bad": strings.Repeat("[1,", 1<<18) + "x",
		"open strings":       strings.Repeat(`{"`, 1<<19),
	} {
		// A quadratic search of a megabyte would not end in the time of a test.
		found := 0
		findJSON(text, func(span) bool { found++; return true })
		if found != 0 {
			t.Errorf("%s: found %d", name, found)
		}
	}
}

// FuzzDecode compares decode with encoding/json.
func FuzzDecode(f *testing.F) {
	f.Add(`{"a":[1,2.50,"x\u00e9\ud83d",true,false,null,{}],"a":{"b":[]}}`)
	f.Add(`"` + "\xff" + `"`)
	f.Fuzz(func(t *testing.T, text string) {
		if found, ok := scanWhole(text); !ok || found.depth > maxDepth {
			return
		}
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := decode(text); !reflect.DeepEqual(got, want) {
			t.Errorf("decode(%q) = %#v, want %#v", text, got, want)
		}
	})
}
