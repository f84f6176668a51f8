// Package recipes runs the programs of examples/ and the commands of docs/publish.md as
// their readers do: beside a stub of a model, a sidecar that is a process of its own, and a
// broker in the test.
//
//	EVALWORKER_TEST_RECIPES=1 go test ./test/recipes # installs packages from PyPI, npm and Maven
//
// Without the variable only what needs nothing but Go is run.
package recipes

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

const (
	root   = "../.."
	answer = "It leaves our warehouse today."
	// broken is a question that the stub of a model refuses.
	broken = "break"
)

// needsPackages skips a test that installs packages, unless it is asked for.
func needsPackages(t *testing.T) {
	t.Helper()
	if os.Getenv("EVALWORKER_TEST_RECIPES") == "" {
		t.Skip("set EVALWORKER_TEST_RECIPES=1 to install packages from PyPI, npm and Maven and run this")
	}
}

// envPrograms names the folder with evalworker and emitter, which TestMain builds once.
const envPrograms = "EVALWORKER_TEST_PROGRAMS"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if testing.Short() { // newWorld skips all tests that need them
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "recipes-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		build := exec.CommandContext(context.Background(), "go", "build", "-o", dir+string(filepath.Separator), "./cmd/evalworker", "./cmd/emitter")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, out)
			return 1
		}
		if err := os.Setenv(envPrograms, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// program returns the path of evalworker or emitter.
func program(name string) string { return filepath.Join(os.Getenv(envPrograms), name) }

// run runs a command to its end.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// process is a program that runs until it is stopped.
type process struct {
	cmd  *exec.Cmd
	read sync.WaitGroup // the goroutine that reads its output

	mu    sync.Mutex
	said  []string // the last lines of its output
	ended bool     // it was waited for
}

// start starts a program and waits until it prints a line with the text ready, which it
// returns.
func start(t *testing.T, dir string, env []string, ready, name string, args ...string) (*process, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)} // stop and kill end it
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its workers a group, which kill ends
	err = p.cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	found := make(chan string, 1)
	p.read.Go(func() {
		defer close(found)
		defer r.Close()
		seen := false
		for lines := bufio.NewScanner(r); lines.Scan(); {
			p.mu.Lock()
			p.said = append(p.said[max(0, len(p.said)-200):], lines.Text())
			p.mu.Unlock()
			if !seen && strings.Contains(lines.Text(), ready) {
				seen = true
				found <- lines.Text()
			}
		}
	})
	select {
	case line, ok := <-found:
		if ok {
			return p, line
		}
	case <-time.After(2 * time.Minute):
	}
	t.Fatalf("%s %s never said %q:\n%s", name, strings.Join(args, " "), ready, p.output())
	return nil, ""
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

// kill ends the process as a crash would, with all processes that it has started.
func (p *process) kill() {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	_ = p.cmd.Wait()                                      // the error says that it was killed
	p.read.Wait()
}

// stop sends SIGTERM and waits for the end of the process.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, p.kill)
	p.read.Wait()
	if !late.Stop() {
		t.Errorf("the process did not end within a minute of SIGTERM:\n%s", p.output())
	}
	p.mu.Lock()
	p.ended = true // with all that it started: they had its output, which is at its end
	p.mu.Unlock()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
}

// world is what an application that publishes has around it.
type world struct {
	broker  *broker.Broker
	model   *httptest.Server
	sidecar *process
	url     string // of the sidecar
}

// newWorld starts a broker, a stub of a model, and a sidecar.
func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts and ends processes")
	}
	w := &world{}
	var err error
	if w.broker, err = broker.Start(broker.Config{Topics: map[string]int32{emitter.DefaultTopic: 1}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.broker.Close)
	w.model = httptest.NewServer(modelserver.New(func(r modelserver.Request) modelserver.Reply {
		if r.User == broken {
			return modelserver.Reply{Status: 400, Content: "the stub was told to refuse this"}
		}
		return modelserver.Reply{Content: answer}
	}))
	t.Cleanup(w.model.Close)
	w.sidecar, w.url = startSidecar(t, w.broker.Addr(), filepath.Join(t.TempDir(), "spool"))
	return w
}

// startSidecar starts emitter serve on a free port and returns its address.
func startSidecar(t *testing.T, brokers, spool string, args ...string) (*process, string) {
	t.Helper()
	p, line := start(t, "", nil, "sidecar starts", program("emitter"),
		append([]string{"serve", "--listen", "127.0.0.1:0", "--brokers", brokers, "--spool-dir", spool}, args...)...)
	_, rest, _ := strings.Cut(line, `"addr":"`)
	addr, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("the sidecar does not say where it listens: %s", line)
	}
	return p, "http://" + addr
}

// environment is that of an application in this world.
func (w *world) environment() []string {
	return []string{
		"OPENAI_BASE_URL=" + w.model.URL + "/v1", "OPENAI_API_KEY=none",
		"EVALWORKER_URL=" + w.url, "EVALWORKER_TOKEN=", "EMITTER_TOKEN=", "KAFKA_BROKERS=" + w.broker.Addr(),
		"DD_TRACE_ENABLED=false", "NEXT_TELEMETRY_DISABLED=1", "CI=true",
	}
}

// events stops the sidecar, which sends what it holds, and returns the topic by request id.
func (w *world) events(t *testing.T) map[event.RequestID]event.Event {
	t.Helper()
	w.sidecar.stop(t)
	return topic(t, w.broker.Addr())
}

// topic returns what the topic holds now, by request id.
func topic(t *testing.T, addr string) map[event.RequestID]event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := kafka.DialLeader(ctx, "tcp", addr, emitter.DefaultTopic, 0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := conn.ReadLastOffset()
	_ = conn.Close()
	if err != nil {
		t.Fatal(err)
	}
	all := map[event.RequestID]event.Event{}
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{addr}, Topic: emitter.DefaultTopic, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 1 << 20,
	})
	for range last {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := event.Decode(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		all[ev.RequestID] = *ev
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// freePort returns a port of the loopback interface that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}
