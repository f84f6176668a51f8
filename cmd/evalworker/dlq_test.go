package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// dlqWorld is a broker with one topic, and a configuration that a test changes.
type dlqWorld struct {
	t      *testing.T
	broker *broker.Broker
	config string
	dir    string
}

func newDeadWorld(t *testing.T) *dlqWorld {
	t.Helper()
	broker, err := broker.Start(broker.Config{Topics: map[string]int32{"llm.requests.completed": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	dir := t.TempDir()
	w := &dlqWorld{t: t, broker: broker, dir: dir, config: filepath.Join(dir, "evalworker.yaml")}
	w.configure(4 << 20)
	return w
}

// configure says how large a message may be.
func (w *dlqWorld) configure(maxBytes int) {
	w.t.Helper()
	text := fmt.Sprintf(`kafka: {group: dead, brokers: [%q], max_message_bytes: %d, session_timeout: 5s}
evaluators:
  - {name: refusal, type: refusal}
store: {url: %q}
datadog: {enabled: false}
health: {listen: 127.0.0.1:0}
log: {level: debug}
`, w.broker.Addr(), maxBytes, "sqlite:"+filepath.Join(w.dir, "cases.db"))
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// publish writes values with request ids r0, r1 and so on as keys.
func (w *dlqWorld) publish(values ...string) {
	w.t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	out := &kafka.Writer{Addr: kafka.TCP(w.broker.Addr()), Topic: "llm.requests.completed", Transport: transport, RequiredAcks: kafka.RequireAll}
	defer out.Close()
	for i, v := range values {
		m := kafka.Message{Key: fmt.Appendf(nil, "r%d", i), Value: []byte(v), Headers: []kafka.Header{{Key: "note", Value: []byte("mail ana@example.com")}}}
		if err := out.WriteMessages(w.t.Context(), m); err != nil {
			w.t.Fatal(err)
		}
	}
}

// work runs a worker until it has finished a number of events, and returns its
// accounting.
func (w *dlqWorld) work(events int64) app.Accounting {
	w.t.Helper()
	ctx, terminate := context.WithCancel(w.t.Context())
	defer terminate()
	log, ended := newScreen(), make(chan int, 1)
	var program sync.WaitGroup
	program.Go(func() { ended <- run(ctx, []string{"run", "--config", w.config}, nil, log, log, nil) })
	health := "http://" + log.await(w.t, regexp.MustCompile(`"msg":"worker starts".*"health":"([^"]+)"`), ended)[1]
	account := consumed(w.t, health, events)
	terminate()
	program.Wait()
	if code := <-ended; code != cli.ExitOK {
		w.t.Errorf("the worker's exit code is %d", code)
	}
	return account
}

// dlq runs a subcommand of dlq and checks its exit code.
func (w *dlqWorld) dlq(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	got, stdout, stderr := call(w.t, append(append([]string{"dlq"}, args...), "--config", w.config)...)
	if got != code {
		w.t.Errorf("dlq %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

func has(t *testing.T, what, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("%s lacks %s:\n%s", what, p, text)
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > tableWidth && regexp.MustCompile(`^\d:\d `).MatchString(line) {
			t.Errorf("%s: a line of %d characters: %s", what, n, line)
		}
	}
}

// TestDLQ plays an incident: two events die, one of them because the worker's
// limit is too low. The limit is mended, and the event that can be saved is.
func TestDLQ(t *testing.T) {
	t.Parallel()
	w := newDeadWorld(t)
	if out, errs := w.dlq(cli.ExitOK, "list"); out != "" || errs != "no dead letters: topic llm.requests.completed.dead does not exist yet\n" {
		t.Errorf("before the first death: %q, %q", out, errs)
	}
	if out, _ := w.dlq(cli.ExitOK, "list", "--count", "--json"); out != `{"letters":0,"redriven":0,"reasons":[]}`+"\n" {
		t.Errorf("count before the first death: %q", out)
	}
	if out, errs := w.dlq(cli.ExitOK, "redrive", "--all"); out != "" || !strings.HasPrefix(errs, "no dead letters: ") {
		t.Errorf("redrive before the first death: %q, %q", out, errs)
	}
	w.configure(1 << 10)
	secret := "Write to bob@example.com. " + strings.Repeat("Long. ", 400)
	value, err := json.Marshal(event.Event{Kind: event.KindRequestCompleted, RequestID: "r1", Output: event.Text(secret)})
	if err != nil {
		t.Fatal(err)
	}
	w.publish(`{"event":"llm_request_completed","request_id":"r0","output":"fine"}`, string(value), `{"event":"llm_request_completed","output":"for cleo@example.com"}`)
	if a := w.work(3); a.Evaluated != 1 || a.DeadLettered != 2 {
		t.Fatalf("accounting: %+v", a)
	}

	out, _ := w.dlq(cli.ExitOK, "list")
	has(t, "list", out, `(?m)^\d:\d  .* too_large +0:1 +0 +r1 +\d+ bytes, of which 1024 are`, `(?m)^\d:\d  .* malformed +0:2 +0 +r2 +missing request_id$`,
		`(?m)^2 dead letters: 1 malformed, 1 too_large$`)
	lines, _ := w.dlq(cli.ExitOK, "list", "--json", "--reason", "too_large")
	var line struct {
		ID     string
		Origin struct{ Offset int64 }
	}
	if err := json.Unmarshal([]byte(lines), &line); err != nil || line.Origin.Offset != 1 {
		t.Fatalf("list --json: %v\n%s", err, lines)
	}
	// A key may be written as a table shows a long one.
	for key, want := range map[string]int{"r1": 1, "r…": 2, "r1...": 1, "1…": 0, "r": 0} {
		if lines, _ := w.dlq(cli.ExitOK, "list", "--json", "--key", key); strings.Count(lines, "\n") != want {
			t.Errorf("list --key %s: %q, want %d letters", key, lines, want)
		}
	}
	count, _ := w.dlq(cli.ExitOK, "list", "--count", "--json")
	has(t, "count", count, `^\{"letters":2,"redriven":0,"reasons":\[\{"reason":"malformed","letters":1,`)
	table, _ := w.dlq(cli.ExitOK, "list", "--count")
	has(t, "count", table, `(?m)^reason +letters +oldest +newest\nmalformed +1 +20`)

	show, _ := w.dlq(cli.ExitOK, "show", line.ID)
	has(t, "show", show, `(?m)^reason: too_large$`, `(?m)^origin: llm.requests.completed 0:1 \(still there\)$`, `(?m)^key: r1$`,
		`(?m)^a redrive would be refused: it would die again: too_large: \d+ bytes, and kafka.max_message_bytes is 1024$`, `(?m)^  note: \(20 bytes\)$`)
	object, _ := w.dlq(cli.ExitOK, "show", line.ID, "--json")
	has(t, "show --json", object, `"in_origin":"there","would_die_of":"too_large: `)
	quiet := out + lines + count + table + show + object
	content, _ := w.dlq(cli.ExitOK, "show", line.ID, "--content")
	has(t, "show --content", content, `(?m)^  note: mail \[EMAIL\]$`, `Write to \[EMAIL\]\. Long\.`)
	redacted, _ := w.dlq(cli.ExitOK, "show", line.ID, "--content", "--json")
	has(t, "show --content --json", redacted, `"value":"\{.*Write to \[EMAIL\]`)
	if raw, _ := w.dlq(cli.ExitOK, "show", line.ID, "--raw"); raw != string(value) {
		t.Errorf("show --raw: %d bytes, want %d", len(raw), len(value))
	}
	if _, errs := w.dlq(cli.ExitFailure, "show", strings.Replace(line.ID, ":0", ":9", 1)); errs != "evalworker: no such letter 0:9: partition 0 of llm.requests.completed.dead holds the offsets 0 to 0\n" {
		t.Errorf("show 0:9: %q", errs)
	}

	// Before the limit is mended nothing is redriven.
	dry, errs := w.dlq(cli.ExitFailure, "redrive", "--all")
	has(t, "redrive before the mend", dry, `(?m)^0 letters redriven, 2 refused$`)
	has(t, "redrive before the mend", errs, `^evalworker: 2 letters were refused\n$`)

	w.configure(1 << 20)
	dry, _ = w.dlq(cli.ExitOK, "redrive", "--reason", "too_large", "--dry-run")
	has(t, "dry run", dry, `^\d:\d would go to llm.requests.completed/0, redrive 1\n1 letter would be redriven, 0 refused\n$`)
	done, _ := w.dlq(cli.ExitOK, "redrive", "--reason", "too_large", "--json")
	has(t, "redrive", done, `^\{"id":"\d:\d","action":"redriven"\}\n$`)
	again, _ := w.dlq(cli.ExitOK, "redrive", "--reason", "too_large")
	has(t, "second redrive", again, `^0 letters redriven, 0 refused; 1 redriven before\n$`)
	if a := w.work(1); a.Consumed != 1 || a.Evaluated != 1 {
		t.Errorf("accounting after the redrive: %+v", a)
	}
	out, _ = w.dlq(cli.ExitOK, "list")
	has(t, "list", out, `(?m)^1 dead letter: 1 malformed\n1 more was redriven; --redriven lists it too\n`)
	shown, _ := w.dlq(cli.ExitOK, "list", "--redriven")
	has(t, "list --redriven", shown, `(?m)^\d:\d  .* too_large +0:1 +0 done +r1 `, `(?m)^2 dead letters: 1 malformed, 1 too_large\n1 of them was redriven: marked done\n`)
	few, _ := w.dlq(cli.ExitOK, "list", "--redriven", "--limit", "1")
	has(t, "list --redriven --limit", few, `(?m)^2 dead letters: 1 malformed, 1 too_large\n1 of them shown\n1 of them was redriven: marked done\n`)
	count, _ = w.dlq(cli.ExitOK, "list", "--redriven", "--count", "--json")
	has(t, "list --redriven --count", count, `^\{"letters":2,"redriven":1,"reasons":\[\{"reason":"malformed","letters":1,.*"reason":"too_large","letters":1,`)
	table, _ = w.dlq(cli.ExitOK, "list", "--redriven", "--count")
	has(t, "list --redriven --count", table, `(?m)^malformed +1 +20.*\ntoo_large +1 +20`)
	count, _ = w.dlq(cli.ExitOK, "list", "--count", "--json")
	has(t, "list --count", count, `^\{"letters":1,"redriven":1,"reasons":\[\{"reason":"malformed","letters":1,[^{]*\]\}\n$`)
	for _, secret := range []string{"bob@", "cleo@", "ana@", "Long."} {
		if strings.Contains(quiet+dry+done+again+out+shown, secret) {
			t.Errorf("content (%s) was printed without being asked for", secret)
		}
	}
}

// TestNobodyNamedABroker: without a configuration the error says that there is none;
// with one, or where something else went wrong, it does not.
func TestNobodyNamedABroker(t *testing.T) {
	t.Parallel()
	unreached := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	const hint = "; there is no evalworker.yaml here, so the default broker was asked: name a configuration with --config, or set KAFKA_BROKERS"
	for _, tt := range []struct {
		name    string
		err     error
		environ []string
		config  string
		want    string
	}{
		{"nothing named", unreached, nil, "", unreached.Error() + hint},
		{"another fault", errors.New("no such letter"), nil, "", "no such letter"},
		{"a variable", unreached, []string{"KAFKA_BROKERS=kafka:9092"}, "", unreached.Error()},
		{"a file", unreached, nil, "some.yaml", unreached.Error()},
	} {
		g := &globals{environ: tt.environ}
		g.configPath = tt.config
		if got := explainUnreached(g, tt.err); got.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
	if err := explainUnreached(&globals{}, nil); err != nil {
		t.Errorf("without a fault: %v", err)
	}
}

// TestDLQHostile: a hostile message in the topic neither controls the terminal nor
// breaks a line.
func TestDLQHostile(t *testing.T) {
	t.Parallel()
	w := newDeadWorld(t)
	if err := w.broker.CreateTopic("llm.requests.completed.dead", 1); err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	out := &kafka.Writer{Addr: kafka.TCP(w.broker.Addr()), Topic: "llm.requests.completed.dead", Transport: transport, RequiredAcks: kafka.RequireAll}
	defer out.Close()
	evil := []byte("\x1b[2J\n\xff" + strings.Repeat("w", 300))
	h := func(key string) kafka.Header { return kafka.Header{Key: key, Value: evil} }
	if err := out.WriteMessages(t.Context(), kafka.Message{Key: evil, Value: evil, Headers: []kafka.Header{
		h("evalworker-reason"), h("evalworker-error"), h("evalworker-origin-topic"), h("\x1b[1m"), h("feature"),
		{Key: "evalworker-origin-partition", Value: []byte("0")},
		{Key: "evalworker-origin-offset", Value: []byte("0")},
	}}); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, args := range [][]string{{"list"}, {"list", "--count"}, {"list", "--json"}, {"show", "0:0"}, {"show", "0:0", "--content"}, {"show", "0:0", "--json", "--content"}} {
		text, _ := w.dlq(cli.ExitOK, args...)
		has(t, strings.Join(args, " "), text)
		all.WriteString(text)
	}
	refused, _ := w.dlq(cli.ExitFailure, "redrive", "--all")
	all.WriteString(refused)
	if bytes.ContainsRune(all.Bytes(), 0x1b) {
		t.Errorf("an escape sequence is printed: %q", all.String())
	}
}
