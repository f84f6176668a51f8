package visible_test

import (
	"testing"
	"unicode"

	"github.com/evalworker/evalworker/internal/base/visible"
)

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain, caf\u00e9, \u6f22\u5b57 \u2713\n\t":                   "plain, caf\u00e9, \u6f22\u5b57 \u2713\n\t",
		"a\u200bb\u00adc\u2060d\u200ee\ufefff\ufe0fg\U000e0041h":      "abcdefgh",
		"\x00a\x1bb\u0085c\u202ed\u2066e\u180ef\u115fg\u2800h\u3164i": "abcdefghi",
		"a\xffb\u2028c": "a\ufffdb\u2028c",
	} {
		if got := visible.Text(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// TestDefaultIgnorable: characters that Unicode asks programs not to show are
// invisible.
func TestDefaultIgnorable(t *testing.T) {
	t.Parallel()
	for r := range unicode.MaxRune {
		if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) && visible.Is(r) && !prependedMark(r) {
			t.Errorf("%U is visible", r)
		}
		if (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsPunct(r)) && !visible.Is(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
			t.Errorf("%U is invisible", r)
		}
	}
}

// prependedMark reports whether a character is a format character with a shape of its
// own, such as the Arabic number sign or the sign of an Egyptian quadrat.
func prependedMark(r rune) bool {
	return unicode.Is(unicode.Prepended_Concatenation_Mark, r) || r >= 0x13430 && r <= 0x1343f
}
