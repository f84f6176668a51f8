package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestExamplesParse: every command says what it does, and the examples in the help use flags and arguments that exist.
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
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q, want a phrase without a full stop", cmd.CommandPath(), cmd.Short)
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
