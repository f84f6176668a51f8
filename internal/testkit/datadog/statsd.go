package datadog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	network string // of Drain's marker; empty for a stream
	mu      sync.Mutex
	metrics []StatsDMetric // guarded by mu
	markers int            // guarded by mu; of Drain, that have arrived
	news    chan struct{}  // guarded by mu; closed and replaced when metrics or markers grow
}

// StatsD starts a sink on a UDP port of the loopback interface. It stops with
// the test.
func StatsD(t testing.TB) *StatsDSink {
	t.Helper()
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for DogStatsD: %v", err)
	}
	s := newSink(t, conn.LocalAddr().String())
	s.network = "udp"
	s.receive(conn)
	return s
}

// StatsDUnix is StatsD on a Unix datagram socket.
func StatsDUnix(t testing.TB) *StatsDSink {
	t.Helper()
	path := socketPath(t)
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(t.Context(), "unixgram", path)
	if err != nil {
		t.Fatalf("listen for DogStatsD: %v", err)
	}
	s := newSink(t, "unix://"+path)
	s.network = "unixgram"
	s.receive(conn)
	return s
}

// StatsDStream is StatsD on a Unix stream socket, where each payload follows its
// length in four bytes, little end first.
func StatsDStream(t testing.TB) *StatsDSink {
	t.Helper()
	path := socketPath(t)
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatalf("listen for DogStatsD: %v", err)
	}
	s := newSink(t, "unixstream://"+path)
	var (
		readers sync.WaitGroup
		mu      sync.Mutex
		conns   []net.Conn // guarded by mu
	)
	readers.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			readers.Go(func() { s.stream(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		readers.Wait()
	})
	return s
}

// socketPath gives a path short enough for a socket: 108 bytes, which the
// directory of a test with a long name exceeds.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dsd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func newSink(t testing.TB, address string) *StatsDSink {
	return &StatsDSink{Address: address, t: t, news: make(chan struct{})}
}

// receive reads datagrams until the test ends.
func (s *StatsDSink) receive(conn net.PacketConn) {
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
	s.t.Cleanup(func() {
		_ = conn.Close()
		reader.Wait()
	})
}

func (s *StatsDSink) stream(conn net.Conn) {
	for {
		var size uint32
		if err := binary.Read(conn, binary.LittleEndian, &size); err != nil {
			return
		}
		if size == 0 || size > 1<<16 {
			s.t.Errorf("DogStatsD: a payload of %d bytes", size)
			return
		}
		buf := make([]byte, size)
		if _, err := io.ReadFull(conn, buf); err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.t.Errorf("DogStatsD: a payload ends too early: %v", err)
			}
			return
		}
		s.payload(buf)
	}
}

func (s *StatsDSink) payload(b []byte) {
	var got []StatsDMetric
	markers := 0
	for line := range bytes.Lines(b) {
		if string(line) == marker {
			markers++
			continue
		}
		m, err := ParseStatsD(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			s.t.Errorf("DogStatsD: %v in %q", err, line)
			continue
		}
		got = append(got, m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics = append(s.metrics, got...)
	s.markers += markers
	close(s.news)
	s.news = make(chan struct{})
}

// marker is no DogStatsD message.
const marker = "evaltest drain"

// Drain returns once everything that was sent before has arrived, and reports
// false when ctx ends first. A datagram socket of this machine keeps the order,
// so it sends a marker and waits for it. A stream has no such order: there Drain
// fails the test.
func (s *StatsDSink) Drain(ctx context.Context) bool {
	s.t.Helper()
	if s.network == "" {
		s.t.Fatal("DogStatsD: a stream cannot be drained")
	}
	s.mu.Lock()
	want := s.markers + 1
	s.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, s.network, strings.TrimPrefix(s.Address, "unix://"))
	if err != nil {
		s.t.Fatalf("DogStatsD: %v", err)
	}
	_, err = conn.Write([]byte(marker))
	if err := errors.Join(err, conn.Close()); err != nil {
		s.t.Fatalf("DogStatsD: %v", err)
	}
	return s.Wait(ctx, func(s *StatsDSink) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.markers >= want
	})
}

// Metrics gives what has arrived so far, in order of arrival.
func (s *StatsDSink) Metrics() []StatsDMetric {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.metrics)
}

// Sum gives the sum of the values of a metric with all of these tags.
func (s *StatsDSink) Sum(name string, tags ...string) float64 {
	var sum float64
	for _, v := range s.Values(name, tags...) {
		sum += v
	}
	return sum
}

// Values gives the values of a metric with all of these tags.
func (s *StatsDSink) Values(name string, tags ...string) []float64 {
	var values []float64
	for _, m := range s.Metrics() {
		if m.Name == name && m.Has(tags...) {
			values = append(values, m.Values...)
		}
	}
	return values
}

// Wait returns once ok is satisfied with what has arrived, and reports false
// when ctx ends first.
func (s *StatsDSink) Wait(ctx context.Context, ok func(*StatsDSink) bool) bool {
	for {
		s.mu.Lock()
		news := s.news
		s.mu.Unlock()
		if ok(s) {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ok(s)
		}
	}
}
