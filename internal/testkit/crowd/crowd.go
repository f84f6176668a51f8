// Package crowd makes the clients that keep a server's connections busy with nothing:
// each connects, says a part of something, waits until it is turned away and comes
// again. A test then probes the server as an orchestrator does.
package crowd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Manners returns what the clients of a crowd may say, by name. What they say to path is
// a request with a body that does not end.
func Manners(path string) map[string]string {
	return map[string]string{
		"idle":        "",
		"half header": "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
		"half body":   "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
		"kept alive":  "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"too much":    "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Large: " + strings.Repeat("x", 32<<10),
	}
}

// again is how long a client that was turned away waits before it comes again.
const again = time.Second

// Gather sends size clients to an address. It returns when each has said its part once;
// all leave when ctx ends, and leave waits for that.
func Gather(ctx context.Context, addr string, size int, says string) (leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all, arrived sync.WaitGroup
	for range size {
		arrived.Add(1)
		all.Go(func() {
			first := sync.OnceFunc(arrived.Done)
			defer first()
			for ctx.Err() == nil {
				visit(ctx, addr, says, first)
				select {
				case <-ctx.Done():
				case <-time.After(again):
				}
			}
		})
	}
	arrived.Wait()
	return func() {
		cancel()
		all.Wait()
	}
}

// visit connects, says its part, calls said and waits for the end.
func visit(ctx context.Context, addr, says string, said func()) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return // a server that stops, or has no room in its queue
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, says) // fails when it is turned away already
	said()
	_, _ = io.Copy(io.Discard, conn)
}

// Probe asks as an orchestrator does: on a new connection, with so much time for all of
// the answer. Any answer will do; the error says why there is none.
//
// The request leaves as soon as there is a connection. An orchestrator has a process of
// its own; here the goroutines of an http.Client would take turns with those of a crowd
// between the two, and a server may close who says nothing while others wait.
func Probe(ctx context.Context, addr, path string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, addr); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
