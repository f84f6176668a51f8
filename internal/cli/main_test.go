package cli_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// Environment of the process that TestNothingIsLoggedByTheStandardLibrary starts.
const (
	envMode    = "TEST_CLI_MODE"
	envAddress = "TEST_CLI_ADDRESS"
)

// closingConn tells when the transport has closed it.
type closingConn struct {
	net.Conn
	closed func()
}

func (c closingConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// TestMain runs the tests or, in a process that a test started, a small program that
// calls a server and waits until the transport has closed the connection.
func TestMain(m *testing.M) {
	program := func(ctx context.Context) int {
		ended, end := context.WithCancel(ctx)
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return closingConn{conn, end}, err
		}}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+os.Getenv(envAddress), http.NoBody)
		if err != nil {
			return 3
		}
		resp, err := client.Do(req)
		if err != nil {
			return 4
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		<-ended.Done()
		return 0
	}
	switch os.Getenv(envMode) {
	case "main":
		cli.Main(program)
	case "plain":
		os.Exit(program(context.Background()))
	}
	os.Exit(m.Run())
}

// TestNothingIsLoggedByTheStandardLibrary: a server sends content out of turn, which the
// HTTP transport quotes in the standard log. The program prints nothing of it.
func TestNothingIsLoggedByTheStandardLibrary(t *testing.T) {
	t.Parallel()
	const canary = "the-customers-words"
	for mode, printed := range map[string]bool{"plain": true, "main": false} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			served := make(chan error, 1)
			go func() { served <- outOfTurn(l, canary) }()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), envMode+"="+mode, envAddress+"="+l.Addr().String())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := <-served; err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(out), canary); got != printed {
				t.Errorf("content printed: %v; want %v: %s", got, printed, out)
			}
		})
	}
}

// outOfTurn answers one call and sends a second reply. It returns when the client has
// noticed and closed the connection. A second call could come before that, and take
// the reply for its own.
func outOfTurn(l net.Listener, canary string) error {
	const reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(conn, reply, "HTTP/1.1 200 OK\r\n\r\n"+canary); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, conn)
	return conn.Close()
}
