package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/evalworker/evalworker/internal/base/fault"
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
	open    map[string]bool // anchors of the values being read
	budget  int             // values that may still be created, with aliases followed
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
		return nil // an incomplete document would only mislead
	}
	return root
}

// normalize returns a file as text: without a byte order mark, with one kind of
// line break, and with U+FFFD in place of invalid bytes, because lines and columns
// count characters.
func normalize(data []byte) string {
	text := strings.TrimPrefix(strings.ToValidUTF8(string(data), "\uFFFD"), "\uFEFF")
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// syntax parses the text. If the parser, a third-party library, panics on some
// input, that becomes a fault of the input instead of ending the program.
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
	if pos, bracket := unclosed(tokens, p); bracket != "" && strings.HasSuffix(bad.Message, "must be specified") {
		// The parser points to what follows, which is mostly on another line.
		r.fault(pos, "", bracket+" is not closed", fmt.Sprintf("want %s after its last entry, or a comma between two, before line %d column %d", closing(bracket), p.Line, p.Column))
		return nil
	}
	r.fault(position{p.Line, max(p.Column, 1)}, "", strings.ReplaceAll(bad.Message, "\t", `\t`), suggestFix(text, bad.Message, p.Line))
	return nil
}

// suggestFix guesses from the line how to fix a syntax error.
func suggestFix(text, message string, line int) string {
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
	case strings.Count(l, `"`) == 1, strings.Count(l, "'") == 1:
		return "close the text with the quote that it begins with"
	case !strings.ContainsAny(l, "{}[]-") && !strings.Contains(l+" ", ": "):
		return "want a colon and a blank between a key and its value"
	case !slices.Contains(indents(lines[:line-1]), len(indent)):
		return "indent the line as one above that it belongs beside"
	case strings.HasSuffix(message, "not allowed in this context"):
		return "want an entry of the list, or a key of the mapping, that the lines above belong to: look at its indentation"
	}
	return wantYAML
}

// indents returns by how many blanks the lines above the end are indented, those that
// may still go on: a line ends all that are indented further.
func indents(lines []string) []int {
	var open []int
	for _, l := range lines {
		text := strings.TrimLeft(l, " ")
		if text == "" || text[0] == '#' {
			continue
		}
		n := len(l) - len(text)
		open = append(slices.DeleteFunc(open, func(other int) bool { return other >= n }), n)
	}
	return open
}

// unclosed returns the innermost bracket that is open at a place, and where it stands.
func unclosed(tokens token.Tokens, end *token.Position) (at position, bracket string) {
	var open []*token.Token
	for _, t := range tokens {
		if t.Position == nil || t.Position.Offset >= end.Offset {
			continue
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open = append(open, t)
		case token.SequenceEndType, token.MappingEndType:
			open = open[:max(0, len(open)-1)]
		}
	}
	if len(open) == 0 {
		return position{}, ""
	}
	last := open[len(open)-1]
	return position{last.Position.Line, max(last.Position.Column, 1)}, strings.TrimSpace(last.Value)
}

// closing returns the bracket that closes another.
func closing(bracket string) string {
	if bracket == "[" {
		return "]"
	}
	return "}"
}

// tooDeep finds nesting that would overflow the stack of the recursive parser. A
// block mapping is indented further for each level, so the size of the document
// bounds its depth; brackets and the marks -, ? and ! nest at a cost of a byte or
// two.
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

// at returns the place where the value begins for a reader.
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

// node turns one syntax node into a value.
func (b *builder) node(n ast.Node, path string, depth int) *node {
	out := &node{pos: at(n), size: 1}
	if !b.spend(1, out.pos, path) {
		return out
	}
	if depth > MaxDepth {
		b.fault(out.pos, path, fmt.Sprintf("nested more than %d deep", MaxDepth), "want a flatter document")
		return out
	}
	switch v := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		out.kind, out.text = kindBool, v.Token.Value
	case *ast.IntegerNode:
		out.kind, out.text = kindInt, v.Token.Value
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = kindFloat, v.GetToken().Value
	case *ast.StringNode:
		out.kind, out.text = kindString, v.Value
		switch v.Token.Type {
		case token.SingleQuoteType:
			out.style = styleSingle
		case token.DoubleQuoteType:
			out.style = styleDouble
		}
	case *ast.LiteralNode:
		out.kind, out.style = kindString, styleBlock
		if v.Value != nil {
			out.text = v.Value.Value
		}
	case *ast.TagNode:
		return b.tagged(v, path, depth)
	case *ast.AnchorNode:
		return b.anchor(v, path, depth)
	case *ast.AliasNode:
		return b.alias(v, path)
	case *ast.SequenceNode:
		out.kind = kindList
		for i, item := range v.Values {
			if v.IsFlowStyle {
				item = unsplit(item)
			}
			child := b.node(item, index(path, i), depth+1)
			out.items = append(out.items, child)
			out.size += child.size
		}
	case *ast.MappingNode:
		b.mapping(out, v.Values, path, depth)
	case *ast.MappingValueNode:
		b.mapping(out, []*ast.MappingValueNode{v}, path, depth)
	default:
		b.fault(out.pos, path, "a value of an unsupported kind", wantYAML)
	}
	return out
}

// unsplit corrects an item of a list in brackets. Inside braces the parser reads
// [localhost:9092] as a list of mappings, as if a blank followed the colon; by the
// rules of YAML it is a list of strings.
func unsplit(item ast.Node) ast.Node {
	m, ok := item.(*ast.MappingNode)
	if !ok || m.IsFlowStyle || len(m.Values) != 1 {
		return item
	}
	pair := m.Values[0]
	key, value, colon := pair.Key.GetToken(), pair.Value.GetToken(), pair.Start
	_, scalar := pair.Value.(ast.ScalarNode)
	for _, t := range []*token.Token{key, value} {
		quoted := t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType
		scalar = scalar && !quoted && t.Position != nil && t.Position.Line == colon.Position.Line
	}
	if !scalar || value.Type == token.ImplicitNullType || value.Position.Column != colon.Position.Column+1 {
		return item
	}
	whole := *key
	whole.Type, whole.Value = token.StringType, key.Value+":"+value.Value
	return ast.String(&whole)
}

// spend takes n values from the budget. Exceeding it is a fault, reported once.
func (b *builder) spend(n int, p position, path string) bool {
	if b.budget < 0 {
		return false
	}
	if b.budget -= n; b.budget < 0 {
		b.fault(p, path, fmt.Sprintf("more than %d values, aliases followed", MaxValues), "want a smaller document")
		return false
	}
	return true
}

func (b *builder) mapping(out *node, values []*ast.MappingValueNode, path string, depth int) {
	out.kind = kindMap
	seen := map[string]position{}
	var merges []pair
	for _, v := range values {
		p := pair{pos: at(v.Key)}
		if v.Key.IsMergeKey() {
			p.value = b.node(v.Value, join(path, "<<"), depth+1)
			merges = append(merges, p)
			continue
		}
		var ok bool
		if p.key, ok = b.key(v.Key); !ok {
			b.fault(p.pos, path, "a key that is not text", "want a plain word as key")
			continue
		}
		where := join(path, p.key)
		if first, twice := seen[p.key]; twice {
			b.fault(p.pos, where, "key set twice", fmt.Sprintf("it is already set on line %d: remove one", first.line))
			continue
		}
		seen[p.key] = p.pos
		p.value = b.node(v.Value, where, depth+1)
		if null, ok := v.Value.(*ast.NullNode); ok && null.Token.Type == token.ImplicitNullType {
			p.value.pos = p.pos // an absent value has no own position
		}
		out.pairs = append(out.pairs, p)
		out.size += p.value.size
	}
	// The mapping's own keys override merged ones, whatever their order.
	for _, m := range merges {
		b.merge(out, m, path)
	}
}

func (b *builder) key(k ast.MapKeyNode) (string, bool) {
	var n ast.Node = k
	if q, ok := k.(*ast.MappingKeyNode); ok {
		n = q.Value
	}
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return v.GetToken().Value, true
	}
	return "", false
}

func (b *builder) merge(out *node, m pair, path string) {
	sources := []*node{m.value}
	if m.value.kind == kindList {
		sources = m.value.items
	}
	for _, src := range sources {
		if src.kind != kindMap {
			b.fault(m.pos, join(path, "<<"), "merges "+src.kind.String(), "want the alias of a mapping")
			continue
		}
		for _, p := range src.pairs {
			if _, own := out.get(p.key); !own && b.spend(p.value.size, m.pos, path) {
				out.pairs = append(out.pairs, p)
				out.size += p.value.size
			}
		}
	}
}

func (b *builder) anchor(v *ast.AnchorNode, path string, depth int) *node {
	name := v.Name.GetToken().Value
	if v.Value == nil {
		return &node{pos: at(v), size: 1}
	}
	b.open[name] = true
	n := b.node(v.Value, path, depth+1)
	delete(b.open, name)
	b.anchors[name] = n
	return n
}

func (b *builder) alias(v *ast.AliasNode, path string) *node {
	here := at(v)
	name := v.Value.GetToken().Value
	n, ok := b.anchors[name]
	switch {
	case b.open[name]:
		b.fault(here, path, fmt.Sprintf("alias *%s is inside its own anchor", name), "want a value that does not hold itself")
	case !ok:
		b.fault(here, path, fmt.Sprintf("alias *%s has no anchor before it", name), fmt.Sprintf("want &%s on an earlier value", name))
	case b.spend(n.size, here, path):
		return n
	}
	return &node{pos: here, size: 1}
}

func (b *builder) tagged(v *ast.TagNode, path string, depth int) *node {
	tag := v.Start.Value
	if v.Value == nil {
		return &node{pos: at(v), size: 1}
	}
	switch tag {
	case "!!str":
		n := b.node(v.Value, path, depth+1)
		if n.kind != kindList && n.kind != kindMap {
			text := *n // a copy, because an alias may share n
			text.kind = kindString
			return &text
		}
		return n
	case "!!int", "!!float", "!!bool", "!!null", "!!seq", "!!map":
		return b.node(v.Value, path, depth+1)
	}
	b.fault(at(v), path, "tag "+tag+" means nothing here", "want the value without a tag")
	return b.node(v.Value, path, depth+1)
}
