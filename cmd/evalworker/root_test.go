package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp: every command says what it does and shows how it is used.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRoot(newGlobals(nil, nil, nil, nil))
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

// TestExamplesParse: what the help shows has flags and arguments that exist.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	root := newRoot(newGlobals(nil, nil, nil, nil))
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
			target, rest, err := newRoot(newGlobals(nil, nil, nil, nil)).Find(strings.Fields(line))
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

func TestLookupEnv(t *testing.T) {
	t.Parallel()
	g := newGlobals(nil, nil, nil, []string{"A=1", "EMPTY=", "AB=2"})
	for name, want := range map[string]struct {
		value string
		set   bool
	}{"A": {"1", true}, "EMPTY": {"", true}, "AB": {"2", true}, "B": {"", false}} {
		if value, set := g.lookupEnv(name); value != want.value || set != want.set {
			t.Errorf("lookupEnv(%s) = %q, %t", name, value, set)
		}
	}
}
