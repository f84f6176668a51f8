package app_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds what a worker leaves behind. Nothing is let pass: dd-trace-go
// too ends all that it starts.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
