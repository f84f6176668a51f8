package main

import (
	"errors"
	"flag"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/validators"
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
// command: "exits CODE PROGRAM ARGS" runs a program and wants that exit code. What
// lists all kinds, keys, dimensions or formats names the list ([lists]) and is
// compared with cmpenv, which -update leaves alone.
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
			for name, words := range lists() {
				e.Setenv(name, words)
			}
			return nil
		},
	})
}

// lists returns the variables of the scripts that hold whole lists, as messages write
// them, so that one more kind, key, dimension or format changes no script.
func lists() map[string]string {
	var types, formats []string
	out := map[string]string{"DIMENSIONS": strings.Join(event.DimNames(), ", ")}
	for _, k := range validators.Kinds() {
		types = append(types, k.Name)
		out["OPTIONS_"+k.Name] = strings.Join(k.Options, ", ")
	}
	out["TYPES"] = strings.Join(append(types, string(eval.TypeLLMJudge)), ", ")
	for _, f := range datasets.Formats() {
		formats = append(formats, f.Name)
	}
	out["FORMATS"] = cli.Alternatives(formats)
	for name, section := range map[string]string{"kafka": "kafka.", "model": "models.NAME.", "evaluator": "evaluators[].", "rule": "sampling.rules[]."} {
		var keys []string
		for _, k := range config.Keys() {
			if key, ok := strings.CutPrefix(k.Path, section); ok && key == k.Name() {
				keys = append(keys, key)
			}
		}
		if name == "kafka" { // its own keys are listed before those of every connection
			base := len(strictyaml.Fields(reflect.TypeFor[conn.Config]()))
			keys = slices.Concat(keys[base:], keys[:base])
		}
		out["KEYS_"+name] = strings.Join(keys, ", ")
	}
	return out
}

// canary returns what looks like a key and may never be printed.
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
