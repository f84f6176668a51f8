package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/testkit/crowd"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// half connects and sends a request without the last byte of its body; it waits until
// that is in flight.
func half(t *testing.T, w *world, body string) net.Conn {
	t.Helper()
	conn := sendHalf(t, w, body)
	for w.Status().Requests.InFlight == 0 { // only this counter shows it
		runtime.Gosched()
	}
	return conn
}

// sendHalf is half for a request that may be cut off before anybody sees it in flight.
func sendHalf(t *testing.T, w *world, body string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)-1]); err != nil {
		t.Fatal(err)
	}
	return conn
}

func status(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestASlowRequestIsCutOff: a request whose body does not end frees its slot.
func TestASlowRequestIsCutOff(t *testing.T) {
	t.Parallel()
	w := start(t, Config{RequestTimeout: 200 * time.Millisecond, Concurrency: 1}, spool.Config{}, nil)
	conn := sendHalf(t, w, newEvent("a"))
	if code, body := status(t, conn); code != http.StatusBadRequest || !strings.Contains(body, "cannot be read to its end") {
		t.Errorf("%d %s", code, body)
	}
	for w.Status().Requests.InFlight > 0 {
		runtime.Gosched()
	}
	w.cfg.RequestTimeout = time.Minute // the next one's body and disk are not the subject
	if resp := (request{body: newEvent("b")}).do(t, w.handler()); resp.Code != http.StatusAccepted {
		t.Errorf("the next one: %d %s", resp.Code, resp.Body)
	}
}

// TestStopLetsRequestsFinish: a stop lets a request finish, and sends its event.
func TestStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, spool.Config{}, nil)
	body := newEvent("a")
	conn := half(t, w, body)
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	for w.Status().State != "stopping" {
		runtime.Gosched()
	}
	if _, err := io.WriteString(conn, body[len(body)-1:]); err != nil {
		t.Fatal(err)
	}
	if code, answer := status(t, conn); code != http.StatusAccepted {
		t.Errorf("%d %s", code, answer)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if got := w.cluster.ids(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("sent %v", got)
	}
	w.balance(t)
}

// TestProbesAreAnswered: whatever clients do with their connections, without a token
// and when there is none.
func TestProbesAreAnswered(t *testing.T) {
	t.Parallel()
	for _, token := range []secret.String{"", secret.String(strings.Repeat("canary", 4))} {
		for _, size := range []int{64, minConns + 64} {
			for name, says := range crowd.Manners("/v1/events") {
				t.Run(fmt.Sprintf("%s/%d/%t", name, size, token != ""), func(t *testing.T) {
					w := start(t, Config{Token: token, Grace: time.Millisecond}, spool.Config{}, nil)
					defer func() {
						if err := w.stop(); err != nil {
							t.Error(err)
						}
					}()
					defer crowd.Gather(t.Context(), w.Addr(), size, says)()
					for range 10 {
						for _, path := range []string{"/livez", "/readyz"} {
							if err := crowd.Probe(t.Context(), w.Addr(), path, 20*time.Second); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
		}
	}
}

// TestConnectionsAreKept: an application publishes event after event on one connection.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, spool.Config{}, nil)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for range 3 {
		body := newEvent("a")
		if _, err := fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
		if code, answer := status(t, conn); code != http.StatusAccepted {
			t.Fatalf("%d %s", code, answer)
		}
	}
}

// TestARejectionWaitsForTheEndOfTheBody: clients that write all of a request before
// they read, as Python's urllib does, see a connection that was reset when the answer
// comes before the end of the body.
func TestARejectionWaitsForTheEndOfTheBody(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Concurrency: 1, Grace: time.Millisecond}, spool.Config{}, nil)
	body := strings.Repeat("x", 16<<20) // more than the system buffers
	post := func(header string) (int, error) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, err = fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
		if err != nil {
			return 0, err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	for header, want := range map[string]int{
		"":                               http.StatusRequestEntityTooLarge,
		"Content-Encoding: gzip\r\n":     http.StatusRequestEntityTooLarge,
		"Content-Type: text/plain\r\n":   http.StatusUnsupportedMediaType,
		"Sec-Fetch-Site: cross-site\r\n": http.StatusForbidden,
	} {
		if code, err := post(header); code != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", header, code, err, want)
		}
	}
	half(t, w, newEvent("a"))
	if code, err := post(""); code != http.StatusTooManyRequests || err != nil {
		t.Errorf("too many: %d, %v", code, err)
	}
}

// TestARejectionDoesNotWaitForABodyThatIsNotSent: a client that asks first whether to
// send its body is answered at once.
func TestARejectionDoesNotWaitForABodyThatIsNotSent(t *testing.T) {
	t.Parallel()
	w := start(t, Config{RequestTimeout: time.Hour}, spool.Config{}, nil)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if code, answer := status(t, conn); code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", code, answer)
	}
}

// TestADiskThatHangsIsSeen: a disk that is too slow to answer in time is like one that
// cannot be written: all requests get 503, and the status must show why.
func TestADiskThatHangsIsSeen(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, spool.Config{}, nil)
	w.cfg.RequestTimeout = -1 // every disk is too slow for that
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

// TestAClientMayCloseItsHalf: a client that closes its half of the connection after its
// request, as nc -N does, still gets its answer.
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
