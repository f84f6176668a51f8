package app_test

import (
	"os"
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// TestMain finds leaked goroutines, without exceptions: even dd-trace-go ends
// everything that it starts. Tests that stop a server start their own.
func TestMain(m *testing.M) { os.Exit(containers.Main(m)) }
