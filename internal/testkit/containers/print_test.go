package containers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestALineForTheRun: passing tests print nothing under go test, so skipped ones
// would go unnoticed.
func TestALineForTheRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run=^(TestVictim|TestBystander)$", ".")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "EVALWORKER_TEST_") })
	cmd.Env = append(cmd.Env, envVictim+"=pass", "DOCKER_CERT_PATH="+filepath.Join(t.TempDir(), "none"))
	out, err := cmd.CombinedOutput()
	const line = ": tests of Apache Kafka and PostgreSQL run on embedded parts only, or not at all\n"
	if err != nil || strings.Count(string(out), line) != 1 || strings.Contains(string(out), "victim") {
		t.Errorf("%v, after\n%s", err, out)
	}
}
