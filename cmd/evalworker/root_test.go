package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp: every command says what it does and shows how it is used.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRoot(&globals{})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q, want a phrase without a full stop", name, cmd.Short)
		}
		if cmd.Runnable() && !strings.Contains(cmd.Example, name) {
			t.Errorf("%s: no example of it in %q", name, cmd.Example)
		}
		if cmd.HasParent() && !cmd.Parent().HasParent() && cmd.GroupID == "" {
			t.Errorf("%s stands in no group", name)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// TestExamplesParse: the examples in the help use flags and arguments that exist.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	root := newRoot(&globals{})
	examples := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			_, line, ok := strings.Cut(strings.TrimSpace(line), "evalworker ")
			if !ok {
				continue
			}
			line, _, _ = strings.Cut(line, " && ")
			line, _, _ = strings.Cut(line, " | ")
			line, _, _ = strings.Cut(line, " > ")
			examples++
			target, rest, err := newRoot(&globals{}).Find(strings.Fields(line))
			if err == nil {
				err = target.ParseFlags(rest)
			}
			if err == nil && target.Args != nil {
				err = target.Args(target, target.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: example %q: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	if examples < 10 {
		t.Errorf("only %d examples", examples)
	}
}

func TestGetenv(t *testing.T) {
	t.Parallel()
	g := &globals{environ: []string{"A=1", "EMPTY=", "AB=2", "A=3"}}
	for name, want := range map[string]string{"A": "1", "EMPTY": "", "AB": "2", "B": ""} {
		if value := g.getenv(name); value != want {
			t.Errorf("getenv(%s) = %q, want %q", name, value, want)
		}
	}
}
