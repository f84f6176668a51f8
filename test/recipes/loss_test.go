package recipes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

// script returns the command of a program of Python, Node.js or Java that publishes with the
// client of this repository. It skips the test where the language is missing.
func script(t *testing.T, language, code string, env []string) (name string, args, environ []string) {
	t.Helper()
	if _, err := exec.LookPath(language); err != nil {
		missing(t, err)
	}
	switch language {
	case "python3":
		return language, []string{"-u", "-c", code}, append(env, "PYTHONPATH="+abs(t, filepath.Join(root, "clients/python/src")))
	case "node":
		client := "import evalworker from '" + filepath.ToSlash(abs(t, filepath.Join(root, "clients/node/index.mjs"))) + "';\n"
		return language, []string{"--input-type=module", "-e", client + strings.Replace(code, "import evalworker from 'evalworker';\n", "", 1)}, env
	}
	dir := t.TempDir()
	class := regexp.MustCompile(`class (\w+)`).FindStringSubmatch(code)[1]
	program := filepath.Join(dir, class+".java")
	if err := os.WriteFile(program, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := filepath.Glob(filepath.Join(root, "clients/java/src/main/java/io/github/evalworker/*.java"))
	if err != nil || len(client) == 0 {
		t.Fatalf("no client for Java: %v", err)
	}
	run(t, "", nil, "javac", append([]string{"-d", dir, program}, client...)...)
	return language, []string{"-cp", dir, class}, env
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
evalworker.configure({ linger: 60000 });
evalworker.observe(() => 'a', { request_id: 'it', input: 'q' });
`
	nodeWaits = `
setInterval(() => {}, 1000);
console.log('waits');
`
)

// java returns a program of Java that publishes an event and does more. The client sends at
// once: a gate makes it wait.
func java(more string) string {
	return `
import io.github.evalworker.Evalworker;
public class Main {
  public static void main(String[] args) throws Exception {
    var evalworker = new Evalworker();
    evalworker.begin("request_id", "it", "input", "q").run(() -> "a");
    ` + more + `
  }
}
`
}

const javaWaits = `System.out.println("waits"); Thread.sleep(60_000);`

// gate stands in front of a sidecar and asks the first request to come again after some
// seconds.
func gate(t *testing.T, sidecar, seconds string) string {
	t.Helper()
	to, err := url.Parse(sidecar)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	var opened atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if opened.Swap(true) {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", seconds)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestEnds: what a process loses when it ends is what docs/publish.md says. A service in Go is
// the recipe nethttp, which TestRecipes stops.
func TestEnds(t *testing.T) {
	t.Parallel()
	const (
		ofPython = `evalworker.flush_on_sigterm()`
		ofNode   = `process.once('SIGTERM', async () => { await evalworker.close(5000); process.exit(0); });`
		ofJava   = `Runtime.getRuntime().addShutdownHook(new Thread(evalworker::close));`
	)
	tests := map[string]struct {
		language, code, end string // the end is "" for a process that ends by itself
		gate                string // seconds
		lost                bool
	}{
		"python ends":                      {language: "python3", code: python},
		"python ends, by os._exit":         {language: "python3", code: python + "os._exit(0)", lost: true},
		"python, SIGTERM":                  {language: "python3", code: pythonWaits, end: "SIGTERM", lost: true},
		"python, SIGTERM with the handler": {language: "python3", code: behindImports(pythonWaits, ofPython), end: "SIGTERM"},
		"python, SIGKILL":                  {language: "python3", code: pythonWaits, end: "SIGKILL", lost: true},
		"node ends":                        {language: "node", code: node},
		"node ends, by process.exit":       {language: "node", code: node + `process.exit(0);`, lost: true},
		"node, SIGTERM":                    {language: "node", code: node + nodeWaits, end: "SIGTERM", lost: true},
		"node, SIGTERM with the handler":   {language: "node", code: node + ofNode + nodeWaits, end: "SIGTERM"},
		"node, SIGKILL":                    {language: "node", code: node + nodeWaits, end: "SIGKILL", lost: true},
		"java ends":                        {language: "java", code: java(""), gate: "60", lost: true},
		"java ends with close":             {language: "java", code: java("evalworker.close();"), gate: "1"},
		"java, SIGTERM":                    {language: "java", code: java(javaWaits), end: "SIGTERM", gate: "60", lost: true},
		"java, SIGTERM with the hook":      {language: "java", code: java(ofJava + javaWaits), end: "SIGTERM", gate: "1"},
	}
	page := read(t, "docs/publish.md")
	for _, handler := range []string{ofPython, ofNode, ofJava} {
		if !strings.Contains(page, handler) {
			t.Errorf("docs/publish.md has no %s", handler)
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			env := w.environment()
			if tt.gate != "" {
				env = append(env, "EVALWORKER_URL="+gate(t, w.url, tt.gate))
			}
			command, args, env := script(t, tt.language, tt.code, env)
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

// behindImports puts a statement behind the imports of a program.
func behindImports(code, statement string) string {
	return strings.Replace(code, "evalworker.configure", statement+"\nevalworker.configure", 1)
}

// TestSidecarAway: a client keeps as many events as docs/publish.md says, and drops the newest.
func TestSidecarAway(t *testing.T) {
	t.Parallel()
	for language, code := range map[string]string{
		"python3": `
import evalworker, os
for i in range(10_001):
    kept = evalworker.publisher().publish({"event": "llm_request_completed", "request_id": str(i)})
print("kept:", kept, evalworker.publisher().stats["dropped"])
os._exit(0)
`,
		"node": `
let kept;
for (let i = 0; i < 10_001; i++) kept = evalworker.publisher().publish({ event: 'llm_request_completed', request_id: String(i) });
console.log('kept:', kept, evalworker.stats().dropped);
process.exit(0);
`,
		"java": `
import io.github.evalworker.Evalworker;
import java.util.Map;
public class Main {
  public static void main(String[] args) {
    var evalworker = new Evalworker();
    boolean kept = true;
    for (int i = 0; i < 10_001; i++) kept = evalworker.publish(Map.of("event", "llm_request_completed", "request_id", i));
    System.out.println("kept: " + kept + " " + evalworker.stats().get("dropped"));
  }
}
`,
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				t.Skip("starts processes")
			}
			command, args, env := script(t, language, code, []string{"EVALWORKER_URL=http://127.0.0.1:1"})
			if out := run(t, "", env, command, args...); !strings.Contains(strings.ToLower(out), "kept: false 1\n") {
				t.Errorf("of 10,001 events: %s", out)
			}
		})
	}
}

// TestKafkaAway: in Go the buffer's bounds and the time for which events are tried are what
// docs/publish.md says, and what is given up is reported.
func TestKafkaAway(t *testing.T) {
	t.Parallel()
	config := emitter.DefaultConfig()
	text := fmt.Sprintf("nothing for %.0f minutes (`RetryFor`) and up to %d,000 events or %d MiB", config.RetryFor.Minutes(), config.BufferEvents/1000, config.BufferBytes>>20)
	if !strings.Contains(read(t, "docs/publish.md"), text) {
		t.Errorf("docs/publish.md does not say %q", text)
	}
	config.Brokers = []string{"127.0.0.1:1"}
	em, err := emitter.New(config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range config.BufferEvents + 1 {
		if err = em.Emit(t.Context(), event.Event{RequestID: event.RequestID(fmt.Sprint(i))}); err != nil && i < config.BufferEvents {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	if !errors.Is(err, emitter.ErrFull) {
		t.Errorf("the newest event: %v, want %v", err, emitter.ErrFull)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	unsent, ok := errors.AsType[*emitter.UnsentError](em.Close(ctx))
	if !ok || unsent.Count != config.BufferEvents {
		t.Errorf("Close reports %+v", unsent)
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

// TestWithhold: the examples publish no content of the requests that they withhold, that of
// all others, and nothing of those that they leave out.
func TestWithhold(t *testing.T) {
	t.Parallel()
	for language, file := range map[string]string{"python3": "withhold.py", "node": "withhold.mjs", "java": "Withhold.java", "go": ""} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if language == "go" {
				run(t, root, w.environment(), "go", "run", "./examples/withhold")
			} else {
				command, args, env := script(t, language, read(t, "examples/withhold/"+file), w.environment())
				run(t, "", env, command, args...)
			}
			var features []string
			for _, ev := range w.events(t) {
				features = append(features, ev.Feature)
				withheld := ev.Input.IsZero() && ev.Output.IsZero() && ev.ContentWithheld == "health"
				if withheld != (ev.Feature == "health") {
					t.Errorf("%s: content withheld: %t %q", ev.Feature, withheld, ev.ContentWithheld)
				}
			}
			slices.Sort(features)
			if !slices.Equal(features, []string{"health", "support"}) {
				t.Errorf("events of %v arrived", features)
			}
		})
	}
}

// missing skips a test for want of a program, which CI has to have.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}
