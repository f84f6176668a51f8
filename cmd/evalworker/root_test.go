package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/testkit/command"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	command.Test(t, func() *cobra.Command { return newRoot(&globals{}) }, "since", "until", "labels", "key", "env", "docs", "team", "notify")
}

// TestDocumentedCommands: what documents and messages of monitors tell people to run exists.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	command.Documents(t, func() *cobra.Command { return newRoot(&globals{}) },
		"../../README.md", "../../CONTRIBUTING.md", "../../docs/*.md", "../../docs/runbooks/*.md", "../../deploy/*.md", "../../deploy/datadog/monitors/*.json")
}

func TestGetenv(t *testing.T) {
	t.Parallel()
	g := &globals{environ: []string{"A=1", "EMPTY=", "AB=2", "A=3"}}
	for name, want := range map[string]string{"A": "1", "EMPTY": "", "AB": "2", "B": ""} {
		if value := g.getenv(name); value != want {
			t.Errorf("getenv(%s) = %q, want %q", name, value, want)
		}
	}
}
