package application

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/evalworker/evalworker"
	oldest = "1.24" // of Go, two releases back
	kafka  = "github.com/segmentio/kafka-go v0.4.51"
)

// What an application imports: the client, and the redactor for its Prepare.
var (
	lightModules  = append([]string{"internal/base"}, clientModules...)
	clientModules = []string{"event", "emitter", "redact"}
	clientImports = []string{`import _ "` + module + `/event"`, `import _ "` + module + `/emitter"`, `import _ "` + module + `/redact"`}
)

// TestGraph: an application that imports the client has kafka-go and what that needs in
// its module graph, and nothing else; with the redactor also what golang.org/x/net needs.
func TestGraph(t *testing.T) {
	t.Parallel()
	want := graph(t, write(t, nil, `import _ "github.com/segmentio/kafka-go"`, `import _ "github.com/segmentio/kafka-go/sasl/scram"`))
	redactor := append([]string{"golang.org/x/crypto v0.36.0", "golang.org/x/sys v0.31.0", "golang.org/x/term v0.30.0"}, want...)
	check(t, graph(t, write(t, clientModules[:2], clientImports[:2]...)), want)
	check(t, graph(t, write(t, clientModules, clientImports...)), redactor)

	events := write(t, clientModules[:1], clientImports[:1]...)
	for dep := range strings.FieldsSeq(run(t, events, nil, "go", "list", "-deps", ".")) {
		if strings.HasPrefix(dep, "github.com/") && !strings.HasPrefix(dep, module) {
			t.Errorf("event compiles %s", dep)
		}
	}
}

// check fails when an application gets a module that is neither wanted nor one of ours, or
// when ours have several versions.
func check(t *testing.T, got, want []string) {
	t.Helper()
	ours := map[string]string{}
	for _, m := range got {
		path, version, _ := strings.Cut(m, " ")
		if name, found := strings.CutPrefix(path, module+"/"); found && slices.Contains(lightModules, name) {
			ours[name] = version
		} else if !slices.Contains(want, m) {
			t.Errorf("the application gets %s", m)
		}
	}
	if len(ours) != len(lightModules) || len(slices.Compact(slices.Sorted(maps.Values(ours)))) != 1 {
		t.Errorf("the application gets %v of ours, want all of %v in one version", ours, lightModules)
	}
}

// TestSystems: the client builds for the systems on which applications run and are written.
func TestSystems(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	client := write(t, clientModules, clientImports...)
	for _, system := range []string{"windows/amd64", "darwin/arm64", "linux/arm64"} {
		name, arch, _ := strings.Cut(system, "/")
		t.Run(system, func(t *testing.T) {
			run(t, client, []string{"GOOS=" + name, "GOARCH=" + arch, "CGO_ENABLED=0"}, "go", "build", "./...")
		})
	}
}

// TestOldestGo: an application that is still built with the oldest Go that the Go project
// supports, or the one before it, can import the client.
func TestOldestGo(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	toolchain := []string{"GOTOOLCHAIN=go" + oldest + ".0"}
	if out, err := command(t, t.TempDir(), toolchain, "go", "version").CombinedOutput(); err != nil {
		t.Fatalf("Go %s cannot be had: %s", oldest, out) // it runs in CI alone, where it must not be skipped
	}
	client := write(t, clientModules, clientImports...)
	if got := run(t, client, toolchain, "go", "env", "GOVERSION"); !strings.HasPrefix(got, "go"+oldest) {
		t.Fatalf("go.mod asks for %s", got)
	}
	run(t, client, toolchain, "go", "build", "./...")
}

// onlyInCI skips a test that compiles the standard library once more, which takes a
// minute or two.
func onlyInCI(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "" {
		t.Skip("runs in CI alone: CI=true")
	}
}

// write makes an application that imports modules of this checkout, and returns its folder.
func write(t *testing.T, modules []string, imports ...string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod := fmt.Sprintf("module example.com/application\n\ngo %s\n\nrequire %s\n", oldest, kafka)
	for _, m := range modules {
		mod += fmt.Sprintf("require %s/%s v0.0.0\n", module, m)
	}
	for _, m := range lightModules { // those of this checkout
		mod += fmt.Sprintf("replace %s/%s => %s\n", module, m, filepath.Join(root, m))
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": mod, "main.go": "package main\n\n" + strings.Join(imports, "\n") + "\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, nil, "go", "mod", "tidy")
	return dir
}

// graph returns the modules that an application gets, each with its version.
func graph(t *testing.T, dir string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(run(t, dir, nil, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all")), "\n")
	return lines[1:] // the first is the application
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := command(t, dir, env, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func command(t *testing.T, dir string, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOWORK=off", "GOFLAGS="), env...)
	return cmd
}
