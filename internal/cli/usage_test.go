package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
)

// colour has a closed set of values.
type colour string

// program runs a small program. It returns what it printed, and its error.
func program(t *testing.T, values cobra.CompletionFunc, args ...string) (string, error) {
	t.Helper()
	ink, paper := colour("red"), colour("")
	colours := []colour{"red", "green", "blue"}
	root := &cobra.Command{Use: "paint", SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	root.AddGroup(&cobra.Group{ID: "other", Title: "Others:"})
	draw := &cobra.Command{Use: "draw FILE", GroupID: "other", Args: cobra.ExactArgs(1), ValidArgsFunction: cli.FileArgument("png", "svg"), RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "ink %q, paper %q", ink, paper)
		return err
	}}
	cli.Choice(draw, &ink, "ink", "i", colours, "colour of lines")
	cli.Choice(draw, &paper, "paper", "", colours, "colour of the paper")
	draw.Flags().Int("width", 1, "width of lines")
	draw.Flags().String("font", "", "font of texts")
	draw.Flags().String("brush", "", "brush")
	cli.CompleteFiles(draw, "font")
	if values != nil {
		cli.CompleteFlag(draw, "brush", values)
	}
	root.AddCommand(draw)
	var out strings.Builder
	root.SetOut(&out)
	root.SetErr(io.Discard)
	_, err := cli.Execute(t.Context(), root, args)
	return out.String(), err
}

// TestChoice: a flag with a closed set takes its values alone, and its help lists them.
func TestChoice(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                          `ink "red", paper ""`,
		"--ink=blue --paper=green":  `ink "blue", paper "green"`,
		"-i green":                  `ink "green", paper ""`,
		"--ink=blue --paper=":       `ink "blue", paper ""`,
		"--ink=":                    `--ink: unknown value ""; want red, green or blue`,
		"--ink=Bleu":                `--ink: unknown value "Bleu"; did you mean "blue"?`,
		"--paper=yellow":            `--paper: unknown value "yellow"; want red, green or blue`,
		"--width=wide":              `--width: got "wide"; want a whole number`,
		"--widht=1":                 `unknown flag --widht; did you mean --width?`,
		"--ink":                     `--ink: no value; want red, green or blue`,
		"--width":                   `--width: no value; want a whole number`,
		"another":                   `2 arguments for paint draw; want paint draw FILE [flags]`,
		"--length=1":                `unknown flag --length`,
		"--ink=red --ink=redd --xy": `--ink: unknown value "redd"; did you mean "red"?`,
	} {
		got, err := program(t, nil, append([]string{"draw", "file"}, strings.Fields(args)...)...)
		if faults, ok := errors.AsType[fault.List](err); ok {
			got = faults.Error()
		} else if err != nil {
			t.Errorf("%s: %v is no fault", args, err)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
	if help, _ := program(t, nil, "draw", "--help"); !strings.Contains(help, `-i, --ink string     colour of lines: red, green or blue (default "red")`) {
		t.Errorf("help:\n%s", help)
	}
}

// TestHelpOfUnknown: help of a command that does not exist is a fault, in every form.
func TestHelpOfUnknown(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"drw", "drw --help", "--help drw", "help drw", "-h drw file", "drw --width 2 file", "drw -w"} {
		if out, err := program(t, nil, strings.Fields(args)...); out != "" || fmt.Sprint(err) != `unknown command "drw" for "paint"; did you mean paint draw?` {
			t.Errorf("%s: printed %q, %v", args, out, err)
		}
	}
	for _, args := range []string{"", "--help", "help"} {
		if out, err := program(t, nil, strings.Fields(args)...); err != nil || !strings.Contains(out, "Others:\n  completion") && !strings.Contains(out, "Others:\n  draw") {
			t.Errorf("%s: %v, printed %q", args, err, out)
		}
	}
}

// TestCompletion: a flag completes its values, files where it takes one, and else nothing.
func TestCompletion(t *testing.T) {
	t.Parallel()
	known := cli.LookUp(func(context.Context) ([]string, error) {
		return []string{"thin", "fine", "thin", "$(rm)", "--ink", "two words", ""}, nil
	})
	for args, want := range map[string]string{
		"draw --ink |":    "red green blue :36",
		"draw --paper=|":  "red green blue :36",
		"draw --width |":  ":4",
		"draw --font |":   ":0",
		"draw --brush |":  "fine thin :4",
		"draw |":          "png svg :8",
		"draw x.png |":    ":4",
		"help dr|":        "draw :4",
		"help draw --w |": ":0", // no such flag
	} {
		args, _ := strings.CutSuffix(args, "|")
		words := strings.Split(args, " ")
		out, err := program(t, known, append([]string{cobra.ShellCompNoDescRequestCmd}, words...)...)
		if got := strings.Fields(out); err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, %v, want %s", args, got, err, want)
		}
	}
}

// TestLookUpEnds: a look-up has a second, and the shell is told of no error.
func TestLookUpEnds(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(context.Context) ([]string, error){
		"fails": func(context.Context) ([]string, error) { return []string{"half"}, errors.New("no such store") },
		"waits": func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		synctest.Test(t, func(t *testing.T) {
			cmd := &cobra.Command{}
			cmd.SetContext(t.Context())
			began := time.Now()
			words, directive := cli.LookUp(look)(cmd, nil, "")
			if len(words) > 0 || directive != cobra.ShellCompDirectiveNoFileComp || time.Since(began) > time.Second {
				t.Errorf("%s: %q, %v after %v", name, words, directive, time.Since(began))
			}
		})
	}
}

// TestPrintError: each of several faults names the program.
func TestPrintError(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cli.PrintError(&out, "draw", errors.Join(errors.New("no ink"), errors.New("no paper")))
	if want := "draw: no ink\ndraw: no paper\n"; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}
