package clients

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// runGunicorn serves a program with two forked workers, asks it for everything with the
// trace in the request's headers, and stops it with SIGTERM.
func runGunicorn(t *testing.T, w *world, p program, jobsFile, python string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "clients") // a socket's path must be short, and t.TempDir's is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "s")
	name := strings.TrimSuffix(filepath.Base(p.source), ".py")
	server := w.startWith(t, p.name, w.environment(p, jobsFile), python, "-m", "gunicorn.app.wsgiapp", "--workers", "2", "--threads", "4", "--preload",
		"--bind", "unix:"+socket, "--chdir", absolute(filepath.Dir(p.source)), name+":application")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	eventually(t, "gunicorn listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	var jobs []job
	text, err := os.ReadFile(jobsFile) //nolint:gosec // the test wrote it
	if err == nil {
		err = json.Unmarshal(text, &jobs)
	}
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan job, len(jobs))
	for _, j := range jobs {
		waiting <- j
	}
	close(waiting)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for j := range waiting {
				want := http.StatusOK
				if j.Kind == failing {
					want = http.StatusUnprocessableEntity
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://app/", strings.NewReader(j.Question))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Traceparent", j.Traceparent)
				resp, err := (&http.Client{Transport: transport}).Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode != want {
					t.Errorf("%s: status %d, want %d", j.Question, resp.StatusCode, want)
				}
			}
		})
	}
	users.Wait()
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	server.wait(t)
}
