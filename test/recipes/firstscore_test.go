package recipes

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write into docs/publish.md what its commands print")

// TestFirstScore runs every command of docs/publish.md in one shell, from the first to the
// last, and compares what it prints. Only ports and the folder /tmp/first are others, and
// pauses are replaced by waiting for what they wait for.
func TestFirstScore(t *testing.T) {
	t.Parallel()
	needsPackages(t)
	const page = "docs/publish.md"
	type command struct{ line, want string }
	var commands []command
	for _, b := range blocks(t, page) {
		if b.language != "console" {
			continue
		}
		for line := range strings.Lines(b.text) {
			if text, ok := strings.CutPrefix(line, "$ "); ok {
				commands = append(commands, command{line: strings.TrimSuffix(text, "\n")})
			} else if len(commands) > 0 {
				commands[len(commands)-1].want += line
			}
		}
	}
	folder, port := filepath.Join(t.TempDir(), "first"), freePort(t)
	elsewhere := strings.NewReplacer("/tmp/first", folder, "9092", freePort(t), "8787", freePort(t),
		"emitter serve", "emitter serve --listen 127.0.0.1:"+port)
	home := strings.NewReplacer(folder, "/tmp/first", abs(t, root)+"/", "/home/you/evalworker/")

	var script bytes.Buffer
	for i, c := range commands {
		line := elsewhere.Replace(c.line)
		if c.line == "sleep 2" {
			prompt := commands[i+1].line[strings.LastIndex(commands[i+1].line, " ")+1:]
			line = elsewhere.Replace(fmt.Sprintf(`for i in $(seq 300); do
  [ "$(curl -s http://127.0.0.1:8787/metrics | grep -c 'llm_eval_count.*reply_format.*%s')" = 2 ] && %s >/dev/null 2>&1 && break
  sleep 0.1
done`, prompt, commands[i+1].line))
		}
		fmt.Fprintf(&script, "echo @@%d\n%s\n", i, line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash")
	shell.Dir, shell.Stdin = root, &script
	shell.Env = append(os.Environ(), "EVALWORKER_URL=http://127.0.0.1:"+port, "EVALWORKER_TOKEN=", "OPENAI_API_KEY=", "OPENAI_BASE_URL=", "NO_COLOR=1")
	for _, name := range []string{"DD_SERVICE", "DD_ENV", "DD_VERSION", "DD_AGENT_HOST", "DD_TRACE_AGENT_URL", "EVALWORKER_CONFIG"} {
		shell.Env = append(shell.Env, name+"=")
	}
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	out, err := shell.CombinedOutput()
	_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // what a failed script has left
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	text := read(t, page)
	printed := regexp.MustCompile(`(?m)^@@(\d+)\n`).Split("\n"+home.Replace(string(out)), -1)[1:]
	if len(printed) != len(commands) {
		t.Fatalf("%d of %d commands were run:\n%s", len(printed), len(commands), out)
	}
	for i, c := range commands {
		if times.ReplaceAllString(printed[i], "") == times.ReplaceAllString(c.want, "") {
			continue
		}
		if *update {
			text = strings.Replace(text, "$ "+c.line+"\n"+c.want, "$ "+c.line+"\n"+printed[i], 1)
			continue
		}
		t.Errorf("%s prints\n%s\nand the page says\n%s", c.line, printed[i], c.want)
	}
	if *update {
		if err := os.WriteFile(filepath.Join(root, page), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the last command has left %s: %v", folder, err)
	}
}

// times are the times that a list of cases has.
var times = regexp.MustCompile(`\d\d-\d\d \d\d:\d\d`)

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
