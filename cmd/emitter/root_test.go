package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestExamplesParse: the examples in the help use flags and arguments that exist.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	examples := 0
	for _, cmd := range append(newRoot().Commands(), newRoot()) {
		if cmd.IsAdditionalHelpTopicCommand() || cmd.Name() == "completion" || cmd.Name() == "help" {
			continue
		}
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: no example of it in %q", cmd.CommandPath(), cmd.Example)
		}
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(line, " > ")
			for part := range strings.SplitSeq(line, " | ") {
				if args, ok := strings.CutPrefix(strings.TrimSpace(part), "emitter "); ok {
					examples++
					if err := parses(strings.Fields(args)); err != nil {
						t.Errorf("%s: example %q: %v", cmd.CommandPath(), part, err)
					}
				}
			}
		}
	}
	if examples < 8 {
		t.Errorf("only %d examples", examples)
	}
}

func parses(args []string) error {
	var cmd *cobra.Command
	cmd, rest, err := newRoot().Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil && cmd.Args != nil {
		err = cmd.Args(cmd, cmd.Flags().Args())
	}
	return err
}

// TestEveryCommandIsInTheRoot: a function new... that returns a command is called by
// newRoot, so a new subcommand cannot be forgotten there.
func TestEveryCommandIsInTheRoot(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	commands, called := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			switch {
			case !ok || !strings.HasPrefix(fn.Name.Name, "new"):
			case fn.Name.Name == "newRoot":
				ast.Inspect(fn.Body, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						called[id.Name] = true
					}
					return true
				})
			case fn.Type.Results.NumFields() == 1:
				if star, ok := fn.Type.Results.List[0].Type.(*ast.StarExpr); ok {
					if sel, ok := star.X.(*ast.SelectorExpr); ok && sel.Sel.Name == "Command" {
						commands[fn.Name.Name] = true
					}
				}
			}
		}
	}
	if len(commands) < 4 {
		t.Errorf("only %d commands found", len(commands))
	}
	for name := range commands {
		if !called[name] {
			t.Errorf("newRoot does not call %s", name)
		}
	}
}
