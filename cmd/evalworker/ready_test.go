package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestReadyExitCodes: a probe of a container ends with 0 or 1, whatever the configuration
// holds, and says what is in the way. Only a wrong command line is 2.
func TestReadyExitCodes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		config string // empty: there is no such file
		args   []string
		code   int
		says   string
	}{
		"ready":            {`health: {listen: "` + server.Listener.Addr().String() + `"}`, nil, cli.ExitOK, ""},
		"faults elsewhere": {`{health: {listen: "` + server.Listener.Addr().String() + `"}, evaluators: 7}`, nil, cli.ExitOK, ""},
		"nobody there":     {`health: {listen: "` + closed.Addr().String() + `"}`, nil, cli.ExitFailure, "not ready: "},
		"unknown port":     {`health: {listen: ":nosuchport"}`, nil, cli.ExitFailure, `health.listen: "nosuchport" is not a port`},
		"any port":         {`health: {listen: ":0"}`, nil, cli.ExitFailure, "any that is free"},
		"no server":        {`health: {listen: ""}`, nil, cli.ExitFailure, "health.listen is empty"},
		"a list":           {`health: {listen: [1]}`, nil, cli.ExitFailure, "health.listen: got a list; want a string; name the server with --url"},
		"no YAML":          {`nonsense: [`, nil, cli.ExitFailure, "no address to ask: "},
		"no file":          {"", nil, cli.ExitFailure, "cannot be read"},
		"wrong use":        {"{}", []string{"--bogus"}, cli.ExitUsage, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "evalworker.yaml")
			if tt.config != "" {
				if err := os.WriteFile(path, []byte(tt.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, stdout, stderr := call(t, append([]string{"ready", "--config", path}, tt.args...)...)
			if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.says) || strings.Count(stderr, "\n") > 1 && code != cli.ExitUsage {
				t.Errorf("exit code %d, %q, %q; want %d and %q", code, stdout, stderr, tt.code, tt.says)
			}
		})
	}
}
