package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// readAll reads a value to its end and returns its tokens, separated by spaces.
func readAll[T jsonscan.Text](s *jsonscan.Scanner[T], text T) string {
	var tokens []string
	for t, ok := s.Next(); ok; t, ok = s.Next() {
		tokens = append(tokens, string(text[t.Start:t.End]))
	}
	return strings.Join(tokens, " ")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	const text = ` {"a" : [1, -2.5e+3,[]],"b\"":{"c":null},"d":"x y"} rest`
	s := jsonscan.New(text, 0)
	const want = `{ "a" [ 1 -2.5e+3 [ ] ] "b\"" { "c" null } "d" "x y" }`
	got := readAll(&s, text)
	if rest := text[s.Pos():]; got != want || s.Flaw() != jsonscan.FlawNone || rest != " rest" || s.Whole() {
		t.Errorf("%s, flaw %q, then %q; want %s", got, s.Flaw(), rest, want)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	s := jsonscan.New(`[[1,[2]],{"a":[]},3]`, 0)
	var places []int
	s.Next()
	for v, ok := s.Next(); ok && v.Kind != jsonscan.Close; v, ok = s.Next() {
		places = append(places, v.Start)
		s.Skip(v)
		if s.Depth() != 1 {
			t.Fatalf("depth %d after the value at %d, want 1", s.Depth(), v.Start)
		}
	}
	if len(places) != 3 || places[1] != 9 || places[2] != 18 {
		t.Errorf("values at %v, want 1, 9, 18", places)
	}
	broken := jsonscan.New(`[[1,`, 0)
	broken.Next()
	v, _ := broken.Next()
	if broken.Skip(v); broken.Flaw() != jsonscan.FlawTruncated {
		t.Errorf("flaw %q, want %q", broken.Flaw(), jsonscan.FlawTruncated)
	}
}

// TestDepth goes beyond the levels that the scanner keeps without allocating.
func TestDepth(t *testing.T) {
	t.Parallel()
	const levels = 1000
	text := strings.Repeat(`[{"a":`, levels) + "1" + strings.Repeat("}]", levels)
	s := jsonscan.New(text, 0)
	deepest := 0
	for _, ok := s.Next(); ok; _, ok = s.Next() {
		deepest = max(deepest, s.Depth())
	}
	if deepest != 2*levels || s.Depth() != 0 || s.Flaw() != jsonscan.FlawNone {
		t.Errorf("deepest %d, depth %d, flaw %q; want %d, 0, none", deepest, s.Depth(), s.Flaw(), 2*levels)
	}
}

func TestUnquote(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		`""`: "", `"a b"`: "a b", `"\u00e9\n\"\\"`: "é\n\"\\", "\"\xff\"": "\ufffd",
	} {
		got, err := jsonscan.Unquote(token)
		again, errAgain := jsonscan.Unquote([]byte(token))
		if err != nil || errAgain != nil || got != want || again != want {
			t.Errorf("Unquote(%s) = %q, %v and %q, %v; want %q", token, got, err, again, errAgain, want)
		}
	}
}

func TestUnquoteRefusesWhatIsNoString(t *testing.T) {
	t.Parallel()
	for _, token := range []string{``, `"`, `x`, `"a`, `"\"`, `"\u12"`, `"\u12g4"`, `"\x"`, `"a"b"`, "\"a\nb\""} {
		if got, err := jsonscan.Unquote(token); err == nil {
			t.Errorf("Unquote(%s) = %q, want an error", token, got)
		}
	}
}

func TestNonFinite(t *testing.T) {
	t.Parallel()
	const text = `{"a":NaN,"b":[-Infinity, Infinity,-1],"NaN":"NaN"}`
	s := jsonscan.New(text, 0)
	s.AllowNonFinite()
	if got := readAll(&s, text); got != `{ "a" NaN "b" [ -Infinity Infinity -1 ] "NaN" "NaN" }` || !s.Whole() {
		t.Errorf("%s, flaw %q", got, s.Flaw())
	}
	for _, text := range []string{`[NaNa]`, `[nan]`, `[Inf]`, `[-NaN]`, `[Infinit`, `[-`, `{NaN:1}`} {
		s := jsonscan.New(text, 0)
		s.AllowNonFinite()
		if readAll(&s, text); s.Flaw() == jsonscan.FlawNone {
			t.Errorf("%s has no flaw", text)
		}
	}
}

func TestLimitDepth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]jsonscan.Flaw{`[{"a":[]},[[]]]`: jsonscan.FlawNone, `[[1],[[[`: jsonscan.FlawDepth} {
		s := jsonscan.New(text, 0)
		s.LimitDepth(3)
		if readAll(&s, text); s.Flaw() != want || want != "" && s.Pos() != len(text) {
			t.Errorf("%s: flaw %q at %d", text, s.Flaw(), s.Pos())
		}
	}
}

func BenchmarkScan(b *testing.B) {
	for name, text := range map[string]string{
		"prose":  `{"output":"` + strings.Repeat("some words of an answer ", 1400) + `"}`,
		"tokens": `{"output":[` + strings.Repeat(`{"id":"a1","n":17.5},`, 1500) + `1]}`,
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				s := jsonscan.New(data, 0)
				for _, ok := s.Next(); ok; _, ok = s.Next() {
				}
			}
		})
	}
}

func TestAllocatesNothing(t *testing.T) {
	data := []byte(`{"a":[1,{"b":null,"c":"\u00e9"}],"d":{}}`)
	if n := testing.AllocsPerRun(10, func() {
		s := jsonscan.New(data, 0)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
	}); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestScanFlaws(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		flaw jsonscan.Flaw
		end  int
	}{
		"empty":                {"", jsonscan.FlawTruncated, 0},
		"open object":          {`{"a":1`, jsonscan.FlawTruncated, 6},
		"open string":          {`{"a":"b`, jsonscan.FlawTruncated, 7},
		"half a word":          {`[tru`, jsonscan.FlawTruncated, 4},
		"minus at the end":     {`-`, jsonscan.FlawTruncated, 1},
		"exponent at the end":  {`1e`, jsonscan.FlawTruncated, 2},
		"trailing comma":       {`{"a":1,}`, jsonscan.FlawTrailingComma, 6},
		"trailing comma, list": {`[1, ]`, jsonscan.FlawTrailingComma, 2},
		"two commas":           {`[1,,2]`, jsonscan.FlawSyntax, 3},
		"comment":              {`{"a":1 // x`, jsonscan.FlawComment, 7},
		"block comment":        {`{ /* x */ "a":1}`, jsonscan.FlawComment, 2},
		"single quotes":        {`{'a':1}`, jsonscan.FlawQuotes, 1},
		"curly quotes":         {`{“a”:1}`, jsonscan.FlawQuotes, 1},
		"bare key":             {`{a:1}`, jsonscan.FlawWord, 1},
		"NaN":                  {`{"a":NaN}`, jsonscan.FlawWord, 5},
		"-Infinity":            {`[-Infinity]`, jsonscan.FlawWord, 2},
		"None":                 {`[None]`, jsonscan.FlawWord, 1},
		"raw newline":          {"[\"a\nb\"]", jsonscan.FlawControl, 3},
		"bad escape":           {`["\x"]`, jsonscan.FlawEscape, 3},
		"bad unicode escape":   {`["\u12g4"]`, jsonscan.FlawEscape, 6},
		"leading zero":         {`[01]`, jsonscan.FlawNumber, 1},
		"no fraction":          {`[1.]`, jsonscan.FlawNumber, 3},
		"missing colon":        {`{"a" 1}`, jsonscan.FlawSyntax, 5},
		"missing comma":        {`[1 2]`, jsonscan.FlawSyntax, 3},
		"wrong bracket":        {`[1}`, jsonscan.FlawSyntax, 2},
		"value, then more":     {`{"a":[]} x`, jsonscan.FlawNone, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := jsonscan.New(tt.text, 0)
			readAll(&s, tt.text)
			if s.Flaw() != tt.flaw || s.Pos() != tt.end {
				t.Errorf("flaw %q at %d, want %q at %d", s.Flaw(), s.Pos(), tt.flaw, tt.end)
			}
		})
	}
}

// FuzzScanner compares the scanner with the standard library's idea of JSON.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e-3,"x\u00e9\n",true,false,null,{}]}`, `[]`, `{}`, ` 1 `, `"\\"`, `[1,]`, `{"a"}`, `-`, `0.0`, "\"\x01\"", `"\ud83d\udc4d \ud83d \ud83d\u0041 \udc4d\/"`, `{"a":1}}`, `[[[[`, `tr`, `"` + "\xff" + `"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, same := jsonscan.New(text, 0), jsonscan.New(string(text), 0)
		deepest, last := 0, 0
		for {
			token, ok := s.Next()
			if other, _ := same.Next(); token != other || s.Pos() != same.Pos() || s.Flaw() != same.Flaw() {
				t.Fatalf("%v of bytes, %v of a string", token, other)
			}
			if !ok {
				break
			}
			if token.Start < last || token.End <= token.Start || token.End > s.Pos() {
				t.Fatalf("token %v after %d, position %d", token, last, s.Pos())
			}
			last, deepest = token.End, max(deepest, s.Depth())
			if token.Kind == jsonscan.Key || token.Kind == jsonscan.String {
				got, err := jsonscan.Unquote(text[token.Start:token.End])
				var want string
				if wantErr := json.Unmarshal(text[token.Start:token.End], &want); err != nil || wantErr != nil || got != want {
					t.Fatalf("string at %d: %q, %v; encoding/json: %q, %v", token.Start, got, err, want, wantErr)
				}
			}
		}
		if deepest > 9000 {
			t.Skip("the standard library has a limit of depth, the scanner has none")
		}
		if s.Whole() != json.Valid(text) {
			t.Fatalf("scanner says %t, encoding/json %t (flaw %q at %d)", s.Whole(), !s.Whole(), s.Flaw(), s.Pos())
		}
	})
}

// FuzzAppendQuoted: encoding/json reads what is written as what it writes itself.
func FuzzAppendQuoted(f *testing.F) {
	for _, text := range []string{"", "plain, long enough for a step of eight", "\x00\x1f\x7f\b\f\n\r\t\"\\/<>&", "\u2028 é 漢 😀", "a\xffb\xc3", `"""""""""""`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		own := jsonscan.AppendQuoted([]byte("before"), text)
		theirs, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := errors.Join(json.Unmarshal(own[len("before"):], &got), json.Unmarshal(theirs, &want)); err != nil || got != want {
			t.Errorf("%q is written %s and read %q, %v", text, own, got, err)
		}
	})
}
