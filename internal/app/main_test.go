package app_test

import (
	"os"
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// TestMain finds what a worker leaves behind. Nothing is let pass: dd-trace-go
// too ends all that it starts. Tests that stop a server start one of their own.
func TestMain(m *testing.M) { os.Exit(containers.Main(m)) }
