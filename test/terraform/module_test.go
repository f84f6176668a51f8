package terraform

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

const folder = "../../deploy/datadog/terraform"

// module is the Terraform module: its blocks, and the values of its variables and locals.
type module struct {
	t      *testing.T
	blocks map[string]*hclsyntax.Block // by type and labels, such as "variable env"
	exprs  map[string]hclsyntax.Expression
	vars   map[string]cty.Value
	locals map[string]cty.Value
}

// load reads the module, gives its variables values, and evaluates its locals.
func load(t *testing.T, values map[string]cty.Value) *module {
	t.Helper()
	m := &module{t, map[string]*hclsyntax.Block{}, map[string]hclsyntax.Expression{}, map[string]cty.Value{}, map[string]cty.Value{}}
	names, err := filepath.Glob(folder + "/*.tf")
	if err != nil || len(names) < 5 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, problems := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
		m.check(problems)
		for _, b := range file.Body.(*hclsyntax.Body).Blocks {
			if b.Type == "locals" {
				for name, a := range b.Body.Attributes {
					m.exprs[name] = a.Expr
				}
				continue
			}
			m.blocks[strings.Join(append([]string{b.Type}, b.Labels...), " ")] = b
		}
	}
	for key, b := range m.blocks {
		if b.Type == "variable" {
			m.variable(strings.TrimPrefix(key, "variable "), b, values)
		}
	}
	for name := range values {
		if m.blocks["variable "+name] == nil {
			t.Fatalf("no variable %s", name)
		}
	}
	m.evaluateLocals()
	return m
}

func (m *module) check(problems hcl.Diagnostics) {
	m.t.Helper()
	if problems.HasErrors() {
		m.t.Fatal(problems)
	}
}

func (m *module) variable(name string, b *hclsyntax.Block, values map[string]cty.Value) {
	m.t.Helper()
	typ, _, problems := typeexpr.TypeConstraintWithDefaults(b.Body.Attributes["type"].Expr)
	m.check(problems)
	value, given := values[name]
	if !given {
		a := b.Body.Attributes["default"]
		if a == nil {
			m.t.Fatalf("variable %s needs a value", name)
		}
		value, problems = a.Expr.Value(nil)
		m.check(problems)
	}
	value, err := convert.Convert(value, typ)
	if err != nil {
		m.t.Fatalf("variable %s: %v", name, err)
	}
	m.vars[name] = value
}

// context returns what expressions can refer to. each is nil outside of instances.
func (m *module) context(each map[string]cty.Value) *hcl.EvalContext {
	ctx := &hcl.EvalContext{Functions: functions(), Variables: map[string]cty.Value{
		"var": cty.ObjectVal(m.vars), "local": cty.ObjectVal(m.locals), "path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(folder)}),
	}}
	if each != nil {
		ctx.Variables["each"] = cty.ObjectVal(each)
	}
	return ctx
}

// evaluateLocals evaluates each local after those that it refers to.
func (m *module) evaluateLocals() {
	m.t.Helper()
	for len(m.locals) < len(m.exprs) {
		before := len(m.locals)
		for name, expr := range m.exprs {
			if _, done := m.locals[name]; done {
				continue
			}
			ready := true
			for _, ref := range expr.Variables() {
				if ref.RootName() == "local" {
					_, ok := m.locals[second(ref)]
					ready = ready && ok
				}
			}
			if ready {
				value, problems := expr.Value(m.context(nil))
				m.check(problems)
				m.locals[name] = value
			}
		}
		if len(m.locals) == before {
			m.t.Fatalf("locals refer to each other in a circle, or to none: all but %q", slices.Sorted(maps.Keys(m.locals)))
		}
	}
}

// second returns the second part of a reference such as var.env.
func second(ref hcl.Traversal) string {
	if len(ref) < 2 {
		return ""
	}
	attr, _ := ref[1].(hcl.TraverseAttr)
	return attr.Name
}

// resources returns the instances of every resource, with the attributes that the module
// sets, by type and name. Ids are texts that name the instance.
func (m *module) resources() map[string]map[string]cty.Value {
	m.t.Helper()
	known := map[string]map[string]cty.Value{}
	instances := map[string]map[string]cty.Value{} // by resource: each.value by key
	for key, b := range m.blocks {
		if b.Type != "resource" {
			continue
		}
		value, problems := b.Body.Attributes["for_each"].Expr.Value(m.context(nil))
		m.check(problems)
		instances[key] = map[string]cty.Value{}
		ids := map[string]cty.Value{}
		for it := value.ElementIterator(); it.Next(); {
			k, v := it.Element()
			instances[key][k.AsString()] = v
			ids[k.AsString()] = cty.ObjectVal(map[string]cty.Value{"id": cty.StringVal("id of " + b.Labels[1] + " " + k.AsString())})
		}
		if known[b.Labels[0]] == nil {
			known[b.Labels[0]] = map[string]cty.Value{}
		}
		known[b.Labels[0]][b.Labels[1]] = cty.ObjectVal(ids)
	}
	out := map[string]map[string]cty.Value{}
	for key, each := range instances {
		out[key] = map[string]cty.Value{}
		for name, value := range each {
			ctx := m.context(map[string]cty.Value{"key": cty.StringVal(name), "value": value})
			for typ, all := range known {
				ctx.Variables[typ] = cty.ObjectVal(all)
			}
			out[key][name] = cty.ObjectVal(m.attributes(m.blocks[key].Body, ctx))
		}
	}
	return out
}

// attributes evaluates the attributes of a body and of the blocks in it.
func (m *module) attributes(body *hclsyntax.Body, ctx *hcl.EvalContext) map[string]cty.Value {
	m.t.Helper()
	out := map[string]cty.Value{}
	for name, a := range body.Attributes {
		value, problems := a.Expr.Value(ctx)
		m.check(problems)
		out[name] = value
	}
	for i, b := range body.Blocks {
		out[fmt.Sprint(b.Type, " ", i)] = cty.ObjectVal(m.attributes(b.Body, ctx))
	}
	return out
}
