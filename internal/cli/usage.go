package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Execute runs a command line. It returns the command that was meant, and its error:
// of type fault.List when a command, an argument or a flag is not what the command
// takes, also where help was asked for.
func Execute(ctx context.Context, root *cobra.Command, args []string) (*cobra.Command, error) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagFault(cmd, err) })
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	checkArguments(root)
	var misused *cobra.Command // which help was asked for, with arguments that it does not take
	var misuse error
	root.SetHelpCommand(newHelp(root, func(cmd *cobra.Command, err error) { misused, misuse = cmd, err }))
	printHelp := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if rest := cmd.Flags().Args(); cmd.HasSubCommands() && len(rest) > 0 {
			misused, misuse = cmd, argumentFault(cmd, rest)
			return
		}
		printHelp(cmd, args)
	})
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil && misuse != nil {
		return misused, misuse
	}
	return cmd, err
}

// PrintError writes an error with the name of the program before each line, such as
// each of several faults.
func PrintError(w io.Writer, program string, err error) {
	prefix := program + ": "
	fmt.Fprintln(w, prefix+strings.ReplaceAll(err.Error(), "\n", "\n"+prefix))
}

// newHelp returns the command help, which reports an unknown command to misuse.
func newHelp(root *cobra.Command, misuse func(*cobra.Command, error)) *cobra.Command {
	group := ""
	if groups := root.Groups(); len(groups) > 0 {
		group = groups[len(groups)-1].ID // that of other commands
	}
	return &cobra.Command{
		GroupID: group,
		Use:     "help [COMMAND]",
		Short:   "Print the help of a command",
		Example: "  " + root.Name() + " help",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				misuse(cmd, argumentFault(cmd, rest))
				return nil
			}
			cmd.InitDefaultHelpFlag() // so that the help shows these flags
			cmd.InitDefaultVersionFlag()
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), begun) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// checkArguments makes every command say what is wrong with its arguments in the words
// of the other faults.
func checkArguments(cmd *cobra.Command) {
	if accepts := cmd.Args; accepts != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if accepts(cmd, args) == nil {
				return nil
			}
			return argumentFault(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		checkArguments(sub)
	}
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
		given = Plural(len(args), "argument")
	}
	return fault.List{{Problem: given + " for " + cmd.CommandPath(), Expected: "want " + cmd.UseLine()}}
}

// flagFault returns the fault of a flag that does not exist, or that cannot have its
// value.
func flagFault(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(cmd, unknown)
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fault.List{{Path: "--" + missing.GetFlag().Name, Problem: "no value", Expected: wantValue(missing.GetFlag())}}
	}
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	flag := invalid.GetFlag()
	f := fault.Fault{Path: "--" + flag.Name, Problem: fmt.Sprintf("got %q", invalid.GetValue()), Expected: wantValue(flag)}
	if want, ok := errors.AsType[Want](invalid); ok {
		f.Expected = want.Error()
	}
	if choices := Choices(flag); choices != nil {
		f.Problem = fmt.Sprintf("unknown value %q", invalid.GetValue())
		if near := fault.Nearest(invalid.GetValue(), choices); near != "" {
			f.Expected = fmt.Sprintf("did you mean %q?", near)
		}
	}
	return fault.List{f}
}

// Want is the error of a flag's own type for a value that it does not take. It says what
// the flag takes, such as "a percentage from 0 to 100".
type Want string

// Error returns the text.
func (w Want) Error() string { return "want " + string(w) }

// unknownFlag returns the fault of a flag that was probably mistyped.
func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	// A command that was mistyped has none of the flags that follow it.
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return argumentFault(cmd, args)
	}
	given := unknown.GetSpecifiedName()
	if within := unknown.GetSpecifiedShortnames(); within != "" {
		f := fault.Fault{Problem: "unknown flag -" + given[:1]}
		if within != given[:1] {
			f.Problem += " in -" + within
		}
		return fault.List{f}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	f := fault.Fault{Problem: "unknown flag --" + given}
	if near := fault.Nearest(given, names); near != "" && len(given) > 1 {
		f.Expected = "did you mean --" + near + "?"
	}
	return fault.List{f}
}

// wanted says what the values of pflag's own types look like.
var wanted = map[string]string{
	"bool":        "want true or false",
	"duration":    "want a duration with its unit, such as 500ms, 30s or 5m",
	"float64":     "want a number",
	"int":         "want a whole number",
	"int64":       "want a whole number",
	"uint64":      "want a whole number, 0 or more",
	"string":      "want a text",
	"stringSlice": "want texts, with commas between them",
}

// wantValue says what a flag wants: its values, or their type.
func wantValue(flag *pflag.Flag) string {
	if values := Choices(flag); values != nil {
		return "want " + Alternatives(values)
	}
	if text := wanted[flag.Value.Type()]; text != "" {
		return text
	}
	return "want a " + flag.Value.Type()
}
