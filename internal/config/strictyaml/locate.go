package strictyaml

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Locate returns the faults with their places in the file, found by their paths. If
// a path does not exist, such as the path of a missing key, the place is that of
// the value that should contain it. A fault that has a line and a column but no
// file counts them inside the text at its path, as a condition does; Locate
// translates them to the file. A fault that names a file is left alone.
func (d *Document) Locate(fs fault.List) fault.List {
	out := slices.Clone(fs)
	for i := range out {
		f := &out[i]
		if f.File != "" {
			continue
		}
		f.File = d.file
		place, exact := d.find(f.Path)
		switch {
		case place.node == nil:
			f.Line, f.Column = 1, 1
			continue
		case exact && f.Line > 0 && place.node.kind == kindString:
			p := d.inside(place.node, position{f.Line, max(f.Column, 1)})
			f.Line, f.Column = p.line, p.column
			continue
		}
		p := place.node.pos
		if !exact && place.key.line > 0 {
			p = place.key
		}
		f.Line, f.Column = p.line, p.column
	}
	return out
}

// place is a value in the document and the place of the key that holds it.
type place struct {
	node *node
	key  position // zero for the root and the items of a list
}

// find returns the value at path, or its nearest existing ancestor and false.
func (d *Document) find(path string) (place, bool) {
	here := place{node: d.root}
	if d.root == nil {
		return here, false
	}
	for rest := path; rest != ""; {
		next, left, ok := step(here.node, strings.TrimPrefix(rest, "."))
		if !ok {
			return here, false
		}
		here, rest = next, left
	}
	return here, true
}

// step follows one key or index. A key may itself contain dots and brackets (as
// names of models do), so it takes the longest key that fits.
func step(n *node, path string) (place, string, bool) {
	if rest, ok := strings.CutPrefix(path, "["); ok && n.kind == kindList {
		digits, after, closed := strings.Cut(rest, "]")
		i, err := strconv.Atoi(digits)
		if !closed || err != nil || i < 0 || i >= len(n.items) {
			return place{}, "", false
		}
		return place{node: n.items[i]}, after, true
	}
	var best pair
	for _, p := range n.pairs {
		rest, ok := strings.CutPrefix(path, p.key)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && (best.value == nil || len(p.key) > len(best.key)) {
			best = p
		}
	}
	if best.value == nil {
		return place{}, "", false
	}
	return place{best.value, best.pos}, path[len(best.key):], true
}

// inside translates a place in the text of a scalar to a place in the file.
func (d *Document) inside(n *node, want position) position {
	target, line, column := -1, 1, 1
	runes := []rune(n.text)
	for i, r := range runes {
		if line == want.line && column == want.column {
			target = i
			break
		}
		if r == '\n' {
			if line == want.line { // past the end of its line
				target = i
				break
			}
			line, column = line+1, 1
			continue
		}
		column++
	}
	w := walker{lines: d.lines, style: n.style, line: n.pos.line - 1, column: n.pos.column - 1}
	w.enter()
	at := position{w.line + 1, w.column + 1}
	if target < 0 {
		target = len(runes)
	}
	for i := range target {
		next := rune(0)
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		if !w.read(runes[i], next) {
			return n.pos // the text does not match the file, and the start is better than a guess
		}
		at = position{w.line + 1, w.column + 1}
	}
	if target < len(runes) {
		w.skipTo(runes[target])
		at = position{w.line + 1, w.column + 1}
	}
	return at
}

// walker follows the text of a scalar through the lines of the file, in which quotes
// are doubled, escapes are longer than their characters, and line breaks are folded.
type walker struct {
	lines        [][]rune
	style        style
	line, column int // counted from 0
	indent       int // of a block scalar
}

// enter goes from the start of the scalar to its first character.
func (w *walker) enter() {
	switch w.style {
	case stylePlain: // after an anchor the parser's position includes the blank
		for !w.atEnd() && w.lines[w.line][w.column] == ' ' {
			w.column++
		}
	case styleSingle, styleDouble:
		w.column++
	case styleBlock:
		first := w.line + 1
		for first < len(w.lines) && blank(w.lines[first]) {
			first++
		}
		if first < len(w.lines) {
			w.indent = spaces(w.lines[first])
		}
		w.line++
		w.column = w.indent
	}
}

func blank(l []rune) bool { return strings.TrimSpace(string(l)) == "" }

func spaces(l []rune) int {
	n := 0
	for n < len(l) && l[n] == ' ' {
		n++
	}
	return n
}

func (w *walker) atEnd() bool { return w.line >= len(w.lines) || w.column >= len(w.lines[w.line]) }

// newline goes to the first character of the next line that belongs to the text.
func (w *walker) newline() {
	w.line++
	w.column = w.indent
	if w.style != styleBlock && w.line < len(w.lines) {
		w.column = len(w.lines[w.line]) - len([]rune(strings.TrimLeftFunc(string(w.lines[w.line]), unicode.IsSpace)))
	}
}

// skipTo skips a line break before r that was folded away, with the space before it.
func (w *walker) skipTo(r rune) {
	for w.line < len(w.lines) && w.atEnd() && r != ' ' && r != '\n' {
		w.newline()
	}
}

// read moves past one character of the text.
func (w *walker) read(r, next rune) bool {
	w.skipTo(r)
	if w.line >= len(w.lines) {
		return false
	}
	if w.atEnd() {
		w.newline()
		if next != '\n' { // skip the blank lines that produced this break
			for w.line < len(w.lines) && blank(w.lines[w.line]) {
				w.newline()
			}
		}
		return true
	}
	l := w.lines[w.line]
	switch c := l[w.column]; {
	case w.style == styleSingle && c == '\'':
		w.column += 2
	case w.style == styleDouble && c == '\\':
		return w.escape(r, next)
	case c == r:
		w.column++
	case r == ' ' || r == '\n': // blanks at the end of a folded line
		w.column = len(l)
		return w.read(r, next)
	default:
		return false
	}
	return true
}

// escape moves past an escape sequence of a double-quoted scalar.
func (w *walker) escape(r, next rune) bool {
	l := w.lines[w.line]
	if w.column+1 >= len(l) { // an escaped line break, which is not part of the text
		w.newline()
		return w.read(r, next)
	}
	switch l[w.column+1] {
	case 'x':
		w.column += 4
	case 'u':
		w.column += 6
	case 'U':
		w.column += 10
	default:
		w.column += 2
	}
	return true
}
