package strictyaml

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Bounds of a document.
const (
	MaxBytes  = 1 << 20
	MaxDepth  = 64
	MaxValues = 100_000
)

const wantYAML = "want valid YAML"

// builder turns the syntax tree into nodes. A fault does not stop it.
type builder struct {
	reporter
	anchors map[string]*node
	open    map[string]bool // anchors whose value is being read
	budget  int             // values that may still be made, aliases followed
}

// parse returns the document's root, or nil when it is empty or unreadable.
func parse(text string, faults *fault.List) (root *node) {
	if len(text) > MaxBytes {
		faults.Add("", fmt.Sprintf("%d bytes are too many", len(text)), fmt.Sprintf("want at most %d", MaxBytes))
		return nil
	}
	file := syntax(text, faults)
	if file == nil {
		return nil
	}
	b := &builder{reporter: reporter{faults}, anchors: map[string]*node{}, open: map[string]bool{}, budget: MaxValues}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			b.fault(at(doc.Body), "", "more than one document", "want a single one: remove the line --- or what follows it")
			break
		}
		root = b.node(doc.Body, "", 0)
	}
	if b.budget < 0 {
		return nil // a part of the document would only mislead
	}
	return root
}

// normalize returns a file as text: without a byte order mark, with one kind of
// line break, and with a mark in place of invalid bytes, because lines and columns
// count characters.
func normalize(data []byte) string {
	text := strings.TrimPrefix(strings.ToValidUTF8(string(data), "\uFFFD"), "\uFEFF")
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// syntax parses the text. Should the parser, a library for all of YAML, panic on
// some input, that is a fault of the input and not the end of the program.
func syntax(text string, faults *fault.List) (file *ast.File) {
	r := reporter{faults}
	defer func() {
		if recover() != nil {
			file = nil
			r.fault(position{}, "", "the YAML parser cannot read this", wantYAML)
		}
	}()
	tokens := lexer.Tokenize(text)
	if pos, deep := tooDeep(tokens); deep {
		r.fault(pos, "", fmt.Sprintf("nested more than %d deep", MaxDepth), "want a flatter document")
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file
	}
	var bad *yaml.SyntaxError
	if !errors.As(err, &bad) || bad.Token == nil || bad.Token.Position == nil {
		r.fault(position{}, "", "no YAML", wantYAML)
		return nil
	}
	p := bad.Token.Position
	r.fault(position{p.Line, max(p.Column, 1)}, "", strings.ReplaceAll(bad.Message, "\t", `\t`), mend(text, p.Line))
	return nil
}

// mend guesses from the line what has to be changed.
func mend(text string, line int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return wantYAML
	}
	l := lines[line-1]
	indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		return "indent with spaces, not with tabs"
	case strings.Count(l, ": ") > 1 && !strings.ContainsAny(l, `{}`):
		return "put a text that holds a colon in quotes"
	}
	return wantYAML
}

// tooDeep finds nesting that would grow the stack of the recursive parser. A block
// mapping is indented further for each level, so the size of the document bounds
// it; brackets and the marks -, ? and ! nest at a byte or two.
func tooDeep(tokens token.Tokens) (position, bool) {
	brackets, marks, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		if t.Position.Line != line {
			line, marks = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			marks++
		}
		if max(brackets, marks) > MaxDepth {
			return position{t.Position.Line, max(t.Position.Column, 1)}, true
		}
	}
	return position{}, false
}

// at returns the place where a person sees the value begin.
func at(n ast.Node) position {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return at(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(v.Key)
	case *ast.AnchorNode:
		if v.Value != nil {
			return at(v.Value)
		}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return position{t.Position.Line, max(t.Position.Column, 1)}
	}
	return position{1, 1}
}
