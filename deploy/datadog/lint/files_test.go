package lint

import (
	"os"
	"testing"
)

// TestFiles: the monitors and dashboards of this repository, and their runbooks.
func TestFiles(t *testing.T) {
	t.Parallel()
	for _, f := range Files(os.DirFS(".."), os.DirFS("../../../docs/runbooks")) {
		t.Error(f)
	}
}
