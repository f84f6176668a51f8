package datadog

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// StatsDSink is a DogStatsD server that believes nothing: whatever is not
// exactly in the format, or would be read otherwise than it was meant, fails the
// test.
type StatsDSink struct {
	// Address in the form that a client takes: host:port, or unix:///path.
	Address string

	t       testing.TB
	network string
	arrivals[StatsDMetric]
	markers arrivals[struct{}] // of Drain
}

// StatsD starts a sink on a UDP port of the loopback interface. It stops with
// the test.
func StatsD(t testing.TB) *StatsDSink {
	t.Helper()
	return listen(t, "udp", "127.0.0.1:0", "")
}

// StatsDUnix is StatsD on a Unix datagram socket.
func StatsDUnix(t testing.TB) *StatsDSink {
	t.Helper()
	return listen(t, "unixgram", socketPath(t), "unix://")
}

// listen starts a sink, which reads datagrams until the test ends.
func listen(t testing.TB, network, address, scheme string) *StatsDSink {
	t.Helper()
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(t.Context(), network, address)
	if err != nil {
		t.Fatalf("listen for DogStatsD: %v", err)
	}
	s := &StatsDSink{Address: scheme + conn.LocalAddr().String(), t: t, network: network}
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			s.payload(buf[:n])
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reader.Wait()
	})
	return s
}

// socketPath returns a path that is short enough for a socket: at most 108 bytes,
// which the folder of a test with a long name exceeds.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dsd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func (s *StatsDSink) payload(b []byte) {
	var got []StatsDMetric
	for line := range bytes.Lines(b) {
		if string(line) == marker {
			s.markers.add(struct{}{})
			continue
		}
		m, err := ParseStatsD(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			s.t.Errorf("DogStatsD: %v in %q", err, line)
			continue
		}
		got = append(got, m)
	}
	s.add(got...)
}

// marker is not a DogStatsD message.
const marker = "drain marker"

// Drain returns once everything that was sent before has arrived, and false when
// ctx ends first. It sends a marker and waits for it: a datagram socket of this
// machine keeps the order.
func (s *StatsDSink) Drain(ctx context.Context) bool {
	s.t.Helper()
	want := len(s.markers.all()) + 1
	var d net.Dialer
	conn, err := d.DialContext(ctx, s.network, strings.TrimPrefix(s.Address, "unix://"))
	if err != nil {
		s.t.Fatalf("DogStatsD: %v", err)
	}
	_, err = conn.Write([]byte(marker))
	if err := errors.Join(err, conn.Close()); err != nil {
		s.t.Fatalf("DogStatsD: %v", err)
	}
	return s.markers.wait(ctx, func() bool { return len(s.markers.all()) >= want })
}

// Metrics returns what has arrived so far, in order of arrival.
func (s *StatsDSink) Metrics() []StatsDMetric { return s.all() }

// Sum returns the sum of the values of a metric with all of these tags.
func (s *StatsDSink) Sum(name string, tags ...string) float64 {
	var sum float64
	for _, v := range s.Values(name, tags...) {
		sum += v
	}
	return sum
}

// Values returns the values of a metric with all of these tags.
func (s *StatsDSink) Values(name string, tags ...string) []float64 {
	var values []float64
	for _, m := range s.Metrics() {
		if m.Name == name && m.Has(tags...) {
			values = append(values, m.Values...)
		}
	}
	return values
}

// Wait returns once ok accepts what has arrived, and false when ctx ends first.
func (s *StatsDSink) Wait(ctx context.Context, ok func(*StatsDSink) bool) bool {
	return s.wait(ctx, func() bool { return ok(s) })
}
