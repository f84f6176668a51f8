package validators

import (
	"strings"
	"testing"
)

// TestExpressionsAreBounded: expressions that people write are short, so a long one
// is a mistake.
func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxPattern-2)
	for name, tt := range map[string]struct {
		cfg   Config
		fault string
	}{
		"as long as allowed":    {Config{Type: "regex", Pattern: long}, ""},
		"longer":                {Config{Type: "regex", Pattern: long + "aaa"}, "pattern: 4097 bytes are too many; want at most 4096"},
		"format, as allowed":    {Config{Type: "citations", Format: "(" + long + ")"}, ""},
		"format, longer":        {Config{Type: "citations", Format: "(" + long + "a)"}, "format: 4097 bytes are too many; want at most 4096"},
		"more than RE2 repeats": {Config{Type: "regex", Pattern: "(x{1000}){1000}"}, "pattern: invalid repeat count: `{1000}`; want RE2 syntax, https://github.com/google/re2/wiki/Syntax"},
	} {
		got := ""
		if faults := tt.cfg.Validate(); len(faults) > 0 {
			got = faults.Error()
		}
		if got != tt.fault {
			t.Errorf("%s: %q, want %q", name, got, tt.fault)
		}
	}
}

// TestPatternSize: a short expression can be large.
func TestPatternSize(t *testing.T) {
	t.Parallel()
	within := func(pattern string) bool {
		return patternSize(map[string]any{"a": []any{map[string]any{"pattern": pattern}}}) <= maxToolInstructions
	}
	for pattern, want := range map[string]bool{
		`^[0-9]{4}-[0-9]{2}$`: true, `^(A|B|C)-\d+$`: true, `x{999}`: false, `(x{30}){30}`: true, `(xy{31}){31}`: false, `(`: true,
	} {
		if got := within(pattern); got != want {
			t.Errorf("%s within the bound: %v, want %v", pattern, got, want)
		}
	}
}
