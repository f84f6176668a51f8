package validators

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestScanFlaws(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		flaw flaw
		end  int
	}{
		"empty":                {"", flawTruncated, 0},
		"open object":          {`{"a":1`, flawTruncated, 6},
		"open string":          {`{"a":"b`, flawTruncated, 7},
		"half a word":          {`[tru`, flawTruncated, 4},
		"minus at the end":     {`-`, flawTruncated, 1},
		"exponent at the end":  {`1e`, flawTruncated, 2},
		"trailing comma":       {`{"a":1,}`, flawTrailingComma, 6},
		"trailing comma, list": {`[1, ]`, flawTrailingComma, 2},
		"two commas":           {`[1,,2]`, flawSyntax, 3},
		"comment":              {`{"a":1 // x`, flawComment, 7},
		"block comment":        {`{ /* x */ "a":1}`, flawComment, 2},
		"single quotes":        {`{'a':1}`, flawQuotes, 1},
		"curly quotes":         {`{“a”:1}`, flawQuotes, 1},
		"bare key":             {`{a:1}`, flawWord, 1},
		"NaN":                  {`{"a":NaN}`, flawWord, 5},
		"-Infinity":            {`[-Infinity]`, flawWord, 2},
		"None":                 {`[None]`, flawWord, 1},
		"raw newline":          {"[\"a\nb\"]", flawControl, 3},
		"bad escape":           {`["\x"]`, flawEscape, 3},
		"bad unicode escape":   {`["\u12g4"]`, flawEscape, 6},
		"leading zero":         {`[01]`, flawNumber, 1},
		"no fraction":          {`[1.]`, flawNumber, 3},
		"missing colon":        {`{"a" 1}`, flawSyntax, 5},
		"missing comma":        {`[1 2]`, flawSyntax, 3},
		"wrong bracket":        {`[1}`, flawSyntax, 2},
		"value, then more":     {`{"a":[]} x`, flawNone, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := scan(tt.text, 0)
			if got.flaw != tt.flaw || got.end != tt.end {
				t.Errorf("flaw %q at %d, want %q at %d", got.flaw, got.end, tt.flaw, tt.end)
			}
		})
	}
}

func TestScanCounts(t *testing.T) {
	t.Parallel()
	got := scan(`{"a":[1,{"b":null}],"c":{}}`, 0)
	if got.depth != 3 || got.members != 3 || got.values != 6 || got.wide {
		t.Errorf("depth %d, members %d, values %d, wide %t; want 3, 3, 6, false", got.depth, got.members, got.values, got.wide)
	}
	for text, wide := range map[string]bool{
		"1e308": false, "1e-320": false, "-1.5E+400": false, "1e401": true, "1e-999999999": true,
		strings.Repeat("9", 300): false, strings.Repeat("9", 2000): true, "0." + strings.Repeat("1", 2000): true,
	} {
		if got := scan(text, 0); got.wide != wide || got.flaw != flawNone {
			t.Errorf("%.20s: wide %t, flaw %q; want wide %t", text, got.wide, got.flaw, wide)
		}
	}
}

// FuzzScan holds the scanner to the standard library's idea of JSON.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e-3,"x\u00e9\n",true,false,null,{}]}`, `[]`, `{}`, ` 1 `, `"\\"`, `[1,]`, `{"a"}`, `-`, `0.0`, "\"\x01\"", `{"a":1}}`, `[[[[`, `tr`, `"` + "\xff" + `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := whole(text)
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

// FuzzEmbedded: whatever is found in prose is an object or array, in order,
// and never overlaps.
func FuzzEmbedded(f *testing.F) {
	for _, seed := range []string{
		"Here: {\"a\":1}.", "```json\n[1]\n``` and {\"b\":2}", "see [1] and [2]", "{\"a\":", "{name} {{x}} {\"a\":{\"b\":[]}}", "[[[[[[", "~~~\n{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		embedded(text, func(g finding) bool {
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

// TestEmbeddedIsLinear counts what the search reads, on texts that make a naive
// search quadratic.
func TestEmbeddedIsLinear(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"only openings":      strings.Repeat("[", 1<<20),
		"openings, then bad": strings.Repeat("[1,", 1<<18) + "x",
		"open strings":       strings.Repeat(`{"`, 1<<19),
	} {
		// A quadratic search of a megabyte would not end in the time of a test.
		found := 0
		embedded(text, func(finding) bool { found++; return true })
		if found != 0 {
			t.Errorf("%s: found %d", name, found)
		}
	}
}
