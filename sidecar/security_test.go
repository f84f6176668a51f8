package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// doors are the two servers, each without a token and with one.
type doors struct {
	token string
	addrs map[string]string // health server and sidecar, by name
}

func openDoors(t *testing.T, token string) doors {
	t.Helper()
	health, err := serve.ListenHealth(t.Context(), serve.HealthConfig{Listen: "127.0.0.1:0", Token: secret.String(token), Pprof: true, Metrics: true},
		serve.HealthDeps{Status: func() any { return 1 }, Metrics: func(http.ResponseWriter, *http.Request) {}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- health.Serve() }()
	w := start(t, Config{Token: secret.String(token)}, spool.Config{}, nil)
	t.Cleanup(func() {
		for _, err := range []error{health.Close(t.Context()), <-ended, w.stop()} {
			if err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
	})
	return doors{token, map[string]string{"health server": health.Addr(), "sidecar": w.Addr()}}
}

// ask sends a request as it is written here and returns status and body.
func ask(t *testing.T, addr, request string) (status int, body string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, request) // a refusal may come before the end
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func get(path string, headers ...string) string {
	return "GET " + path + " HTTP/1.1\r\n" + strings.Join(append(headers, "Connection: close", "", ""), "\r\n")
}

// TestSecurityIsExact holds both servers to the sentences of SECURITY.md that a client
// can try. A row quotes its sentence.
func TestSecurityIsExact(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(text)), " ")
	token := strings.Repeat("canary", 4)
	open, closed := openDoors(t, ""), openDoors(t, token)
	const (
		both   = "health server, sidecar"
		worker = "health server"
		local  = "Host: localhost"
		named  = "Host: events.example"
	)
	bearer := "Authorization: Bearer " + token
	hosts := "only requests to an IP address or `localhost`, with or without a port, are answered"
	rows := []struct {
		says    string
		doors   doors
		which   string
		request string
		want    int
		body    string
	}{
		{"With a token, `/livez` and `/readyz` answer everybody with `ok` or `not ready`", closed, both, get("/livez", named), 200, "ok"},
		{"With a token, `/livez` and `/readyz` answer everybody with `ok` or `not ready`", closed, both, get("/readyz", named), 200, "ok"},
		{"reasons, `/statusz`, `/metrics` and profiles want the token, else 401", closed, both, get("/statusz", local), 401, ""},
		{"reasons, `/statusz`, `/metrics` and profiles want the token, else 401", closed, worker, get("/debug/pprof/cmdline", local), 401, ""},
		{"reasons, `/statusz`, `/metrics` and profiles want the token, else 401", closed, worker, get("/metrics", local), 401, ""},
		{"reasons, `/statusz`, `/metrics` and profiles want the token, else 401", closed, worker, get("/metrics", local, bearer), 200, ""},
		{"reasons, `/statusz`, `/metrics` and profiles want the token, else 401", closed, both, get("/statusz", local, bearer), 200, ""},
		{"With a token, `/livez`, `/readyz` and the two documents of the interface answer everybody", closed, "sidecar", get("/v1/openapi.yaml", named), 200, ""},
		{"With a token, `/livez`, `/readyz` and the two documents of the interface answer everybody", closed, "sidecar", get("/v1/event.schema.json", named), 200, ""},
		{"`POST /v1/events` want the token, else 401", closed, "sidecar", "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 401, ""},
		{"No endpoint returns an event", open, "sidecar", get("/v1/events", local), 405, ""},

		{hosts, open, both, get("/statusz", "Host: 127.0.0.1:8787"), 200, ""},
		{hosts, open, both, get("/readyz", "Host: 10.244.1.17:8787"), 200, ""},
		{hosts, open, both, get("/statusz", local), 200, ""},
		{hosts, open, both, get("/statusz", local+":8787"), 200, ""},
		{hosts, open, both, get("/statusz", named), 403, ""},
		{hosts, open, both, get("/readyz", named), 403, ""},
		{hosts, open, both, get("/livez", "Host: localhost.events.example"), 403, ""},
		{hosts, open, both, get("/statusz", "Host: localhost:x"), 403, ""},
		{"`localhost` may be in any case and end in a dot", open, both, get("/statusz", "Host: LOCALHOST"), 200, ""},
		{"`localhost` may be in any case and end in a dot", open, both, get("/statusz", "Host: localhost.:8787"), 200, ""},
		{"an IPv6 address stands in brackets and may have a zone", open, both, get("/statusz", "Host: [::1]:8787"), 200, ""},
		{"an IPv6 address stands in brackets and may have a zone", open, both, get("/statusz", "Host: [::1%lo]"), 200, ""},
		{"an IPv6 address stands in brackets and may have a zone", open, both, get("/statusz", "Host: ::1"), 403, ""},
		{"HTTP/1.0 without a `Host` is answered too", open, both, "GET /statusz HTTP/1.0\r\n\r\n", 200, ""},
		{"With a token any name is accepted", closed, both, get("/statusz", named, bearer), 200, ""},

		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Sec-Fetch-Site: cross-site"), 403, ""},
		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Sec-Fetch-Site: same-site"), 403, ""},
		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Origin: http://events.example"), 403, ""},
		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Origin: null"), 403, ""},
		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Sec-Fetch-Site: same-origin"), 200, ""},
		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Sec-Fetch-Site: none"), 200, ""},
		{"comes from a page of another origin is answered with 403, whatever its method", open, both, get("/statusz", local, "Origin: http://localhost"), 200, ""},
		{"with a token too", closed, both, get("/statusz", local, bearer, "Origin: http://events.example"), 403, ""},

		{"header 16 KiB, body 64 KiB", open, both, get("/livez", local, large(16<<10-len(get("/livez", local, "")))), 200, "ok"},
		{"header 16 KiB, body 64 KiB", open, both, get("/livez", local, large(16<<10+1-len(get("/livez", local, "")))), 431, ""},
		{"| sidecar: body, also after decompression | 4 MiB |", open, "sidecar", fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", 4<<20+1), 413, ""},
	}
	for _, row := range rows {
		if !strings.Contains(words, row.says) {
			t.Errorf("SECURITY.md does not say %q", row.says)
		}
		for name := range strings.SplitSeq(row.which, ", ") {
			status, body := ask(t, row.doors.addrs[name], row.request)
			if status != row.want || row.body != "" && body != row.body {
				t.Errorf("%s, token %t: %q: %d %q, want %d %q", name, row.doors.token != "", row.says, status, body, row.want, row.body)
			}
		}
	}
	// Beyond loopback both want a token that cannot be guessed.
	for says, faulty := range map[string]func(token string) bool{
		"it needs a bearer token of 16 characters or more, or the worker does not start": func(token string) bool {
			return len(serve.HealthConfig{Listen: "0.0.0.0:0", Token: secret.String(token)}.Validate()) > 0
		},
		"loopback it needs a bearer token of 16 characters or more": func(token string) bool {
			return len(Config{Listen: ":0", Token: secret.String(token)}.Validate()) > 0
		},
	} {
		if !strings.Contains(words, says) {
			t.Errorf("SECURITY.md does not say %q", says)
		}
		for token, want := range map[string]bool{"": true, token[:15]: true, token[:16]: false} {
			if faulty(token) != want {
				t.Errorf("%q: a token of %d characters is a fault: %t", says, len(token), !want)
			}
		}
	}
}

// large returns a header line of a size.
func large(size int) string { return "X-Large: " + strings.Repeat("x", size-len("X-Large: ")) }
