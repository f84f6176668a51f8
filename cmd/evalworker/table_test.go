package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTableFits: whatever the cells hold, a row is one line, none is wider than a
// terminal, and columns that may not be cut are whole.
func TestTableFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("wörd ", 200)
	table := table{columns: []column{{name: "id"}, {name: "first", cut: true}, {name: "second", cut: true}, {name: "count"}, {name: "third", cut: true}}}
	table.add("3f9a21c0", long, "a\nb\tc\x1b[2J", "1234567", "")
	table.add("3f9a21c1", "short", strings.Repeat("x", 79), "1", long)
	table.under = []string{long, "reason"}
	var b strings.Builder
	if err := table.print(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines, want a header and two for each row:\n%s", len(lines), b.String())
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 80 || strings.ContainsAny(line, "\x1b\t") {
			t.Errorf("%d characters: %q", n, line)
		}
	}
	if !strings.HasPrefix(lines[1], "3f9a21c0  wörd") || !strings.Contains(lines[1], "  1234567") || lines[4] != "  reason" {
		t.Errorf("table:\n%s", b.String())
	}
}
