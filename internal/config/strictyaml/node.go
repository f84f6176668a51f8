package strictyaml

import "fmt"

// kind is the YAML kind of a value, before it becomes a Go value.
type kind int

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindFloat
	kindString
	kindList
	kindMap
)

func (k kind) String() string {
	switch k {
	case kindBool:
		return "a boolean"
	case kindInt:
		return "an integer"
	case kindFloat:
		return "a number"
	case kindString:
		return "a string"
	case kindList:
		return "a list"
	case kindMap:
		return "a mapping"
	default:
		return "nothing"
	}
}

// style is how a scalar is written, which decides where the characters of its
// text are in the file.
type style int

const (
	stylePlain style = iota
	styleSingle
	styleDouble
	styleBlock
)

// position counts characters, not bytes, from 1.
type position struct{ line, column int }

// node is one value. An alias shares the node of its anchor.
type node struct {
	kind  kind
	style style
	pos   position
	text  string  // scalar
	items []*node // list
	pairs []pair  // mapping, in the order of the file
	size  int     // values in this tree, including this one, with aliases followed
}

// pair is one key of a mapping and its value.
type pair struct {
	key   string
	pos   position
	value *node
}

func (n *node) get(key string) (pair, bool) {
	for _, p := range n.pairs {
		if p.key == key {
			return p, true
		}
	}
	return pair{}, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
