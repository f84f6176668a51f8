package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// The marks between which a document has a table.
const (
	markBegin = "<!-- faults: written by make faults, not by hand -->\n"
	markEnd   = "<!-- faults: end -->\n"
)

// write puts a table into a file: between the marks of a document, else as the
// whole file.
func write(file, table string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write table: %w", err)
	}
	if err := os.WriteFile(file, []byte(splice(string(old), table)), 0o644); err != nil { // a document for all users
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func splice(document, table string) string {
	before, rest, ok := strings.Cut(document, markBegin)
	if !ok {
		return table
	}
	_, after, ok := strings.Cut(rest, markEnd)
	if !ok {
		return table
	}
	return before + markBegin + table + markEnd + after
}

func TestSplice(t *testing.T) {
	t.Parallel()
	document := "# A\n" + markBegin + "old\n" + markEnd + "after\n"
	for in, want := range map[string]string{
		"":                        "new\n",
		"no marks\n":              "new\n",
		markBegin + "no end\n":    "new\n",
		document:                  "# A\n" + markBegin + "new\n" + markEnd + "after\n",
		markBegin + markEnd + "x": markBegin + "new\n" + markEnd + "x",
	} {
		if got := splice(in, "new\n"); got != want {
			t.Errorf("splice(%q) = %q, want %q", in, got, want)
		}
	}
}
