package sidecar

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/sidecar/spool"
)

// A disk that is too slow to answer in time is like one that cannot be written: all
// requests get 503, and the status must show why.
func TestADiskThatHangsIsSeen(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, spool.Config{}, nil)
	w.cfg.RequestTimeout = -1 // measured by that, every disk hangs
	for tries := 0; ; tries++ {
		resp := request{body: newEvent("late")}.do(t, w.handler())
		if resp.Code == http.StatusServiceUnavailable {
			break
		}
		if tries > 100 {
			t.Fatalf("answered %d each time", resp.Code)
		}
	}
	st := w.Status()
	if st.State != "disk_trouble" || !strings.Contains(st.Spool.LastError, "has not answered for") {
		t.Errorf("state %q, last error %q", st.State, st.Spool.LastError)
	}
	if resp := (request{method: http.MethodGet, path: "/readyz"}).do(t, w.handler()); resp.Code != http.StatusServiceUnavailable {
		t.Errorf("ready: %d %s", resp.Code, resp.Body)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(w.logs.String(), "spool cannot be written"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, w.logs)
	}
	w.balance(t) // also with what was written after its answer
}

// A client that closes its half of the connection after its request, as nc -N does,
// still gets its answer.
func TestAClientMayCloseItsHalf(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, spool.Config{}, nil)
	body := newEvent("half")
	for range 20 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if code, answer := status(t, conn); code != http.StatusAccepted {
			t.Fatalf("%d %s", code, answer)
		}
	}
}
