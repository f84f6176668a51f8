package evalworker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsed returns the files of a folder that match a pattern, without tests.
func parsed(t *testing.T, pattern string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// returns reports whether a function has one result, of a type as it is written.
func returns(fn *ast.FuncDecl, name string) bool {
	if fn.Type.Results.NumFields() != 1 {
		return false
	}
	typ := fn.Type.Results.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name == name
	case *ast.SelectorExpr:
		return typ.Sel.Name == name
	}
	return false
}

// TestNothingIsLeftOut: what is made in a file of its own is used elsewhere, so a new
// command cannot be missing in its parent, nor an export format or a kind of validator
// in its table.
func TestNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		files, result string
		atLeast       int
	}{
		{"cmd/evalworker/*.go", "Command", 12},
		{"cmd/emitter/*.go", "Command", 4},
		{"datasets/*.go", "Format", 2},
		{"validators/*.go", "answer", 14},
	} {
		made, used := map[string]bool{}, map[string]bool{}
		for _, f := range parsed(t, tt.files) {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if returns(fn, tt.result) {
					made[fn.Name.Name] = true
				}
				ast.Inspect(fn.Body, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && id.Name != fn.Name.Name {
						used[id.Name] = true
					}
					return true
				})
			}
		}
		if len(made) < tt.atLeast {
			t.Errorf("%s: only %d functions that return %s", tt.files, len(made), tt.result)
		}
		for name := range made {
			if !used[name] {
				t.Errorf("%s: %s is nowhere used", tt.files, name)
			}
		}
	}
}

// TestEveryFormatHasATest: what is special about a format of exports is tested beside it.
func TestEveryFormatHasATest(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("datasets/format_*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if base, ok := strings.CutSuffix(name, ".go"); ok && !strings.HasSuffix(base, "_test") && !slices.Contains(names, base+"_test.go") {
			t.Errorf("%s has no test beside it", name)
		}
	}
}
