package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/summary"
)

// failRegression is the value of --fail-on for a version that got worse.
const failRegression = "regression"

// failFlag says which findings change the exit code.
type failFlag struct{ on string }

func (f *failFlag) add(cmd *cobra.Command) {
	cli.Choice(cmd, &f.on, "fail-on", "", []string{failRegression}, "exit 1 also for a version that is worse")
}

func (f *failFlag) check(labels string, faults *fault.List) {
	if f.on != "" && labels != "" {
		faults.Add("--fail-on", "--labels compares verdicts with labels, and not versions with each other", "leave out one of the two")
	}
}

// problems returns the findings that change the exit code.
func (f *failFlag) problems(r *summary.Result) []string {
	if f.on == "" {
		return nil
	}
	return r.Worse()
}

// note says that no version was compared, which must not look like none got worse;
// empty when one was.
func (f *failFlag) note(r *summary.Result) string {
	if f.on == "" || r.Asked() > 0 {
		return ""
	}
	why := "no line was evaluated"
	if len(r.Comparisons) > 0 {
		why = "a comparison needs two versions of a prompt with enough decided verdicts"
	}
	return "note: --fail-on regression: no version was compared: " + why
}

// errProblems ends a command whose work is done and found problems.
type errProblems []string

// Error returns one problem a line.
func (p errProblems) Error() string { return strings.Join(p, "\n") }
