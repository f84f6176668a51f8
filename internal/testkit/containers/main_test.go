package containers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithPostgres)) }

// envVictim says what TestVictim does when it has a database.
const envVictim = "EVALWORKER_COMPONENTS_VICTIM"

// TestVictim is the test that the other tests have Main run.
func TestVictim(t *testing.T) {
	what := os.Getenv(envVictim)
	if what == "" {
		t.Skip("is run by others")
	}
	url, ok := containers.UsePostgres(t)
	if !ok {
		fmt.Fprintln(os.Stdout, "victim without")
		return
	}
	fmt.Fprintln(os.Stdout, "victim on", strings.HasPrefix(url, "postgres://"))
	switch what {
	case "fail":
		t.Error("asked to")
	case "panic":
		panic("asked to")
	}
}

// TestBystander does not use a database.
func TestBystander(*testing.T) {
	if os.Getenv(envVictim) != "" {
		fmt.Fprintln(os.Stdout, "bystander")
	}
}

// program runs this program's Main in a new process, and returns its output and its
// exit code.
func program(t *testing.T, env, args []string) (string, int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append([]string{"-test.run=^(TestVictim|TestBystander)$"}, args...)...) //nolint:gosec // this very program
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "EVALWORKER_TEST_")
	})
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// TestMainRuns: tests that asked for a database run once more on one, and no others
// do; the exit code is the worse one, and no container remains.
func TestMainRuns(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	p, err := containers.StartPostgres(t.Context())
	containers.Need(t, err) // an engine without images is as good as none
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for what, code := range map[string]int{"pass": 0, "fail": 1, "panic": 2} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			out, got := program(t, []string{envVictim + "=" + what}, nil)
			if got != code || strings.Count(out, "victim without\n") != 1 || strings.Count(out, "victim on true\n") != 1 || strings.Count(out, "bystander\n") != 1 {
				t.Errorf("exit code %d, want %d, after\n%s", got, code, out)
			}
			if want := "components: 1 of the tests once more on PostgreSQL\n"; !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
			_, after, ok := strings.Cut(out, "PostgreSQL runs at ")
			addr, _, _ := strings.Cut(after, " ")
			if !ok || reachable(t.Context(), addr) {
				t.Errorf("still there: %q", addr)
			}
		})
	}
}

// TestMainWithout: without an engine one line says what was not run; that is a
// failure where the components are required. Main looks for no engine when no test
// would use it, and starts no container in a quick run.
func TestMainWithout(t *testing.T) {
	t.Parallel()
	noEngine := "DOCKER_CERT_PATH=" + filepath.Join(t.TempDir(), "none") // no client can be made
	const missing = "the PostgreSQL tests of this package"
	for name, tt := range map[string]struct {
		env, args []string
		code      int
		want      string // empty: not a word of it
	}{
		"missing":  {[]string{envVictim + "=pass", noEngine}, nil, 0, missing + " ran on embedded parts only"},
		"required": {[]string{envVictim + "=pass", noEngine, containers.EnvRequired + "=required"}, nil, 1, missing + " did not run"},
		"unused":   {[]string{noEngine, containers.EnvRequired + "=required"}, nil, 0, ""},
		"short":    {[]string{envVictim + "=pass", noEngine}, []string{"-test.short"}, 0, ""},
		"bench":    {[]string{envVictim + "=pass", noEngine}, []string{"-test.bench=x"}, 0, ""},
		"list":     {[]string{envVictim + "=pass", noEngine}, []string{"-test.list=."}, 0, ""},
		"none":     {[]string{envVictim + "=pass", noEngine}, []string{"-test.count=0"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code := program(t, tt.env, tt.args)
			if code != tt.code || tt.want == "" && strings.Contains(out, missing) || !strings.Contains(out, tt.want) {
				t.Errorf("exit code %d, want %d and %q, after\n%s", code, tt.code, tt.want, out)
			}
		})
	}
}

// reachable reports whether a server listens.
func reachable(ctx context.Context, addr string) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
