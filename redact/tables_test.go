package redact

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/base/visible"
)

// TestTables: every row of the tables can be read.
func TestTables(t *testing.T) {
	t.Parallel()
	for _, of := range tokenFormats() {
		for _, notation := range of.formats {
			f, err := parseFormat(notation)
			if err != nil {
				t.Errorf("%s: %v", of.service, err)
			} else if len(f[0].literal) < 2 {
				t.Errorf("%s: %q does not begin with two characters of its own", of.service, notation)
			}
		}
	}
	for _, bad := range []string{"ab{", "ab{w}", "ab{?9}", "ab{w1-x}", "ab{wx}"} {
		if _, err := parseFormat(bad); err == nil {
			t.Errorf("%q is a format", bad)
		}
	}
	for entry := range strings.FieldsSeq(ibanLengths) {
		if n, err := strconv.Atoi(entry[2:]); err != nil || n < 15 || n > 33 {
			t.Errorf("%s: want a country and a length", entry)
		}
	}
	if r := countryCodes["49"]; r != [2]int{7, 11} || len(countryCodes) < 200 {
		t.Errorf("%d country codes, 49 has %v", len(countryCodes), r)
	}
}

// TestMayBeInvisible: no invisible character begins with another byte.
func TestMayBeInvisible(t *testing.T) {
	t.Parallel()
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		if utf8.ValidRune(r) && !visible.Is(r) && !mayBeInvisible(string(r)[0]) {
			t.Fatalf("%U begins with %#x", r, string(r)[0])
		}
	}
}
