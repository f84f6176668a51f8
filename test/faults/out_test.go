package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// marks are those between which a document has a table.
type marks struct{ begin, end string }

var rowMarks = marks{
	begin: "<!-- faults: written by make faults, not by hand -->\n",
	end:   "<!-- faults: end -->\n",
}

// update merges the lines of a run into the table that a document has between marks,
// or writes the table as the whole file where there is none.
func (m marks) update(file string, t *table, lines [][]string, titles []string) error {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write table: %w", err)
	}
	before, old, after := m.cut(string(text))
	t.read(old)
	t.merge(lines, titles)
	if err := os.WriteFile(file, []byte(before+t.String()+after), 0o644); err != nil { // a document for all users
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// cut returns what a document has before, between and after the marks, with the marks
// outside; nothing of a document without them.
func (m marks) cut(document string) (before, between, after string) {
	head, rest, ok := strings.Cut(document, m.begin)
	if !ok {
		return "", "", ""
	}
	between, tail, ok := strings.Cut(rest, m.end)
	if !ok {
		return "", "", ""
	}
	return head + m.begin, between, m.end + tail
}

func TestCut(t *testing.T) {
	t.Parallel()
	m := rowMarks
	for in, want := range map[string][3]string{
		"":                   {},
		"no marks\n":         {},
		m.begin + "no end\n": {},
		"# A\n" + m.begin + "old\n" + m.end + "z\n": {"# A\n" + m.begin, "old\n", m.end + "z\n"},
		m.begin + m.end + "x":                       {m.begin, "", m.end + "x"},
	} {
		before, between, after := m.cut(in)
		if got := [3]string{before, between, after}; got != want {
			t.Errorf("cut(%q) = %q, want %q", in, got, want)
		}
	}
}
