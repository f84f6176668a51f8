package recipes

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter"
)

// script runs a program of Python or Node.js that publishes with the client of this
// repository, which it finds as evalworker.
func script(t *testing.T, language, code string, env []string) (name string, args, environ []string) {
	t.Helper()
	if language == "python3" {
		return language, []string{"-u", "-c", code}, append(env, "PYTHONPATH="+abs(t, filepath.Join(root, "clients/python/src")))
	}
	client := "import evalworker from '" + filepath.ToSlash(abs(t, filepath.Join(root, "clients/node/index.mjs"))) + "';\n"
	return language, []string{"--input-type=module", "-e", client + code}, env
}

// Both wait a minute for more events before they send, so that what a process loses does
// not depend on the machine.
const (
	python = `
import evalworker, os, signal, sys
evalworker.configure(publisher=evalworker.Publisher(linger=60))
with evalworker.observe(request_id="it", input="q") as call:
    call.output = "a"
`
	pythonWaits = python + `
print("waits")
signal.pause()
`
	node = `
evalworker.configure({ publisher: new evalworker.Publisher({ linger: 60000 }) });
await evalworker.observe({ request_id: 'it', input: 'q' }, async () => 'a');
`
	nodeWaits = `
setInterval(() => {}, 1000);
console.log('waits');
`
)

// TestEnds: what a process loses when it ends is what docs/publish.md says.
func TestEnds(t *testing.T) {
	t.Parallel()
	const handled = `signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))`
	tests := map[string]struct {
		language, code, end string // the end is "" for a process that ends by itself
		lost                bool
	}{
		"python ends":                      {"python3", python, "", false},
		"python, SIGTERM":                  {"python3", pythonWaits, "SIGTERM", true},
		"python, SIGTERM with the handler": {"python3", strings.Replace(pythonWaits, "evalworker.configure", handled+"\nevalworker.configure", 1), "SIGTERM", false},
		"python, SIGKILL":                  {"python3", pythonWaits, "SIGKILL", true},
		"node ends":                        {"node", node, "", true},
		"node ends with a flush":           {"node", node + `await evalworker.flush(5000);`, "", false},
		"node, SIGTERM":                    {"node", node + nodeWaits, "SIGTERM", true},
		"node, SIGTERM with the handler": {"node", node + `process.once('SIGTERM', async () => { await evalworker.flush(5000); process.exit(0); });` +
			nodeWaits, "SIGTERM", false},
	}
	if page := read(t, "docs/publish.md"); !strings.Contains(page, handled) {
		t.Errorf("docs/publish.md has no %s", handled)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tt.language); err != nil {
				t.Skip(err)
			}
			w := newWorld(t)
			command, args, env := script(t, tt.language, tt.code, w.environment())
			switch tt.end {
			case "":
				run(t, "", env, command, args...)
			case "SIGTERM":
				p, _ := start(t, "", env, "waits", command, args...)
				p.stop(t)
			case "SIGKILL":
				p, _ := start(t, "", env, "waits", command, args...)
				p.kill()
			}
			if _, arrived := w.events(t)["it"]; arrived == tt.lost {
				t.Errorf("arrived: %t", arrived)
			}
		})
	}
}

// TestSidecarKeeps: what a sidecar has answered with 202 while Kafka refuses it survives
// its end, whichever that is.
func TestSidecarKeeps(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *process){
		"SIGKILL": func(_ *testing.T, p *process) { p.kill() },
		"SIGTERM": func(t *testing.T, p *process) {
			p.stop(t)
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath("python3"); err != nil {
				t.Skip(err)
			}
			w := newWorld(t)
			restore := w.broker.RefuseWrites(emitter.DefaultTopic)
			spool := filepath.Join(t.TempDir(), "spool")
			first, url := startSidecar(t, w.broker.Addr(), spool, "--grace", "100ms")
			command, args, env := script(t, "python3", python+`print("flushed:", evalworker.flush(60), evalworker.publisher().stats["accepted"])`,
				append(w.environment(), "EVALWORKER_URL="+url))
			if out := run(t, "", env, command, args...); !strings.Contains(out, "flushed: True 1") {
				t.Fatalf("the client says %s", out)
			}
			end(t, first)
			restore()
			second, _ := startSidecar(t, w.broker.Addr(), spool)
			second.stop(t)
			if _, ok := topic(t, w.broker.Addr())["it"]; !ok {
				t.Error("the event is lost")
			}
		})
	}
}

// TestSidecarComesLater: what an application publishes while its sidecar is away waits for it.
func TestSidecarComesLater(t *testing.T) {
	t.Parallel()
	for language, code := range map[string]string{
		"python3": python + `
import threading
flush = threading.Thread(target=lambda: print("flushed:", evalworker.flush(60)))
flush.start()
print("waits")
flush.join()
`,
		"node": node + `console.log('waits'); console.log('flushed:', await evalworker.flush(60000));`,
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(language); err != nil {
				t.Skip(err)
			}
			w := newWorld(t)
			port := freePort(t)
			command, args, env := script(t, language, code, append(w.environment(), "EVALWORKER_URL=http://127.0.0.1:"+port))
			p, _ := start(t, "", env, "waits", command, args...)
			later, _ := startSidecar(t, w.broker.Addr(), filepath.Join(t.TempDir(), "spool"), "--listen", "127.0.0.1:"+port)
			p.read.Wait() // until it ends by itself
			later.stop(t)
			if _, ok := topic(t, w.broker.Addr())["it"]; !ok {
				t.Errorf("the event is lost: %s", p.output())
			}
		})
	}
}

// TestWithhold: the examples publish no content of the requests that they withhold, and
// that of all others.
func TestWithhold(t *testing.T) {
	t.Parallel()
	for language, file := range map[string]string{"python3": "withhold.py", "node": "withhold.mjs"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(language); err != nil {
				t.Skip(err)
			}
			code, err := os.ReadFile(filepath.Join(root, "examples", "withhold", file))
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			command, args, env := script(t, language, strings.Replace(string(code), "import evalworker from 'evalworker';\n", "", 1), w.environment())
			run(t, "", env, command, args...)
			var features []string
			for _, ev := range w.events(t) {
				features = append(features, ev.Feature)
				if withheld := ev.Input.IsZero() && ev.Output.IsZero(); withheld != (ev.Feature == "health") {
					t.Errorf("%s: content withheld: %t", ev.Feature, withheld)
				}
			}
			slices.Sort(features)
			if !slices.Equal(features, []string{"health", "support"}) {
				t.Errorf("events of %v arrived", features)
			}
		})
	}
}
