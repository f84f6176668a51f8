package sampler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// functions and operators list what a condition may use. All are defined for every
// string and take time linear in it.
var (
	functions = []string{"lower", "upper", "trim", "len", "hasPrefix", "hasSuffix"}
	operators = []string{
		"==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches", "and", "or", "&&", "||",
	}
)

// grammar walks a parsed condition, collects the fields that it reads, and reports
// whatever conditions may not contain.
type grammar struct {
	text   string
	reads  dimSet
	faults fault.List
}

func (g *grammar) fault(n ast.Node, problem, expected string) {
	line, column := position(g.text, n.Location().From)
	g.faults = append(g.faults, fault.Fault{Line: line, Column: column, Problem: problem, Expected: expected})
}

func (g *grammar) check(n ast.Node) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.BoolNode, *ast.IntegerNode:
	case *ast.IdentifierNode:
		g.checkField(n)
	case *ast.UnaryNode:
		if n.Operator != "!" && n.Operator != "not" {
			g.fault(n, "arithmetic is not part of conditions", "want comparisons of fields")
			return
		}
		g.check(n.Node)
	case *ast.BinaryNode:
		g.checkBinary(n)
	case *ast.ConditionalNode:
		g.check(n.Cond)
		g.check(n.Exp1)
		g.check(n.Exp2)
	case *ast.BuiltinNode:
		g.checkCall(n, n.Name, n.Arguments)
	case *ast.CallNode:
		name, _ := n.Callee.(*ast.IdentifierNode)
		if name == nil {
			g.fault(n, "methods are not part of conditions", "want one of "+strings.Join(functions, ", "))
			return
		}
		g.checkCall(n, name.Value, n.Arguments)
	case *ast.ArrayNode:
		g.fault(n, "a list cannot be compared here", `want it on the right of in: feature in ["search", "chat"]`)
	case *ast.NilNode:
		g.fault(n, "nil is not part of conditions", `an absent field is the empty string: want feature == ""`)
	case *ast.FloatNode:
		g.fault(n, "fractions are not part of conditions", "want text in quotes, or a whole number to compare a len with")
	case *ast.ChainNode, *ast.MemberNode:
		g.fault(n, "fields have no parts", "want a field of the envelope by its name alone, such as feature or status")
	default:
		g.fault(n, "this form of expression is not part of conditions", "want comparisons of fields, joined by && and ||")
	}
}

func (g *grammar) checkField(n *ast.IdentifierNode) {
	if d, ok := event.DimNamed(n.Value); ok {
		g.reads |= 1 << d
		return
	}
	names := event.DimNames()
	expected := fault.Suggest(n.Value, names, "")
	if alias := event.Aliases()[n.Value]; slices.Contains(names, alias) {
		expected = fmt.Sprintf("did you mean %q?", alias)
	}
	g.fault(n, fmt.Sprintf("unknown field %q", n.Value), expected)
}

func (g *grammar) checkBinary(n *ast.BinaryNode) {
	if !slices.Contains(operators, n.Operator) {
		g.fault(n, fmt.Sprintf("the operator %s is not part of conditions", n.Operator), "want one of "+strings.Join(operators, " "))
		return
	}
	g.check(n.Left)
	switch n.Operator {
	case "in":
		g.checkList(n)
	case "matches":
		g.checkPattern(n)
	default:
		g.check(n.Right)
	}
}

// checkList checks that the list of an in operator holds only strings, so that it
// is constant.
func (g *grammar) checkList(n *ast.BinaryNode) {
	const expected = `want a list of texts: feature in ["search", "chat"]`
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		g.fault(n.Right, "the right side of in is not a list", expected)
		return
	}
	for _, item := range list.Nodes {
		if _, ok := item.(*ast.StringNode); !ok {
			g.fault(item, "the list holds something other than text", expected)
		}
	}
}

// checkPattern checks that the pattern is a constant, so that it is compiled once.
func (g *grammar) checkPattern(n *ast.BinaryNode) {
	const expected = "want a regular expression in RE2 syntax, in quotes"
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		g.fault(n.Right, "the pattern of matches is not a constant", expected)
		return
	}
	if _, err := regexp.Compile(pattern.Value); err != nil {
		g.fault(pattern, err.Error(), expected)
	}
}

func (g *grammar) checkCall(n ast.Node, name string, arguments []ast.Node) {
	if !slices.Contains(functions, name) {
		g.fault(n, fmt.Sprintf("the function %s is not part of conditions", name), fault.Suggest(name, functions, ""))
		return
	}
	for _, a := range arguments {
		g.check(a)
	}
}
