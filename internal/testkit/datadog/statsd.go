package datadog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"
)

// StatsDSink is a strict DogStatsD server: a message that is not exactly in the
// format, or that an agent would misread, fails the test.
type StatsDSink struct {
	// Address in the form that a client accepts: host:port, or unix:///path.
	Address string

	t       testing.TB
	network string
	arrivals[StatsDMetric]
	markers arrivals[struct{}] // for Drain
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
// ctx ends first. It sends a marker and waits for it, because a local datagram
// socket keeps the order.
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

// Wait returns true once ok accepts the metrics that have arrived, and false when
// ctx ends first.
func (s *StatsDSink) Wait(ctx context.Context, ok func(*StatsDSink) bool) bool {
	return s.wait(ctx, func() bool { return ok(s) })
}

// StatsDMetric is one DogStatsD message.
type StatsDMetric struct {
	Name   string
	Type   string    // c, g, d, h, s or ms
	Values []float64 // none for a set
	Rate   float64   // share of the values that was sent; 1 unless said
	Tags   []string  // in the order of the wire
}

// Tag returns the value of a tag; empty when the key is absent.
func (m StatsDMetric) Tag(key string) string {
	for _, tag := range m.Tags {
		if v, ok := strings.CutPrefix(tag, key+":"); ok {
			return v
		}
	}
	return ""
}

// Has reports whether the metric carries all tags, each as key:value.
func (m StatsDMetric) Has(tags ...string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(m.Tags, tag) })
}

// ParseStatsD reads one DogStatsD message: name:value[:value...]|type[|field...].
// It is strict: a field that an agent would ignore or misread is an error. Events
// and service checks are not metrics and are errors too.
func ParseStatsD(line string) (StatsDMetric, error) {
	parts := strings.Split(line, "|")
	name, values, ok := strings.Cut(parts[0], ":")
	switch {
	case !ok || len(parts) < 2:
		return StatsDMetric{}, errors.New("no value or no type")
	case !metricName(name):
		return StatsDMetric{}, fmt.Errorf("bad name %q", name)
	}
	m := StatsDMetric{Name: name, Type: parts[1], Rate: 1}
	if !slices.Contains([]string{"c", "g", "d", "h", "s", "ms"}, m.Type) {
		return StatsDMetric{}, fmt.Errorf("bad type %q", m.Type)
	}
	if m.Type != "s" {
		for v := range strings.SplitSeq(values, ":") {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return StatsDMetric{}, fmt.Errorf("bad value %q", v)
			}
			m.Values = append(m.Values, f)
		}
	} else if values == "" {
		return StatsDMetric{}, errors.New("empty value")
	}
	seen := map[byte]bool{}
	for _, field := range parts[2:] {
		if err := m.field(field, seen); err != nil {
			return StatsDMetric{}, err
		}
	}
	return m, nil
}

func (m *StatsDMetric) field(field string, seen map[byte]bool) error {
	if field == "" {
		return errors.New("empty field")
	}
	kind, rest := field[0], field[1:]
	card, isCard := strings.CutPrefix(field, "card:")
	if isCard {
		kind = 'C' // c is the container field
	}
	once := !seen[kind]
	seen[kind] = true
	var err error
	switch {
	case isCard:
		if !slices.Contains([]string{"none", "low", "orchestrator", "high"}, card) {
			err = errors.New("bad cardinality")
		}
	case kind == '#':
		m.Tags = strings.Split(rest, ",")
		err = checkTags(m.Tags)
	case kind == '@':
		if m.Rate, err = strconv.ParseFloat(rest, 64); err == nil && !(m.Rate > 0 && m.Rate <= 1) {
			err = errors.New("bad rate")
		}
	case kind == 'T':
		var n int64
		if n, err = strconv.ParseInt(rest, 10, 64); err == nil && n <= 0 {
			err = errors.New("bad time")
		}
	case (kind == 'c' || kind == 'e') && len(rest) > 1 && rest[0] == ':':
	default:
		err = errors.New("unknown field")
	}
	if err == nil && !once {
		err = errors.New("field twice")
	}
	if err != nil {
		return fmt.Errorf("%w: %q", err, field)
	}
	return nil
}

// checkTags accepts tags of the form key:value, with lower-case keys, values of
// characters that Datadog does not change, and each key once.
func checkTags(tags []string) error {
	keys := map[string]bool{}
	for _, tag := range tags {
		key, value, ok := strings.Cut(tag, ":")
		if !ok || !tagText(key) || key[0] < 'a' || key[0] > 'z' || len(key) > utf8.RuneCountInString(key) || !tagText(value) || len(value) > 200 {
			return fmt.Errorf("bad tag %q", tag)
		}
		if keys[key] {
			return fmt.Errorf("tag key %q twice", key)
		}
		keys[key] = true
	}
	return nil
}

func tagText(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_./-:", c) || unicode.ToLower(c) != c {
			return false
		}
	}
	return s != ""
}

func metricName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || ((c < '0' || c > '9') && c != '_' && c != '.')) {
			return false
		}
	}
	return s != "" && len(s) <= 200 && s[len(s)-1] != '.'
}
