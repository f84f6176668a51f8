package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

// TestPostgres: every command that writes or reads cases does so on a server, and
// none prints the password.
func TestPostgres(t *testing.T) {
	t.Parallel()
	url, ok := containers.UsePostgres(t)
	if !ok {
		t.Skip("needs a PostgreSQL")
	}
	separated := store.Config{URL: url}.Separated()
	password := separated.Password.Reveal()
	dir := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	command := func(code int, args ...string) string {
		t.Helper()
		var out, log strings.Builder
		if got := run(t.Context(), args, strings.NewReader(""), &out, &log, nil); got != code {
			t.Fatalf("%s: exit code %d, want %d\n%s%s", args[0], got, code, out.String(), log.String())
		}
		if text := out.String() + log.String(); password == "" || strings.Contains(text, password) {
			t.Errorf("%s prints the password, or there is none:\n%s", args[0], text)
		}
		return out.String() + log.String()
	}

	if got := command(cli.ExitFailure, "datasets", "list", "--store", url); !strings.Contains(got, "no such store") {
		t.Errorf("an empty database: %s", got)
	}
	var lines strings.Builder
	for i := range 3 {
		fmt.Fprintf(&lines, `{"event":"llm_request_completed","request_id":"r%d","input":"mail order %d to me","output":"sent to %s"}`+"\n", i, i, "ana@"+"example.com")
	}
	if got := command(cli.ExitOK, "eval", file("requests.ndjson", lines.String()), "--all", "--store", url); !strings.Contains(got, "kept in "+separated.URL+";") {
		t.Errorf("eval does not say where: %s", got)
	}
	var cases []datasets.Case
	if err := json.Unmarshal([]byte(command(cli.ExitOK, "datasets", "list", "--json", "--store", url)), &cases); err != nil || len(cases) != 1 || cases[0].Count != 3 {
		t.Fatalf("cases %+v, %v", cases, err)
	}
	if got := command(cli.ExitOK, "datasets", "show", cases[0].ID[:6], "--store", url); strings.Count(got, "sent to [EMAIL]") != 3 {
		t.Errorf("show: %s", got)
	}
	if got := command(cli.ExitOK, "datasets", "export", "--format", "csv", "--store", url); strings.Count(got, cases[0].ID) != 3 {
		t.Errorf("export: %s", got)
	}
	if got := command(cli.ExitOK, "datasets", "list", "--store", url); !strings.Contains(got, "--cause "+cases[0].Cause[:8]+" --store '"+separated.URL+"'") {
		t.Errorf("list of causes: %s", got)
	}
	if got := command(cli.ExitOK, "datasets", "list", "--cause", cases[0].Cause, "--store", url); !strings.Contains(got, "3 failures in 1 case") || !strings.Contains(got, "mail order ") {
		t.Errorf("list of a cause: %s", got)
	}
	if got := command(cli.ExitOK, "datasets", "status", cases[0].ID[:6], "confirmed", "--store", url); !strings.Contains(got, "confirmed, was candidate") {
		t.Errorf("status: %s", got)
	}
	if got := command(cli.ExitUsage, "datasets", "list", "--prompt-version", "v9", "--store", url); !strings.Contains(got, "no case names one") {
		t.Errorf("an unknown version: %s", got)
	}
	// The password from a file, the rest from the configuration.
	config := file("evalworker.yaml", fmt.Sprintf("store: {url: %q, password_file: key}\n", separated.URL))
	file("key", password+"\n")
	if got := command(cli.ExitOK, "datasets", "list", "--config", config); !strings.Contains(got, cases[0].Cause[:8]) {
		t.Errorf("list with a configuration: %s", got)
	}
	file("key", "guess\n")
	if got := command(cli.ExitFailure, "datasets", "list", "--config", config); strings.Count(got, "\n") != 1 || !strings.Contains(got, "refuses the user or its password") {
		t.Errorf("a wrong password: %s", got)
	}
}
