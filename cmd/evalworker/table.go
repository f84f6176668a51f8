package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of a table in characters.
const (
	pageWidth = 80 // of a line
	minWidth  = 8  // of a column that is cut
)

// table is text in columns that fits a terminal.
type table struct {
	columns []column
	rows    [][]string
	// under has a line for below each row; nil: none.
	under []string
}

type column struct {
	name string
	cut  bool // may be made narrower, to fit
}

// add adds a row of cells.
func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = oneLine(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// widths returns the width of each column: that of its widest cell, or less when the
// line would be too long; then the widest columns are cut first.
func (t *table) widths() []int {
	widths := make([]int, len(t.columns))
	total := 2 * (len(t.columns) - 1)
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], min(utf8.RuneCountInString(row[i]), pageWidth))
		}
		total += widths[i]
	}
	for ; total > pageWidth; total-- {
		widest := -1
		for i, c := range t.columns {
			if c.cut && widths[i] > max(minWidth, utf8.RuneCountInString(c.name)) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// print writes the table with its header.
func (t *table) print(w io.Writer) error {
	var b strings.Builder
	widths := t.widths()
	line := func(cells []string) {
		blanks := 0 // before the next cell
		for i, c := range cells {
			if c = cell(c, widths[i]); c != "" {
				b.WriteString(strings.Repeat(" ", blanks) + c)
				blanks = 0
			}
			blanks += widths[i] - utf8.RuneCountInString(c) + 2
		}
		b.WriteByte('\n')
	}
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	line(names)
	for i, row := range t.rows {
		line(row)
		if t.under != nil {
			b.WriteString("  " + cell(t.under[i], pageWidth-2) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine returns s without line breaks and control characters.
func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// cell returns s as one line of at most width characters, for a column of a table.
func cell(s string, width int) string {
	s = oneLine(s)
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// printable replaces control characters, so that content cannot control the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 {
			return '\ufffd'
		}
		return c
	}, s)
}
