package main

import (
	"errors"
	"flag"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

var update = flag.Bool("update", false, "write what commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(testRunner{m}, map[string]func(){"evalworker": main})
}

// testRunner runs tests once more on a PostgreSQL, when a container engine is there.
type testRunner struct{ *testing.M }

// Run runs the tests.
func (r testRunner) Run() int { return containers.Main(r.M, containers.WithPostgres) }

// TestScripts runs the program as a person does. The scripts may use one more
// command: "exits CODE PROGRAM ARGS" runs a program and wants that exit code.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			// Keys are made here, so that the scripts hold none.
			e.Setenv("CANARY", canary())
			return nil
		},
	})
}

// canary returns a text that looks like a key and may never be printed.
func canary() string { return "sk-" + "canary" + strconv.Itoa(1<<20) + "canary" }

// exits runs a program and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
