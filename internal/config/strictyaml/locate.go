package strictyaml

import (
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Locate gives each fault its place in the file, found by its path; where the
// path does not exist, such as that of a key that is missing, it is the place of
// what should hold it. A fault that has a line and a column but no file counts
// them inside the text of the scalar at its path, as a condition does; they
// become those of the file. A fault that names a file is left alone.
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

// find gives the value at path, or the nearest one above it and false.
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

// step follows one key or index. A key may hold dots and brackets itself (the
// name of a model does), so the longest key that fits is taken.
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
