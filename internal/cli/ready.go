package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/evalworker/evalworker/internal/base/visible"
)

// readyTimeout bounds the question of [Ready].
const readyTimeout = 5 * time.Second

// Ready asks the server at a base URL whether it is ready, at /readyz, and returns why
// it is not ready. Images without a shell use it as their probe.
func Ready(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	u, err := url.JoinPath(base, "readyz")
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // and no proxy: it asks its own machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	reason := bufio.NewScanner(io.LimitReader(resp.Body, 4<<10))
	reason.Scan()
	return fmt.Errorf("not ready: %s answers %s: %s", u, resp.Status, visible.Text(reason.Text()))
}

// ProbeURL returns the base URL at which a server that listens on an address is asked from
// its own machine. The name of a port, as in :http, becomes its number: a listener takes
// names, and a URL does not.
func ProbeURL(ctx context.Context, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%q is not an address: want host:port", listen)
	}
	n, err := new(net.Resolver).LookupPort(ctx, "tcp", port)
	switch {
	case err != nil || port == "":
		return "", fmt.Errorf("%q is not a port: want a number from 1 to 65535", port)
	case n == 0:
		return "", errors.New("the port is any that is free")
	}
	// A server on all addresses of IPv6 is on those of IPv4 too, and a container whose
	// network has no IPv6 can listen on [::] but not reach ::1.
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(n)), nil
}
