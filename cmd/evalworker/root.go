package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
)

// errPrinted ends a command with cli.ExitUsage; the faults are already on stderr.
var errPrinted = errors.New("the faults have been printed")

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	g := &globals{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := newRoot(g)
	begun := markStart(root)
	cmd, err := cli.Execute(ctx, root, args)
	if err == nil {
		return cli.ExitOK
	}
	code := exitCode(err, *begun)
	if cmd.CommandPath() == "evalworker run" && cli.LogEnd(stderr, err, g.logReason) {
		return code
	}
	if errors.Is(err, errPrinted) {
		return code
	}
	if faults, ok := errors.AsType[fault.List](err); ok {
		printMistakes(stderr, faults, cmd.CommandPath())
		return code
	}
	cli.PrintError(stderr, "evalworker", err)
	if !*begun {
		fmt.Fprintf(stderr, "See '%s --help'.\n", cmd.CommandPath())
	}
	return code
}

// exitCode returns the exit code of an error; begun says that the command's own work has
// begun.
func exitCode(err error, begun bool) int {
	if _, faults := errors.AsType[fault.List](err); faults || !begun || errors.Is(err, errPrinted) {
		return cli.ExitUsage
	}
	return cli.ExitFailure
}

// printMistakes prints one fault a line. Those of a document begin with its place,
// as editors expect it; those of the command line look like every other wrong use.
func printMistakes(stderr io.Writer, faults fault.List, command string) {
	misused := false
	for _, f := range faults {
		if f.File == "" && (f.Path == "" || strings.HasPrefix(f.Path, "--")) {
			misused = true
			fmt.Fprint(stderr, "evalworker: ")
		}
		fmt.Fprintln(stderr, f)
	}
	if misused {
		fmt.Fprintf(stderr, "See '%s --help'.\n", command)
	}
}

// markStart returns a mark that is set once a command's own work begins. An error
// before that is one of flags or arguments.
func markStart(root *cobra.Command) *bool {
	begun := new(bool)
	var wrap func(*cobra.Command)
	wrap = func(cmd *cobra.Command) {
		if work := cmd.RunE; work != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				*begun = true
				return work(cmd, args)
			}
		}
		for _, sub := range cmd.Commands() {
			wrap(sub)
		}
	}
	wrap(root)
	return begun
}

// Groups of commands in the help.
const (
	groupStart = "start"
	groupWork  = "work"
	groupOther = "other" // the last one: help is among them
)

func newRoot(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "evalworker",
		Short: "Watch the quality of what models answer in production",
		Long: `evalworker watches the quality of what models answer in production, away from the
request path. Applications publish an event for each finished request to Kafka;
workers sample the events, check and judge the answers, report scores to Datadog
beside the original traces, and keep failing requests as cases for regression
tests.

The exit code is 0; 1 when the work failed, or found what is bad; 2 when the command
line or the configuration is wrong. docs/running-workers.md says more.`,
		Example: `  evalworker demo
  evalworker init
  evalworker check
  evalworker run`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       cli.ReadBuild().String(), // --version
	}
	root.SetVersionTemplate("evalworker {{.Version}}\n")
	root.SetIn(g.stdin)
	root.SetOut(g.stdout)
	root.SetErr(g.stderr)
	root.PersistentFlags().StringVarP(&g.configPath, "config", "c", "",
		"configuration `FILE` (default $EVALWORKER_CONFIG, else evalworker.yaml when it exists)")
	cli.CompleteFlag(root, "config", cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt))
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "To begin with:"},
		&cobra.Group{ID: groupWork, Title: "To work with:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(groupStart, newDemoCommand(g), newInitCommand(g), newCheckCommand(g))
	add(groupWork, newRunCommand(g), newEvalCommand(g), newDatasetsCommand(g), newStoreCommand(g), newDLQCommand(g), newDatadogCommand(g))
	add(groupOther, newReadyCommand(g), newVersionCommand(g))
	root.SetCompletionCommandGroupID(groupOther)
	return root
}

// globals are what all commands share: the streams, the environment and the
// flags of the root.
type globals struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // in the form of os.Environ
	configPath     string   // --config; empty when it is not given
}

// getenv returns a variable of the environment, or "" when it is not set. As for
// the system, the first of several entries counts.
func (g *globals) getenv(name string) string {
	for _, kv := range g.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// file returns the path of the configuration file, or "" when there is none and
// the defaults apply.
func (g *globals) file() string {
	if g.configPath != "" {
		return g.configPath
	}
	if path := g.getenv(config.EnvConfig); path != "" {
		return path
	}
	if _, err := os.Stat(config.FileName); err == nil {
		return config.FileName
	}
	return ""
}

// load reads the configuration. The error is of type fault.List.
func (g *globals) load() (*config.Config, error) { return config.Load(g.file(), g.environ) }

// loadComplete is load for a worker, for which it is a fault that there are no
// evaluators. Without a file the fault is that there is none.
func (g *globals) loadComplete() (*config.Config, error) {
	file := g.file()
	cfg, err := config.LoadComplete(file, g.environ)
	if faults, ok := errors.AsType[fault.List](err); ok && file == "" {
		for i := range faults {
			if faults[i].Path == "evaluators" {
				faults[i].Problem += ", because there is no " + config.FileName + " here"
				faults[i].Expected = "name a configuration with --config, or make one with evalworker init"
			}
		}
	}
	return cfg, err
}

// placed puts the configuration file before faults of the configuration that were
// found when its parts were built, such as a key that is missing.
func placed(err error, file string) error {
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		return err
	}
	for i := range faults {
		if faults[i].File == "" && file != "" {
			faults[i].File = file
		}
	}
	return faults
}
