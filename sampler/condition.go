package sampler

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Bounds of one condition. Both are far above what a person writes by hand.
const (
	maxConditionBytes = 4096
	maxConditionNodes = 512
)

// dimSet has bit d set for each dimension d in it.
type dimSet uint64

func (s dimSet) has(d event.Dim) bool { return s>>d&1 == 1 }

// condition is a compiled expression. It is immutable.
type condition struct {
	program *vm.Program
	reads   dimSet
}

// machine evaluates conditions on one event at a time.
type machine struct {
	vm     vm.VM
	fields map[string]any // strings, by the names that conditions use
}

func newMachine() *machine {
	return &machine{fields: make(map[string]any, event.NumDims)}
}

// load sets the fields of the event for the calls of match that follow.
func (m *machine) load(d *event.Dims) {
	for i, name := range dimNames {
		m.fields[name] = d[i]
	}
}

var dimNames = event.DimNames()

// compileCondition compiles a condition. It returns nil for an empty one, which
// matches every event. Faults have no path; line and column are counted from 1
// within text, columns in characters.
func compileCondition(text string) (*condition, fault.List) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > maxConditionBytes {
		return nil, fault.List{{Problem: "longer than 4096 bytes", Expected: "split it into several rules"}}
	}
	limits := conf.CreateNew()
	limits.MaxNodes = maxConditionNodes
	tree, err := parser.ParseWithConfig(text, limits)
	if err != nil {
		return nil, fault.List{faultOf(err)}
	}
	g := grammar{text: text}
	g.check(tree.Node)
	if len(g.faults) > 0 {
		return nil, g.faults
	}
	env := newMachine()
	env.load(new(event.Dims))
	options := []expr.Option{expr.Env(env.fields), expr.AsBool(), expr.MaxNodes(maxConditionNodes), expr.DisableAllBuiltins(), expr.Patch(ratings{})}
	for _, name := range functions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(text, options...)
	if err != nil {
		return nil, fault.List{faultOf(err)}
	}
	return &condition{program: program, reads: g.reads}, nil
}

// ratings brings the texts with which a condition compares user_rating into the form of
// the field, so that user_rating == "thumbs_down" means each spelling of it.
type ratings struct{}

// Visit implements [ast.Visitor].
func (ratings) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok {
		return
	}
	switch n.Operator {
	case "==", "!=", "in":
	default:
		return
	}
	for _, sides := range [...][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
		field, ok := sides[0].(*ast.IdentifierNode)
		if !ok || field.Value != "user_rating" {
			continue
		}
		texts := []ast.Node{sides[1]}
		if list, ok := sides[1].(*ast.ArrayNode); ok {
			texts = list.Nodes
		}
		for _, t := range texts {
			if text, ok := t.(*ast.StringNode); ok {
				text.Value = event.NormalRating(text.Value)
			}
		}
	}
}

// match evaluates the condition on the fields that m has loaded. The grammar admits
// only expressions that are defined for all strings, so errors are not expected;
// the caller decides what an unexpected one means.
func (c *condition) match(m *machine) (bool, error) {
	if c == nil {
		return true, nil
	}
	v, err := m.vm.Run(c.program, m.fields)
	if err != nil {
		return false, err
	}
	ok, isBool := v.(bool)
	if !isBool {
		return false, errors.New("condition is not boolean")
	}
	return ok, nil
}

// fields returns the fields that the condition reads.
func (c *condition) fields() dimSet {
	if c == nil {
		return 0
	}
	return c.reads
}

// faultOf returns an error of the parser, type checker or compiler as a fault.
func faultOf(err error) fault.Fault {
	const hint = `want a condition such as status == "error" or feature in ["search", "chat"]`
	var at *file.Error
	if !errors.As(err, &at) {
		return fault.Fault{Problem: err.Error(), Expected: hint}
	}
	return fault.Fault{Line: max(at.Line, 1), Column: at.Column + 1, Problem: at.Message, Expected: hint}
}

// position returns line and column, both from 1, of the character at offset.
func position(text string, offset int) (line, column int) {
	line, column = 1, 1
	for i, r := range []rune(text) {
		if i == offset {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}
