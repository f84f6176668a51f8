// Package command tests what every command of a program promises on the command line:
// its help, its examples and its completion.
package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/evalworker/evalworker/internal/cli"
)

// Test tests a program that newRoot makes anew. freeText names its flags of text of
// which a shell can know nothing; every other one completes something.
func Test(t *testing.T, newRoot func() *cobra.Command, freeText ...string) {
	t.Helper()
	free := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		testHelp(t, cmd)
		testExamples(t, cmd, newRoot)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { testFlag(t, cmd, f, newRoot, freeText, free) })
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
	for _, name := range freeText {
		if !free[name] {
			t.Errorf("there is no flag --%s that completes nothing", name)
		}
	}
}

// testHelp tests that a command says what it does and shows how it is used.
func testHelp(t *testing.T, cmd *cobra.Command) {
	t.Helper()
	name := cmd.CommandPath()
	if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
		t.Errorf("%s: Short is %q, want a phrase without a full stop", name, cmd.Short)
	}
	if cmd.Runnable() && !strings.Contains(cmd.Example, name) {
		t.Errorf("%s: no example of it in %q", name, cmd.Example)
	}
	if cmd.HasParent() && len(cmd.Parent().Groups()) > 0 && cmd.GroupID == "" {
		t.Errorf("%s stands in no group", name)
	}
}

// testExamples tests that examples use commands, flags and arguments that exist.
func testExamples(t *testing.T, cmd *cobra.Command, newRoot func() *cobra.Command) {
	t.Helper()
	program := cmd.Root().Name() + " "
	for line := range strings.Lines(cmd.Example) {
		for part := range strings.SplitSeq(strings.ReplaceAll(line, " && ", " | "), " | ") {
			_, args, ok := strings.Cut(" "+strings.TrimSpace(part), " "+program)
			if !ok {
				continue // of another program
			}
			args, _, _ = strings.Cut(args, " > ")
			if err := parses(newRoot(), strings.Fields(args), true); err != nil {
				t.Errorf("%s: example %q: %v", cmd.CommandPath(), part, err)
			}
		}
	}
}

// parses returns why a command line cannot be parsed; nil when it can. Arguments count
// only if none is left out.
func parses(root *cobra.Command, args []string, whole bool) error {
	cmd, rest, err := root.Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil && cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return fmt.Errorf("%s has no command %s", cmd.CommandPath(), cmd.Flags().Arg(0))
	}
	if err == nil && cmd.Args != nil && whole {
		err = cmd.Args(cmd, cmd.Flags().Args())
	}
	return err
}

// testFlag tests that a flag completes its closed set if it has one, and something unless
// it is free text or no text.
func testFlag(t *testing.T, cmd *cobra.Command, f *pflag.Flag, newRoot func() *cobra.Command, freeText []string, free map[string]bool) {
	t.Helper()
	_, looks := cmd.GetFlagCompletionFunc(f.Name)
	text := f.Value.Type() == "string" || f.Value.Type() == "stringSlice"
	switch choices := cli.Choices(f); {
	case choices != nil:
		var out strings.Builder
		root := newRoot()
		root.SetOut(&out)
		root.SetErr(io.Discard)
		line := append(strings.Fields(cmd.CommandPath())[1:], "--"+f.Name, "")
		if _, err := cli.Execute(t.Context(), root, append([]string{cobra.ShellCompNoDescRequestCmd}, line...)); err != nil {
			t.Errorf("%s --%s: %v", cmd.CommandPath(), f.Name, err)
		}
		got := strings.Fields(out.String())
		if !slices.Equal(got[:len(got)-1], choices) { // the last one is for the shell's script
			t.Errorf("%s --%s completes %q, want %q", cmd.CommandPath(), f.Name, got, choices)
		}
	case looks || !text:
	case slices.Contains(freeText, f.Name):
		free[f.Name] = true
	default:
		t.Errorf("%s --%s completes nothing: make it a cli.Choice, complete its values, or name it as free text", cmd.CommandPath(), f.Name)
	}
}
