package clients

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// envClients names the variable that makes a missing language or library a failure and
// lets libraries be installed when it is "required", and that skips everything when it is
// "off".
const envClients = "EVALWORKER_TEST_CLIENTS"

// installed is where libraries are kept from one run to the next.
const installed = "../../bin/clients"

// programs returns all programs in the order in which they run.
func programs() []program {
	python, node, java := sync.OnceValues(installPython), sync.OnceValues(installNode), sync.OnceValues(installJava)
	runPython := func(t *testing.T, w *world, p program, jobs string) {
		w.runProgram(t, p, jobs, need(t, python), p.source)
	}
	runNode := func(t *testing.T, w *world, p program, jobs string) {
		// Libraries are found from the folder of a program.
		w.runProgram(t, p, jobs, "node", copied(t, p.source, need(t, node)))
	}
	runGo := func(t *testing.T, w *world, p program, jobs string) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		w.startWith(t, p.name, append(w.environment(p, jobs), envGoProgram+"=1"), self).wait(t)
	}
	runJava := func(t *testing.T, w *world, p program, jobs string) {
		w.runProgram(t, p, jobs, "java", "-XX:TieredStopAtLevel=1", "-cp", need(t, java), p.source)
	}
	full := append(append([]kind{}, every...), rated, responses, streamedResponses)
	return []program{
		{"go-openai", "goprogram_test.go", append(append([]kind{}, every...), rated), answers, runGo},
		{goSidecar, "goprogram_test.go", append(append([]kind{}, every...), rated), answers, runGo},
		{"python-openai", "python/openai_sync.py", full, answers, runPython},
		{"python-openai-async", "python/openai_async.py", every, answers, runPython},
		{"python-anthropic", "python/anthropic_sync.py", every, answers, runPython},
		{"python-langchain", "python/chain.py", []kind{streamed, tools, retried, failing}, its, runPython},
		{"python-gunicorn", "python/app.py", []kind{retried, failing}, answers, func(t *testing.T, w *world, p program, jobs string) {
			runGunicorn(t, w, p, jobs, need(t, python))
		}},
		{"node-openai", "node/openai.mjs", full, answers, runNode},
		{"node-anthropic", "node/anthropic.mjs", every, answers, runNode},
		// The SDK tries again above its models, so that each attempt is a request of its own.
		{"node-vercel", "node/vercel.mjs", []kind{streamed, tools, failing}, its, runNode},
		{"java-openai", "java/Program.java", every, observed, runJava},
	}
}

// runProgram runs a program to its end.
func (w *world) runProgram(t *testing.T, p program, jobs string, command ...string) {
	t.Helper()
	w.startWith(t, p.name, w.environment(p, jobs), command...).wait(t)
}

// environment is what a program is told.
func (w *world) environment(p program, jobs string) []string {
	return []string{
		"PROGRAM=" + p.name, "USER_ID=" + user, "JOBS=" + jobs, "MODEL_URL=" + w.provider.url, "EVALWORKER_URL=" + w.sidecar, "EVALWORKER_TOKEN=" + w.token, "KAFKA_BROKERS=" + w.brokers,
		"PYTHONPATH=" + absolute("../../clients/python/src"), "PYTHONDONTWRITEBYTECODE=1",
		"LANGSMITH_TRACING=false", "AI_SDK_LOG_WARNINGS=false",
	}
}

// need returns what an installation returned. Where it failed the test is skipped, or fails
// when clients are required.
func need(t *testing.T, install func() (string, error)) string {
	t.Helper()
	out, err := install()
	switch {
	case err == nil:
	case os.Getenv(envClients) == "required":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return out
}

// installPython returns the interpreter of an environment with the pinned libraries.
func installPython() (string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New("there is no python3")
	}
	pins := []string{absolute("../../clients/python/tests/requirements.txt"), absolute("python/requirements.txt")}
	interpreter := absolute(installed + "/python/bin/python")
	return interpreter, once("python", pins, func(dir string) error {
		if err := run(dir, python, "-m", "venv", "."); err != nil {
			return err
		}
		return run(dir, interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins[0], "-r", pins[1])
	})
}

// installNode returns a folder whose programs find the pinned libraries, and our client as
// it is in this tree.
func installNode() (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("there is no npm")
	}
	type manifest struct {
		Type            string            `json:"type,omitempty"`
		Private         bool              `json:"private,omitempty"`
		Dependencies    map[string]string `json:"dependencies,omitempty"`
		DevDependencies map[string]string `json:"devDependencies,omitempty"`
	}
	pins := []string{absolute("../../clients/node/package.json"), absolute("node/package.json")}
	return absolute(installed + "/node"), once("node", pins, func(dir string) error {
		all := manifest{Type: "module", Private: true, Dependencies: map[string]string{"evalworker": "file:" + absolute("../../clients/node")}}
		for _, pin := range pins {
			var m manifest
			text, err := os.ReadFile(pin) //nolint:gosec // of this tree
			if err == nil {
				err = json.Unmarshal(text, &m)
			}
			if err != nil {
				return err
			}
			maps.Copy(all.Dependencies, m.Dependencies)
			maps.Copy(all.Dependencies, m.DevDependencies)
		}
		delete(all.Dependencies, "typescript") // of the client's own tests
		delete(all.Dependencies, "dd-trace")
		text, err := json.Marshal(all)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "package.json"), text, 0o600)
		}
		if err != nil {
			return err
		}
		return run(dir, npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
	})
}

// installJava returns a class path with the pinned libraries and our client as it is in this
// tree.
func installJava() (string, error) {
	mvn, err := exec.LookPath("mvn")
	if err == nil {
		_, err = exec.LookPath("javac")
	}
	if err != nil {
		return "", errors.New("there is no mvn, or no javac")
	}
	pom, dir := absolute("java/pom.xml"), absolute(installed+"/java")
	if err := once("java", []string{pom}, func(dir string) error {
		return run(dir, mvn, "-q", "-f", pom, "dependency:build-classpath", "-Dmdep.outputFile="+filepath.Join(dir, "classpath"))
	}); err != nil {
		return "", err
	}
	var sources []string
	root := absolute("../../clients/java/src/main/java")
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".java" {
			sources = append(sources, path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	path, err := os.ReadFile(filepath.Join(dir, "classpath")) //nolint:gosec // of this tree
	if err != nil {
		return "", err
	}
	classes := filepath.Join(dir, "classes")
	all := classes + string(os.PathListSeparator) + strings.TrimSpace(string(path))
	return all, run(dir, "javac", append([]string{"-cp", all, "-d", classes}, sources...)...)
}

// once installs libraries into a folder of their own, unless that has been done with the
// same pins.
func once(name string, pins []string, install func(dir string) error) error {
	dir := absolute(installed + "/" + name)
	sum := sha256.New()
	for _, pin := range pins {
		text, err := os.ReadFile(pin) //nolint:gosec // of this tree
		if err != nil {
			return err
		}
		sum.Write(text)
	}
	stamp, mark := filepath.Join(dir, "installed"), fmt.Sprintf("%s %x\n", dir, sum.Sum(nil))
	if text, err := os.ReadFile(stamp); err == nil && string(text) == mark { //nolint:gosec // of this tree
		return nil
	}
	if os.Getenv(envClients) != "required" {
		return fmt.Errorf("the libraries for %s are not installed: set %s=required", name, envClients)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := install(dir); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(mark), 0o600)
}

// run runs a command to its end.
func run(dir, command string, args ...string) error {
	c := exec.CommandContext(context.Background(), command, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", filepath.Base(command), args, err, out)
	}
	return nil
}

// copied copies a program and what stands beside it to a folder, and returns its path there.
func copied(t *testing.T, source, dir string) string {
	t.Helper()
	for _, name := range []string{filepath.Base(source), "jobs.mjs"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(source), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(source))
}

// absolute returns a path that does not depend on the folder of a process.
func absolute(path string) string {
	out, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return out
}

// content returns content as JSON has it, also when it is a text that holds JSON.
func content(c event.Content) any {
	var out any
	if json.Unmarshal(c.Raw(), &out) != nil {
		return nil
	}
	if text, ok := out.(string); ok && json.Unmarshal([]byte(text), &out) != nil {
		return text
	}
	return out
}
