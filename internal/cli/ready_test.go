package cli_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

func TestReady(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("kafka: \x1b[2Jaway\nstore: away\n"))
	}))
	t.Cleanup(server.Close)
	if err := cli.Ready(t.Context(), server.URL); err != nil {
		t.Error(err)
	}
	for _, status = range []int{http.StatusServiceUnavailable, http.StatusFound} {
		if err := cli.Ready(t.Context(), server.URL+"/"); err == nil || !strings.HasSuffix(err.Error(), ": kafka: [2Jaway") {
			t.Errorf("%d: %v", status, err)
		}
	}
	server.Close()
	for _, base := range []string{server.URL, "127.0.0.1:1", "://"} {
		if err := cli.Ready(t.Context(), base); err == nil {
			t.Errorf("%s is ready", base)
		}
	}
}

func TestProbeURL(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		":8787": "http://127.0.0.1:8787", "0.0.0.0:1": "http://127.0.0.1:1", "[::]:2": "http://127.0.0.1:2",
		"127.0.0.1:3": "http://127.0.0.1:3", "[fe80::1]:4": "http://[fe80::1]:4", "worker:5": "http://worker:5",
		":http": "http://127.0.0.1:80", "worker:https": "http://worker:443", ":+81": "http://127.0.0.1:81",
		"127.0.0.1:0": "", "8787": "", "": "", ":": "", ":nosuchport": "", ":65536": "", ":-1": "",
	} {
		if got, err := cli.ProbeURL(t.Context(), listen); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", listen, got, err, want)
		}
	}
}
