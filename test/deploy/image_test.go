package deploy

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	root  = "../.." // of the repository
	image = "evalworker-test:image"
)

// needDocker skips a test where no Docker engine answers, and fails it where one has to.
func needDocker(t *testing.T) {
	t.Helper()
	mode := os.Getenv("EVALWORKER_TEST_REAL")
	if mode == "off" || testing.Short() {
		t.Skip("tests with a Docker engine are off")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", "version").CombinedOutput(); err != nil {
		if mode == "required" {
			t.Fatalf("a Docker engine has to be here: %v\n%s", err, out)
		}
		t.Skip("no Docker engine answers: the image is not tested")
	}
}

// command runs a program in a folder and returns what it prints on standard output.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	var out, failed bytes.Buffer
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 15*time.Minute) // cleanups run programs too
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &failed
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(append([]string{name}, args...), " "), err, &out, &failed)
	}
	return out.String()
}

// TestImage: the image says what is inside, holds nothing else, and runs with no right to
// anything.
func TestImage(t *testing.T) {
	needDocker(t)
	command(t, root, "make", "image", "IMAGE="+image)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "--force", image).Run() })
	inside := export(t)
	t.Run("labels", func(t *testing.T) { testLabels(t) })
	t.Run("files", func(t *testing.T) { testFiles(t, inside) })
	t.Run("bill of materials", func(t *testing.T) { testBOM(t, inside) })
	t.Run("demo", func(t *testing.T) { testDemo(t) })
	t.Run("stop", func(t *testing.T) { testStop(t) })
}

// file is a file of the image.
type file struct {
	mode fs.FileMode
	user int
	data []byte
}

// export returns the files of the image by their path, without those that Docker adds.
func export(t *testing.T) map[string]file {
	t.Helper()
	id := strings.TrimSpace(command(t, ".", "docker", "create", image))
	defer command(t, ".", "docker", "rm", "--force", id)
	out := map[string]file{}
	for in := tar.NewReader(strings.NewReader(command(t, ".", "docker", "export", id))); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		switch name := strings.TrimSuffix(h.Name, "/"); name {
		case ".dockerenv", "dev", "dev/console", "dev/pts", "dev/shm", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "proc", "sys":
		default:
			out[name] = file{h.FileInfo().Mode(), h.Uid, data}
		}
	}
}

// inspected is the part of docker inspect that the tests read.
type inspected struct {
	Config struct {
		User        string
		Labels      map[string]string
		Healthcheck struct{ Test []string }
	}
	State struct {
		Status   string
		ExitCode int
		Health   struct{ Status string }
	}
}

func inspect(t *testing.T, name string) inspected {
	t.Helper()
	var out []inspected
	if err := json.Unmarshal([]byte(command(t, ".", "docker", "inspect", name)), &out); err != nil || len(out) != 1 {
		t.Fatalf("%d objects, %v", len(out), err)
	}
	return out[0]
}

// testLabels: the labels and the programs name the same revision, the commit's.
func testLabels(t *testing.T) {
	c := inspect(t, image).Config
	revision := strings.TrimSpace(command(t, root, "git", "rev-parse", "HEAD"))
	for _, key := range []string{"title", "description", "source", "documentation", "licenses", "version"} {
		if c.Labels["org.opencontainers.image."+key] == "" {
			t.Errorf("no label %s in %v", key, c.Labels)
		}
	}
	if got := c.Labels["org.opencontainers.image.revision"]; got != revision {
		t.Errorf("the label says revision %q, want %q", got, revision)
	}
	seconds := strings.TrimSpace(command(t, root, "git", "log", "-1", "--format=%ct"))
	if at, err := time.Parse(time.RFC3339, c.Labels["org.opencontainers.image.created"]); err != nil || fmt.Sprint(at.Unix()) != seconds {
		t.Errorf("created %v (%v), want the commit's time, %s", at, err, seconds)
	}
	if c.User != "65532:65532" {
		t.Errorf("user %q", c.User)
	}
	var build struct{ Version, Revision, Go, Platform string }
	for _, program := range []string{"evalworker", "emitter"} {
		text := command(t, ".", "docker", "run", "--rm", "--network", "none", "--entrypoint", "/usr/local/bin/"+program, image, "version", "--json")
		if err := json.Unmarshal([]byte(text), &build); err != nil || build.Revision != revision || build.Version != c.Labels["org.opencontainers.image.version"] || !strings.HasPrefix(build.Platform, "linux/") {
			t.Errorf("%s says %s (%v)", program, text, err)
		}
	}
}

// testFiles: nothing but what is listed here, and only what is meant to may be written.
func testFiles(t *testing.T, inside map[string]file) {
	got := map[string]string{}
	for name, f := range inside {
		if !f.mode.IsDir() || f.user != 0 || f.mode&0o022 != 0 {
			got[name] = fmt.Sprintf("%v of %d", f.mode, f.user)
		}
	}
	want := map[string]string{
		"etc/ssl/certs/ca-certificates.crt":      "-rw-r--r-- of 0",
		"tmp":                                    "dtrwxrwxrwx of 0",
		"usr/local/bin/emitter":                  "-rwxr-xr-x of 0",
		"usr/local/bin/evalworker":               "-rwxr-xr-x of 0",
		"usr/share/doc/evalworker/licenses.txt":  "-rw-r--r-- of 0",
		"usr/share/doc/evalworker/sbom.cdx.json": "-rw-r--r-- of 0",
		"var/lib/emitter":                        "drwxr-xr-x of 65532",
		"var/lib/evalworker":                     "drwxr-xr-x of 65532",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// testBOM: the bill of materials keeps to CycloneDX, and has every module that Go recorded
// in the programs, each with its licence and with the sum of go.sum.
func testBOM(t *testing.T, inside map[string]file) {
	text := inside["usr/share/doc/evalworker/sbom.cdx.json"].data
	if err := validBOM(t, text); err != nil {
		t.Error(err)
	}
	if err := validBOM(t, bytes.Replace(text, []byte(`"purl"`), []byte(`"url"`), 1)); err == nil {
		t.Error("the definition lets an unknown field pass")
	}
	var bom cdx.BOM
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&bom); err != nil {
		t.Fatal(err)
	}
	found, hashes := map[string]bool{}, map[string]bool{}
	for _, c := range *bom.Components {
		found[c.Name+"@"+c.Version] = true
		if c.Licenses == nil {
			t.Errorf("%s has no licence", c.BOMRef)
		}
		if c.Hashes == nil && c.Name != "std" {
			t.Errorf("%s has no hash", c.BOMRef)
		} else if c.Hashes != nil {
			hashes[(*c.Hashes)[0].Value] = true
		}
	}
	modules := 0
	for _, program := range []string{"evalworker", "emitter"} {
		data := inside["usr/local/bin/"+program].data
		if sum := sha256.Sum256(data); !hashes[hex.EncodeToString(sum[:])] {
			t.Errorf("no component has the hash of %s", program)
		}
		info, err := buildinfo.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if !found["std@"+strings.TrimPrefix(info.GoVersion, "go")] {
			t.Errorf("%s is missing", info.GoVersion)
		}
		for _, m := range info.Deps {
			if strings.HasPrefix(m.Path, info.Main.Path+"/") {
				continue // a module of this repository is the program itself
			}
			if modules++; !found[m.Path+"@"+m.Version] {
				t.Errorf("%s@%s is missing", m.Path, m.Version)
			}
			if !bytes.Contains(inside["usr/share/doc/evalworker/licenses.txt"].data, []byte("pkg:golang/"+m.Path+"@"+strings.ReplaceAll(m.Version, "+", "%2B")+"\n")) {
				t.Errorf("%s@%s has no text of its licence", m.Path, m.Version)
			}
		}
	}
	if modules < 100 {
		t.Errorf("only %d modules", modules)
	}
}

// validBOM checks a document against CycloneDX' own definition, which its Go module
// brings.
func validBOM(t *testing.T, text []byte) error {
	t.Helper()
	folder := strings.TrimSpace(command(t, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go"))
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schemax.json"} {
		schema, err := os.ReadFile(filepath.Join(folder, "schema", name))
		if err != nil {
			return err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
		if err != nil {
			return err
		}
		if err := compiler.AddResource("http://cyclonedx.org/schema/"+strings.Replace(name, "schemax", "schema", 1), document); err != nil {
			return err
		}
	}
	compiled, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// restricted are the rights of a container that has none.
var restricted = []string{"--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65532", "--network", "none"}

// start starts a container of the image, which the test removes, and returns its id.
func start(t *testing.T, args ...string) string {
	t.Helper()
	args = append(append([]string{"run", "--detach", "--health-interval", "1s"}, restricted...), args...)
	id := strings.TrimSpace(command(t, ".", "docker", args...))
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", id).Run() })
	return id
}

// until waits until a container is as wanted.
func until(t *testing.T, id, what string, reached func(inspected) bool) inspected {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(2 * time.Minute); ; {
		now := inspect(t, id)
		if reached(now) {
			return now
		}
		if now.State.Status == "exited" {
			out, _ := exec.CommandContext(t.Context(), "docker", "logs", id).CombinedOutput()
			t.Fatalf("exit code %d before it was %s\n%s", now.State.ExitCode, what, out)
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not %s after two minutes: %+v", what, now.State)
		}
	}
}

func healthy(now inspected) bool { return now.State.Health.Status == "healthy" }

// testDemo: the whole loop runs without any right, the image's own probe finds it ready
// meanwhile, and it ends by itself with exit code 0.
func testDemo(t *testing.T) {
	t.Parallel()
	id := start(t, image, "demo", "--events", "1000", "--duration", "6s", "--health-port", "8787")
	until(t, id, "healthy", healthy)
	if got := strings.TrimSpace(command(t, ".", "docker", "wait", id)); got != "0" {
		t.Errorf("exit code %s", got)
	}
	if out := command(t, ".", "docker", "logs", id); !strings.Contains(out, "accounting: 1000 consumed = ") {
		t.Errorf("printed:\n%s", out)
	}
}

// testStop: SIGTERM ends a demo that stays up, within the worker's own limits.
func testStop(t *testing.T) {
	t.Parallel()
	id := start(t, image, "demo", "--events", "100", "--keep", "--health-port", "8787")
	until(t, id, "healthy", healthy)
	command(t, ".", "docker", "stop", "--time", "40", id)
	if now := inspect(t, id); now.State.ExitCode != 0 {
		t.Errorf("exit code %d after SIGTERM", now.State.ExitCode)
	}
}

// TestImageFilesAreReproducible: the same sources in another folder give the same files.
func TestImageFilesAreReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds both programs with flags of their own")
	}
	again := t.TempDir()
	sources := filepath.Join(again, "sources")
	if err := os.Mkdir(sources, 0o755); err != nil {
		t.Fatal(err)
	}
	stamp := []string{"VERSION=v9.8.7", "REVISION=0123456789abcdef", "MODIFIED=false", "CREATED=2026-06-01T09:00:00Z", "BIN=" + filepath.Join(again, "bin")}
	command(t, root, "sh", "-c", "git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from - | tar -x -C "+sources)
	command(t, sources, "make", append(stamp, "image-files")...)
	first := sums(t, filepath.Join(again, "bin", "image"))
	command(t, root, "make", append(stamp, "image-files")...)
	if diff := cmp.Diff(first, sums(t, filepath.Join(again, "bin", "image"))); diff != "" || len(first) < 5 {
		t.Errorf("%d files; they differ:\n%s", len(first), diff)
	}
}

// sums returns the hash of each file in a folder.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
