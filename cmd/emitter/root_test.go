package main

import (
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/command"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	command.Test(t, newRoot, "brokers", "topic", "sasl-username", "sasl-region", "tls-server-name", "listen", "start")
}

// TestDocumentedCommands: what documents tell people to run exists.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	command.Documents(t, newRoot, "../../README.md", "../../docs/*.md", "../../deploy/*.md")
}
