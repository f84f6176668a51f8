package model

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// TestTransportErrorsHoldNoContent: a server, or something in front of it, sends the
// prompt back in each place that Go's HTTP transport quotes in its errors.
func TestTransportErrorsHoldNoContent(t *testing.T) {
	t.Parallel()
	const canary = "customers-words"
	for name, sent := range map[string]string{
		"instead of a reply":  canary + "\r\n\r\n",
		"protocol":            "HTTP/9" + canary + " 200 OK\r\n\r\n",
		"status code":         "HTTP/1.1 " + canary + " OK\r\n\r\n",
		"status of one digit": "HTTP/1.1 2 " + canary + "\r\n\r\n",
		"header without name": "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n",
		"header name":         "HTTP/1.1 200 OK\r\n" + canary + " x: y\r\n\r\n",
		"header value":        "HTTP/1.1 200 OK\r\nX: " + canary + "\x00\r\n\r\n",
		"length":              "HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n",
		"two lengths":         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2" + canary + "\r\n\r\n",
		"transfer encoding":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n",
		"location":            "HTTP/1.1 302 Found\r\nLocation: http://%zz" + canary + "\r\nContent-Length: 0\r\n\r\n",
		"location of another": "HTTP/1.1 307 Moved\r\nLocation: ftp://" + canary + "\r\nContent-Length: 0\r\n\r\n",
		"chunk":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n",
		"trailer":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n" + canary + "\r\n\r\n",
		"reason of a status":  "HTTP/1.1 500 " + canary + "\r\nContent-Length: 0\r\n\r\n",
		"body":                "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"error\":{\"code\":\"" + canary + " and more\"}}  ",
		"code of an error":    "HTTP/1.1 400 Bad\r\nContent-Length: 44\r\n\r\n{\"error\":{\"message\":\"" + canary + "\"}}      ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			served := make(chan struct{})
			go func() {
				defer close(served)
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = fmt.Fprint(conn, sent)
					_ = req.Body.Close() // reads the rest, so that the reply is not lost in a reset
				}
			}()
			m := endpoint(t, http.NotFoundHandler(), func(c *Config, _ *Deps) {
				c.BaseURL, c.Format = "http://"+l.Addr().String(), judges.FormatFenced
			})
			_, err = m.Complete(t.Context(), ask())
			if err == nil || strings.Contains(err.Error(), canary) || eval.ReasonOf(err) == "" {
				t.Errorf("err = %v", err)
			}
			<-served
		})
	}
}
