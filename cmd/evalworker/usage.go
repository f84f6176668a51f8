package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config/fault"
)

// describeMisuse makes every command say what is wrong with its arguments and what was
// probably meant, in the words of the other faults.
func describeMisuse(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagFault(cmd, err) })
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if accepts := cmd.Args; accepts != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if accepts(cmd, args) == nil {
					return nil
				}
				return argumentFault(cmd, args)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// argumentFault returns the fault of arguments that a command does not accept.
func argumentFault(cmd *cobra.Command, args []string) error {
	if cmd.HasSubCommands() && len(args) > 0 {
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		expected := "want " + strings.Join(names, ", ")
		if near := fault.Nearest(args[0], names); near != "" {
			expected = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), near)
		}
		return fault.List{{Problem: fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath()), Expected: expected}}
	}
	given := "no argument"
	if len(args) > 0 {
		given = cli.Plural(len(args), "argument")
	}
	return fault.List{{Problem: given + " for " + cmd.CommandPath(), Expected: "want " + cmd.UseLine()}}
}

// flagFault returns the fault of a flag. One that does not exist was probably
// mistyped.
func flagFault(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := fault.Nearest(unknown.GetSpecifiedName(), names)
	if near == "" || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	return fault.List{{Problem: err.Error(), Expected: "did you mean --" + near + "?"}}
}
