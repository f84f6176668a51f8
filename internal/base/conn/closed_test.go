//go:build go1.26

package conn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// TestAClosedConnectionIsExplained: a broker that wants TLS or a login answers no request
// but the one for its versions; one that has answered others wants neither.
func TestAClosedConnectionIsExplained(t *testing.T) {
	t.Parallel()
	tlsOnly, loginOnly, both := Config{}, Config{}, Config{}
	tlsOnly.TLS.Enabled, both.TLS.Enabled = true, true
	loginOnly.SASL.Mechanism, both.SASL.Mechanism = Plain, Plain
	const (
		early = "broker kafka:9092 closes the connection without an answer"
		again = "; the next attempt makes a new one"
	)
	for name, tt := range map[string]struct {
		cfg      Config
		answered []protocol.ApiKey // requests with an answer, before the one without
		unused   time.Duration     // after them
		want     string
	}{
		"no answer":                   {Config{}, nil, 0, early + " (it may want TLS or a login: tls.enabled, sasl.mechanism)"},
		"versions alone":              {Config{}, []protocol.ApiKey{protocol.ApiVersions}, 0, early + " (it may want TLS or a login: tls.enabled, sasl.mechanism)"},
		"versions alone, with TLS":    {tlsOnly, []protocol.ApiKey{protocol.ApiVersions}, 0, early + " (it may want a login: sasl.mechanism)"},
		"no answer, with a login":     {loginOnly, nil, 0, early + " (it may want TLS: tls.enabled)"},
		"no answer, with both":        {both, nil, 0, early + "; its log says why"},
		"served, then at once":        {Config{}, []protocol.ApiKey{protocol.ApiVersions, protocol.Metadata}, time.Second, "broker kafka:9092 has closed the connection" + again},
		"served, then not used":       {Config{}, []protocol.ApiKey{protocol.Metadata}, 10 * time.Minute, "broker kafka:9092, or a load balancer before it, has closed the connection, which was not used for 10m0s (connections.max.idle.ms of the brokers)" + again},
		"served with TLS, not used":   {tlsOnly, []protocol.ApiKey{protocol.Metadata}, time.Minute, "broker kafka:9092, or a load balancer before it, has closed the connection, which was not used for 1m0s (connections.max.idle.ms of the brokers)" + again},
		"served with login, not used": {both, []protocol.ApiKey{protocol.SaslHandshake, protocol.Produce}, time.Minute, "broker kafka:9092, or a load balancer before it, has closed the connection, which was not used for 1m0s (connections.max.idle.ms of the brokers)" + again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				c := &conn{Conn: near, cfg: tt.cfg, addr: "kafka:9092"}
				c.loginDone.Store(true)
				for _, key := range tt.answered {
					if err := ask(c, far, key, true); err != nil {
						t.Fatal(err)
					}
				}
				<-time.After(tt.unused)
				err := ask(c, far, protocol.Metadata, false)
				if err == nil || errors.Is(err, io.EOF) { // kafka-go replaces EOF by an error without words
					t.Fatalf("the end is %v", err)
				}
				shown := tt.cfg.Describe(fmt.Errorf("kafka.(*Client).Produce: %w", err)).Error()
				if shown != tt.want {
					t.Errorf("%q\nwant %q", shown, tt.want)
				}
				if tt.unused > 0 && strings.Contains(shown, "TLS") {
					t.Errorf("%q blames TLS", shown)
				}
				_ = near.Close()
			})
		})
	}
}

// ask sends a request; the far end reads it and answers it, or closes.
func ask(c *conn, far net.Conn, key protocol.ApiKey, answer bool) error {
	request := make([]byte, 14)
	binary.BigEndian.PutUint32(request, uint32(len(request)-4))
	binary.BigEndian.PutUint16(request[4:], uint16(key))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.ReadFull(far, make([]byte, len(request)))
		if answer {
			_, _ = far.Write(make([]byte, 4))
			return
		}
		_ = far.Close()
	}()
	_, err := c.Write(request)
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 4))
	}
	<-ended
	return err
}

// TestSettingsThatWorked: once a broker has served these settings, another one that closes
// connections is not said to want others.
func TestSettingsThatWorked(t *testing.T) {
	t.Parallel()
	b := newBrokers(Config{})
	for _, tt := range []struct {
		answered bool
		want     string
	}{
		{false, "it may want TLS or a login"}, {true, "has closed the connection"}, {false, "without an answer; it may be stopping or starting"},
	} {
		near, far := net.Pipe()
		c := &conn{Conn: near, addr: "kafka:9092", letIn: &b.letIn}
		c.loginDone.Store(true)
		if tt.answered {
			if err := ask(c, far, protocol.Metadata, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := ask(c, far, protocol.Metadata, false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q in it", err, tt.want)
		}
		_ = near.Close()
	}
}
