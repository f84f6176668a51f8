package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// canaries are texts that redaction knows, which no file of the repository holds.
func canaries() []string {
	return []string{
		"canary.person" + "@" + "example.com",
		strings.Join([]string{"4539", "1488", "0343", "6467"}, " "),
		"sk-" + strings.Repeat("aB3dE5fG", 4),
		strings.Join([]string{"+49", "30", "901820"}, " "),
	}
}

// canaryEvents are events with a canary in each field of the content, in the forms of
// providers, and in fields that evalworker does not know.
func canaryEvents(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	n := 0
	for _, c := range canaries() {
		quoted, err := json.Marshal("Write to " + c + " now.")
		if err != nil {
			t.Fatal(err)
		}
		s := string(quoted)
		for _, fields := range []string{
			`"input":` + s, `"output":` + s, `"expected":` + s, `"comment":` + s, `"tools":[{"name":"a","description":` + s + `}]`, `"messages":[{"role":"user","content":` + s + `}]`,
			`"retrieval":{"query":` + s + `,"index":` + s + `,"chunks":[{"id":` + s + `,"text":` + s + `}]}`, `"contexts":[` + s + `]`,
			`"tool_calls":[{"name":` + s + `,"arguments":{"to":` + s + `},"result":` + s + `,"status":` + s + `}]`,
			`"tool_calls":[{"type":"function","function":{"name":"a","arguments":"{\"to\":\"` + c + `\"}"}}]`,
			`"output":{"role":"assistant","content":[{"type":"text","text":` + s + `},{"type":"tool_use","id":"t","name":"a","input":{"to":` + s + `}}]}`,
			`"output":{"object":"response","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":` + s + `}]}]}`,
			`"output":{"candidates":[{"content":{"role":"model","parts":[{"text":` + s + `}]},"finishReason":"STOP"}]}`,
			`"output":{"choices":[{"index":0,"message":{"role":"assistant","content":` + s + `},"finish_reason":"stop"}]}`,
			`"output":{"output":{"message":{"role":"assistant","content":[{"text":` + s + `}]}},"stopReason":"end_turn"}`,
			`"response":{"choices":[{"message":{"role":"assistant","content":` + s + `},"finish_reason":"stop"}]}`,
			`"choices":[{"index":0,"message":{"role":"assistant","content":` + s + `},"finish_reason":"stop"}]`,
			`"request":{"model":"m","messages":[{"role":"user","content":` + s + `}]}`,
			`"feature":` + s, `"prompt_name":` + s, `"user_rating":` + s, `"mine":` + s, `"metadata":{"to":` + s + `}`,
			`"input":` + strings.Repeat("[", 200) + s + strings.Repeat("]", 200), // too deep to be redacted
			`"input":"` + c + strings.Repeat(" word", 300_000) + `"`,             // too large to be published
		} {
			n++
			fmt.Fprintf(&lines, `{"event":"llm_request_completed","request_id":"r%d","input_tokens":7,%s}`+"\n", n, fields)
		}
	}
	return lines.String()
}

// values returns what a topic with two partitions holds: keys, headers and values.
func values(t *testing.T, addr string) (whole []byte, events []*event.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for p := range 2 {
		conn, err := kafka.DialLeader(ctx, "tcp", addr, topic, p)
		if err != nil {
			t.Fatal(err)
		}
		last, err := conn.ReadLastOffset()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 4 << 20})
		for range last {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := event.Decode(m.Value)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, ev)
			whole = append(append(whole, m.Key...), m.Value...)
			for _, h := range m.Headers {
				whole = append(whole, h.Value...)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return whole, events
}

// checkRedacted checks that every event has arrived with its measures, and no canary.
func checkRedacted(t *testing.T, addr string, want int) {
	t.Helper()
	whole, events := values(t, addr)
	for _, c := range canaries() {
		for _, form := range []string{c, strings.ReplaceAll(c, " ", ""), strings.ReplaceAll(c, "@", `\u0040`)} {
			if at := bytes.Index(whole, []byte(form)); at >= 0 {
				t.Errorf("%s has reached the broker: %.200s", c, whole[max(0, at-100):])
			}
		}
	}
	withheld := map[string]int{}
	for _, e := range events {
		withheld[e.ContentWithheld]++
		if e.InputTokens == nil || *e.InputTokens != 7 {
			t.Errorf("%s has lost its measures", e.RequestID)
		}
	}
	if n := len(canaries()); len(events) != want || withheld[event.WithheldNotRedacted] != n || withheld[event.WithheldTooLarge] != n {
		t.Errorf("%d events, want %d; without content: %v, want %d of each", len(events), want, withheld, n)
	}
}

// TestSendRedacted: with --redact no canary reaches the broker, wherever it stands.
func TestSendRedacted(t *testing.T) {
	t.Parallel()
	addr, lines := embedded(t), canaryEvents(t)
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"send", "--redact", "--brokers", addr, "-"}, strings.NewReader(lines), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	n := strings.Count(lines, "\n")
	if want := fmt.Sprintf("sent %d of %d lines to %s, %d without content\n", n, n, topic, 2*len(canaries())); stdout.String() != want {
		t.Errorf("%s, want %s", &stdout, want)
	}
	checkRedacted(t, addr, n)
}

// TestServeRedacted: with --redact no canary reaches the broker, nor the spool.
func TestServeRedacted(t *testing.T) {
	t.Parallel()
	addr, lines, dir := embedded(t), canaryEvents(t), t.TempDir()
	s := serve(t, "--redact", "--max-body-bytes", "20000000", "--brokers", addr, "--spool-dir", dir)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	if status, err := post(t.Context(), &http.Client{Transport: tr}, s.url, lines); status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // a segment that has been sent
		}
		for _, c := range canaries() {
			if bytes.Contains(data, []byte(c)) {
				t.Errorf("%s is in the spool", c)
			}
		}
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	checkRedacted(t, addr, strings.Count(lines, "\n"))
}

// TestSendAPicture: an event with a picture of two megabytes arrives with all but the
// picture's bytes.
func TestSendAPicture(t *testing.T) {
	t.Parallel()
	addr := embedded(t)
	picture := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("picture"), 300_000))
	line := `{"event":"llm_request_completed","request_id":"r","mine":1,"input":[{"role":"user","content":[{"type":"text","text":"Look."},` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}}]}]}`
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"send", "--brokers", addr, "-"}, strings.NewReader(line), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	whole, events := values(t, addr)
	if len(events) != 1 || events[0].Input.Text() != "user: Look.\n[image, 2 MB]" || events[0].ContentWithheld != "" || !bytes.Contains(whole, []byte(`"mine":1`)) {
		t.Errorf("%.500s", whole)
	}
}

// TestRedactConfig: the section of the worker's configuration rules, and what cannot be
// read of it stops the command before anything is sent.
func TestRedactConfig(t *testing.T) {
	t.Parallel()
	mail := canaries()[0]
	for name, c := range map[string]struct {
		config string
		output string // that is sent
		stderr string // without an output
	}{
		"patterns":    {"kafka: {topic: other}\nredaction:\n  keep: [email]\n  patterns: [{name: CASE, pattern: 'C-[0-9]+'}]\n", mail + " about [CASE]", ""},
		"no section":  {"kafka: {topic: other}\n", "", "has no section redaction"},
		"disabled":    {"redaction: {disabled: true}\n", "", "disables redaction"},
		"unknown key": {"redaction: {kind: [email]}\n", "", "redaction.kind"},
		"bad pattern": {"redaction: {patterns: [{name: x, pattern: '('}]}\n", "", "redaction.patterns[0]"},
		"no YAML":     {"redaction: [\n", "", "1:"},
		"no file":     {"", "", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "evalworker.yaml")
			if c.config != "" {
				if err := os.WriteFile(file, []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			addr := embedded(t)
			in := strings.NewReader(`{"event":"llm_request_completed","request_id":"r","output":"` + mail + ` about C-77"}`)
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"send", "--redact-config", file, "--brokers", addr, "-"}, in, &stdout, &stderr)
			_, events := values(t, addr)
			switch {
			case c.output == "":
				if code != 2 || len(events) != 0 || !strings.Contains(stderr.String(), c.stderr) || strings.Contains(stderr.String(), mail) {
					t.Errorf("exit code %d, %d events: %s", code, len(events), &stderr)
				}
			case code != 0 || len(events) != 1 || events[0].Output.Text() != c.output:
				t.Errorf("exit code %d: %s; sent %d", code, &stderr, len(events))
			}
		})
	}
}
