package main

import (
	"io"
	"os"
	"strings"

	"github.com/evalworker/evalworker/internal/config"
)

// globals are what all commands share: the streams, the environment and the
// flags of the root.
type globals struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // in the form of os.Environ
	configPath     string   // --config; empty when it is not given
}

func newGlobals(stdin io.Reader, stdout, stderr io.Writer, environ []string) *globals {
	return &globals{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
}

// lookupEnv gives a variable of the environment, and whether it is set. As for
// the system, the first of several entries counts.
func (g *globals) lookupEnv(name string) (string, bool) {
	for _, kv := range g.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// getenv is lookupEnv for which unset and empty are the same.
func (g *globals) getenv(name string) string {
	value, _ := g.lookupEnv(name)
	return value
}

// file gives the path of the configuration file, or "" when there is none and
// the defaults hold.
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

// load reads the configuration. The error is of type fault.Faults.
func (g *globals) load() (*config.Config, error) { return config.Load(g.file(), g.environ) }
