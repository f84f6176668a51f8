package boards

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// table holds the values of each group over time, or one value when it was reduced.
// The key of a group is the values of its tags; that of a query without groups is "".
type table struct {
	groups map[string][]float64
	// absent stands for a group that is not there: NaN, or 0 after default_zero.
	absent float64
	points int
}

// source returns the values of a query by its name, seen from so long ago.
type source func(name string, ago time.Duration) (table, error)

// evaluate computes a formula. Formulas are written like Go expressions, so Go's
// parser reads them.
func evaluate(text string, of source) (table, error) {
	e, err := parser.ParseExpr(text)
	if err != nil {
		return table{}, fmt.Errorf("formula %q: %w", text, err)
	}
	t, err := expression(e, 0, of)
	if err != nil {
		return table{}, fmt.Errorf("formula %q: %w", text, err)
	}
	return t, nil
}

func expression(e ast.Expr, ago time.Duration, of source) (table, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return expression(e.X, ago, of)
	case *ast.BasicLit:
		v, err := strconv.ParseFloat(e.Value, 64)
		return table{absent: v}, err
	case *ast.Ident:
		return of(e.Name, ago)
	case *ast.BinaryExpr:
		x, err := expression(e.X, ago, of)
		if err != nil {
			return table{}, err
		}
		y, err := expression(e.Y, ago, of)
		if err != nil {
			return table{}, err
		}
		return combine(x, y, e.Op)
	case *ast.CallExpr:
		return call(e, ago, of)
	}
	return table{}, fmt.Errorf("%T is not known here", e)
}

func call(e *ast.CallExpr, ago time.Duration, of source) (table, error) {
	name, ok := e.Fun.(*ast.Ident)
	switch {
	case ok && name.Name == "default_zero" && len(e.Args) == 1:
		t, err := expression(e.Args[0], ago, of)
		for _, values := range t.groups {
			for i, v := range values {
				if math.IsNaN(v) {
					values[i] = 0
				}
			}
		}
		t.absent = 0
		return t, err
	case ok && name.Name == "abs" && len(e.Args) == 1:
		t, err := expression(e.Args[0], ago, of)
		for _, values := range t.groups {
			for i, v := range values {
				values[i] = math.Abs(v)
			}
		}
		return t, err
	case ok && name.Name == "calendar_shift" && len(e.Args) == 3:
		if by, ok := e.Args[1].(*ast.BasicLit); !ok || by.Value != `"-1d"` {
			return table{}, fmt.Errorf("calendar_shift: only by %q", "-1d")
		}
		return expression(e.Args[0], ago+24*time.Hour, of)
	}
	return table{}, fmt.Errorf("function %v is not known here", e.Fun)
}

// combine applies an operator group by group. A table with the one group "" goes with
// each group of the other.
func combine(x, y table, op token.Token) (table, error) {
	var f func(a, b float64) float64
	switch op {
	case token.ADD:
		f = func(a, b float64) float64 { return a + b }
	case token.SUB:
		f = func(a, b float64) float64 { return a - b }
	case token.MUL:
		f = func(a, b float64) float64 { return a * b }
	case token.QUO:
		f = func(a, b float64) float64 { return a / b }
	default:
		return table{}, fmt.Errorf("operator %s is not known here", op)
	}
	out := table{groups: map[string][]float64{}, absent: f(x.absent, y.absent), points: max(x.points, y.points)}
	keys := slices.Collect(maps.Keys(x.groups))
	keys = append(keys, slices.Collect(maps.Keys(y.groups))...)
	for _, k := range keys {
		if k == "" && (x.grouped() || y.grouped()) {
			continue
		}
		values := make([]float64, out.points)
		for i := range values {
			v := f(x.at(k, i), y.at(k, i))
			if math.IsInf(v, 0) {
				v = math.NaN()
			}
			values[i] = v
		}
		out.groups[k] = values
	}
	return out, nil
}

// grouped reports whether the table has groups by tags.
func (t table) grouped() bool {
	_, all := t.groups[""]
	return len(t.groups) > 0 && !all
}

func (t table) at(key string, i int) float64 {
	if values, ok := t.groups[key]; ok {
		return values[i]
	}
	if values, ok := t.groups[""]; ok {
		return values[i]
	}
	return t.absent
}
