package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// logEntry is what every line of a log has.
type logEntry struct {
	at         time.Time
	level, msg string
	text       string // the line
}

// readEntry reads one line in a format, or reports what is wrong with it.
func readEntry(line, format string) (e logEntry, err error) {
	e.text = line
	var at string
	if format == "json" {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			return e, err
		}
		at, _ = fields["time"].(string)
		e.level, _ = fields["level"].(string)
		e.msg, _ = fields["msg"].(string)
	} else {
		m := regexp.MustCompile(`^time=(\S+) level=(\w+) msg=("(?:[^"\\]|\\.)*"|\S+)( [\w.]+=("(?:[^"\\]|\\.)*"|\S*))*$`).FindStringSubmatch(line)
		if m == nil {
			return e, errors.New("it does not consist of keys and values")
		}
		at, e.level, e.msg = m[1], m[2], m[3]
		if text, err := strconv.Unquote(m[3]); err == nil {
			e.msg = text
		}
	}
	if e.at, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return e, err
	}
	if !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, e.level) || e.msg == "" {
		return e, fmt.Errorf("level %q, message %q", e.level, e.msg)
	}
	return e, nil
}

// TestEveryLineOfTheLogHasItsFormat runs workers as processes that cannot start, that live in
// trouble and that are ended: each line on standard error, also of libraries and the last
// one, is a line of the log in the chosen format, and a worker that does not end well says
// why at ERROR. Two things cannot be in it: a crash of Go's own, such as a panic that nothing
// recovers, and what Datadog's library says of DD_INSTRUMENTATION_TELEMETRY_ENABLED and
// DD_LOGGING_RATE when it cannot read them, because it reads them before the program begins.
func TestEveryLineOfTheLogHasItsFormat(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	secured, err := broker.Start(broker.Config{Topics: map[string]int32{"llm.requests.completed": 1}, Users: []broker.User{{Name: "worker", Password: "right", Mechanism: "PLAIN"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secured.Close)
	hanging := listen(t) // takes connections and answers nothing
	const evaluators = "evaluators: [{name: refusal, type: refusal}]\n"
	const noAgent = "datadog: {enabled: false}\n"
	const anyPort = "health: {listen: 127.0.0.1:0}\n"
	for name, row := range map[string]struct {
		args    []string
		config  string
		environ []string
		wait    string // message to wait for before signals are sent; empty: it ends by itself
		stop    []os.Signal
		code    int
		reason  string   // what the line at ERROR says in the end; empty: there is none
		also    []string // messages that have to be there
	}{
		"unknown flag":        {args: []string{"--nope"}, config: evaluators, code: cli.ExitUsage, reason: "unknown flag --nope"},
		"arguments":           {args: []string{"extra"}, config: evaluators, code: cli.ExitUsage, reason: "1 argument for evalworker run"},
		"no such file":        {args: []string{"--config", "nowhere.yaml"}, code: cli.ExitUsage, reason: "nowhere.yaml: cannot be read"},
		"no YAML":             {config: "a: [", code: cli.ExitUsage, reason: "worker.yaml:1:"},
		"unknown variable":    {config: evaluators, environ: []string{"EVALWORKER_KAFKA_TOPIK=a"}, code: cli.ExitUsage, reason: "EVALWORKER_KAFKA_TOPIK: unknown variable"},
		"faults":              {config: "kafka: {topik: a}\n" + evaluators, code: cli.ExitUsage, reason: "worker.yaml:1:9: kafka.topik: unknown key"},
		"port in use":         {config: evaluators + noAgent + "health: {listen: " + taken + "}\n", code: cli.ExitFailure, reason: "address already in use"},
		"no folder for store": {config: evaluators + noAgent + anyPort + "store: {url: \"sqlite:no/such/folder/cases.db\"}\n", code: cli.ExitFailure, reason: "create its folder first"},
		"login refused": {
			config:  evaluators + noAgent + anyPort + "kafka: {sasl: {mechanism: PLAIN, username: worker, password: wrong}}\n",
			environ: []string{"KAFKA_BROKERS=" + secured.Addr()},
			wait:    "Kafka does not let this worker in; trying again", stop: []os.Signal{syscall.SIGTERM},
		},
		"database down": {
			config: evaluators + noAgent + anyPort + "store: {url: \"postgres://user@127.0.0.1:1/cases\"}\n",
			wait:   "store is down: no events are taken until it is reachable", stop: []os.Signal{syscall.SIGTERM},
		},
		// Variables that Datadog's library cannot read are among the first things that it looks at.
		"libraries in trouble": {
			config: evaluators + anyPort + "kafka: {brokers: [\"127.0.0.1:1\"]}\ndatadog: {data_streams: true}\n",
			environ: []string{
				"DD_AGENT_HOST=127.0.0.1", "DD_TRACE_AGENT_PORT=1", "DD_DOGSTATSD_PORT=1", "DD_TRACE_SAMPLING_RULES={bad", "DD_TRACE_SAMPLE_RATE=abc", "DD_TRACE_PARTIAL_FLUSH_MIN_SPANS=-4",
				"DD_REMOTE_CONFIG_POLL_INTERVAL_SECONDS=x", "DD_TRACE_STARTUP_LOGS=true", "DD_TRACE_PROPAGATION_STYLE=foo", "DD_PROFILING_ENABLED=x",
			},
			wait: "group not joined; trying again", stop: []os.Signal{syscall.SIGHUP, syscall.SIGTERM},
			also: []string{"tracer reports"},
		},
		"second signal": {
			config: evaluators + noAgent + anyPort + "kafka: {brokers: [\"" + hanging + "\"]}\n",
			wait:   "worker starts", stop: slices.Repeat([]os.Signal{syscall.SIGTERM}, 2),
			code: 128 + int(syscall.SIGTERM), reason: "a second signal: the worker ends at once",
		},
	} {
		for _, format := range []string{"json", "text"} {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				if row.config != "" {
					if !strings.Contains(row.config, "store:") {
						row.config += "store: {url: \"sqlite:cases.db\"}\n"
					}
					text := row.config
					if name != "no YAML" {
						text += "log: {format: " + format + "}\n"
					}
					if err := os.WriteFile(filepath.Join(dir, "worker.yaml"), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				environ := append(slices.Clone(row.environ), "EVALWORKER_CONFIG=worker.yaml", "PATH="+os.Getenv("PATH"))
				if row.config == "" || name == "no YAML" {
					environ = append(environ, "EVALWORKER_LOG_FORMAT="+format)
				}
				entries, code := runToTheEnd(t, dir, format, append([]string{"run"}, row.args...), environ, row.wait, row.stop)
				if code != row.code {
					t.Errorf("exit code %d, want %d", code, row.code)
				}
				reasoned := slices.ContainsFunc(entries, func(e logEntry) bool {
					return e.level == "ERROR" && row.reason != "" && strings.Contains(e.text, row.reason)
				})
				if reasoned != (row.reason != "") {
					t.Errorf("no line at ERROR says %q", row.reason)
				}
				for _, msg := range row.also {
					if !slices.ContainsFunc(entries, func(e logEntry) bool { return e.msg == msg }) {
						t.Errorf("no line %q", msg)
					}
				}
				if t.Failed() {
					for _, e := range entries {
						t.Log(e.text)
					}
				}
			})
		}
	}
}

// runToTheEnd runs the program and returns the lines of its standard error and its exit code.
// With wait it is sent the signals when it has written that message, and then the last of
// them until it ends: a second one may come before the program listens for it.
func runToTheEnd(t *testing.T, dir, format string, args, environ []string, wait string, stop []os.Signal) (entries []logEntry, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0], cmd.Dir, cmd.Env = "evalworker", dir, environ // the test's binary acts as the program by whose name it is called
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		e, err := readEntry(lines.Text(), format)
		if err != nil {
			t.Errorf("%v: %s", err, lines.Text())
		}
		entries = append(entries, e)
		if wait == "" || e.msg != wait {
			continue
		}
		wait = ""
		go func() {
			for _, sig := range stop {
				_ = cmd.Process.Signal(sig) // it may have ended
			}
			if len(stop) < 2 || stop[0] != stop[1] {
				return
			}
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_ = cmd.Process.Signal(stop[len(stop)-1])
				case <-ended:
					return
				}
			}
		}()
	}
	err = cmd.Wait()
	close(ended)
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return entries, cmd.ProcessState.ExitCode()
}

// listen returns the address of a listener that accepts connections and answers nothing.
func listen(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// TestSignalDuringTheStart: a worker that is told to end before it has started has not failed.
func TestSignalDuringTheStart(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "worker.yaml")
	if err := os.WriteFile(config, []byte("evaluators: [{name: refusal, type: refusal}]\ndatadog: {enabled: false}\nhealth: {listen: 127.0.0.1:0}\nstore: {url: \"sqlite::memory:\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	log := newScreen()
	if code := run(ctx, []string{"run", "--config", config}, nil, newScreen(), log, nil); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	text := log.text.String()
	if strings.Contains(text, "ERROR") || !strings.Contains(text, `"level":"INFO","msg":"worker stopped before it had started"`) {
		t.Errorf("log:\n%s", text)
	}
}
