package event

import (
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// maxMember is the length of the longest name of a member that a reader asks for.
const maxMember = 32

// members reads the members of a JSON object one by one, without decoding it.
type members struct {
	object []byte
	scan   jsonscan.Scanner[[]byte]
	folded [maxMember]byte
}

// membersOf returns a reader of the members of raw, which is valid JSON; there are
// none if it is not an object.
func membersOf(raw []byte) members {
	m := members{object: raw, scan: jsonscan.New(raw, 0)}
	if t, _ := m.scan.Next(); t.Kind != jsonscan.Object {
		m.scan = jsonscan.New(raw, len(raw))
	}
	return m
}

// next returns the value of the next member, and its name without regard to case, _
// and -, so that toolName, tool_name and ToolName are one name. The name is valid
// until the next call, and empty when it is longer than any that a reader asks for.
func (m *members) next() (name, value []byte, ok bool) {
	key, value, ok := m.member()
	if !ok {
		return nil, nil, false
	}
	return foldMember(m.folded[:0], key), value, true
}

// nextKey is next for names that are data and are taken as they are.
func (m *members) nextKey() (name string, value []byte, ok bool) {
	key, value, ok := m.member()
	if !ok {
		return "", nil, false
	}
	return stringOf(key), value, true
}

func (m *members) member() (key, value []byte, ok bool) {
	name, ok := m.scan.Next()
	if !ok || name.Kind != jsonscan.Key {
		return nil, nil, false
	}
	t, ok := m.scan.Next()
	m.scan.Skip(t)
	return m.object[name.Start:name.End], m.object[t.Start:m.scan.Pos()], ok
}

// foldMember appends the name of a member to an empty slice, without regard to case, _
// and -. It returns nothing for a name that is longer than any that a reader asks for.
func foldMember(folded, key []byte) []byte {
	for _, c := range key[1 : len(key)-1] {
		switch {
		case c == '_' || c == '-':
			continue
		case c == '\\':
			name, _ := jsonscan.Unquote(key)
			if name = foldName(name); len(name) > maxMember {
				return nil
			}
			return append(folded[:0], name...)
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if len(folded) == maxMember {
			return nil
		}
		folded = append(folded, c)
	}
	return folded
}

// foldName returns a name in lower case and without _ and -.
func foldName(s string) string {
	if strings.IndexFunc(s, func(c rune) bool { return c < 'a' || c > 'z' }) < 0 {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c == '_' || c == '-' {
			return -1
		}
		return unicode.ToLower(c)
	}, s)
}
