package conn_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// limit bounds a login on a busy machine. What must not take that long is an AccessError,
// which the end of a limit is not.
const limit = time.Minute

func start(t *testing.T, cfg broker.Config) conn.Config {
	t.Helper()
	cfg.Topics = map[string]int32{"events": 1}
	b, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	conn := conn.DefaultConfig()
	conn.Brokers, conn.DialTimeout = []string{b.Addr()}, limit
	return conn
}

// ask makes one request over each kind of connection. All must succeed, or all fail
// for the same reason.
func ask(t *testing.T, cfg conn.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, first := conn.NewDialer(cfg).LookupPartitions(ctx, "tcp", cfg.Brokers[0], "events")
	first = cfg.Explain(first)
	_, second := conn.NewConnector(cfg).BufferedDialer(64<<10).LookupPartitions(ctx, "tcp", cfg.Brokers[0], "events")
	transport := conn.NewTransport(cfg)
	defer transport.CloseIdleConnections()
	_, third := conn.NewClient(cfg, transport).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{"events"}})
	for _, err := range []error{cfg.Explain(second), cfg.Explain(third)} {
		one, other := conn.AccessErrorIn(first), conn.AccessErrorIn(err)
		if (first == nil) != (err == nil) || (one == nil) != (other == nil) || one != nil && one.Problem != other.Problem {
			t.Errorf("one kind of connection: %v; another: %v", first, err)
		}
	}
	return first
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLetIn covers every way to log in over TLS.
func TestLetIn(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	password := strings.Repeat("correct horse ", 3)
	own := ca.Issue(t, time.Hour)
	for name, tt := range map[string]struct {
		broker broker.Config
		change func(*conn.Config)
	}{
		"TLS alone": {broker.Config{TLS: ca.Server(t, nil)}, func(*conn.Config) {}},
		"mutual TLS": {broker.Config{TLS: ca.Server(t, ca)}, func(c *conn.Config) {
			c.TLS.CertFile, c.TLS.KeyFile = own.CertFile, own.KeyFile
		}},
		"another name": {broker.Config{TLS: ca.Server(t, nil)}, func(c *conn.Config) { c.TLS.ServerName = "localhost" }},
		"PLAIN": {
			broker.Config{TLS: ca.Server(t, nil), Users: []broker.User{{Mechanism: conn.Plain, Name: "w", Password: password}}},
			func(c *conn.Config) {
				c.SASL = conn.SASL{Mechanism: conn.Plain, Username: "w", Password: secret.String(password)}
			},
		},
		"PLAIN without TLS, on this machine": {
			broker.Config{Users: []broker.User{{Mechanism: conn.Plain, Name: "w", Password: password}}},
			func(c *conn.Config) {
				c.TLS = conn.TLS{}
				c.SASL = conn.SASL{Mechanism: conn.Plain, Username: "w", Password: secret.String(password)}
			},
		},
		"SCRAM-SHA-256": {
			broker.Config{TLS: ca.Server(t, nil), Users: []broker.User{{Mechanism: conn.ScramSHA256, Name: "w", Password: password}}},
			func(c *conn.Config) {
				c.SASL = conn.SASL{Mechanism: conn.ScramSHA256, Username: "w", Password: secret.String(password)}
			},
		},
		"SCRAM-SHA-512 with a file": {
			broker.Config{TLS: ca.Server(t, nil), Users: []broker.User{{Mechanism: conn.ScramSHA512, Name: "w", Password: strings.TrimSpace(password)}}},
			func(c *conn.Config) {
				c.SASL = conn.SASL{Mechanism: conn.ScramSHA512, Username: "w", PasswordFile: file(t, password+"\n")}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t, tt.broker)
			cfg.TLS = conn.TLS{Enabled: true, CAFile: ca.File}
			tt.change(&cfg)
			if err := cfg.Validate().Err(); err != nil {
				t.Fatal(err)
			}
			if err := ask(t, cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTurnedAway: every failed login is reported, and not given up, as one line that
// says what to look at and does not hold the password.
func TestTurnedAway(t *testing.T) {
	t.Parallel()
	ca, other := certs.New(t), certs.New(t)
	wrong := strings.Repeat("battery staple", 2)
	foreign := other.Issue(t, time.Hour)
	stale := ca.Server(t, nil)
	stale.Certificates = []tls.Certificate{ca.Issue(t, -time.Hour, "127.0.0.1").TLS}
	users := []broker.User{
		{Mechanism: conn.Plain, Name: "w", Password: "right"}, {Mechanism: conn.ScramSHA512, Name: "w", Password: "right"},
	}
	login := func(mechanism string) func(*conn.Config) {
		return func(c *conn.Config) {
			c.SASL = conn.SASL{Mechanism: mechanism, Username: "w", Password: secret.String(wrong)}
		}
	}
	for name, tt := range map[string]struct {
		broker broker.Config
		change func(*conn.Config)
		want   []string
	}{
		"wrong password, SCRAM": {
			broker.Config{TLS: ca.Server(t, nil), Users: users},
			login(conn.ScramSHA512),
			[]string{`refuses the login by SCRAM-SHA-512 as user "w"`, "check sasl.username and sasl.password"},
		},
		"wrong password, PLAIN": {
			broker.Config{TLS: ca.Server(t, nil), Users: users},
			login(conn.Plain),
			[]string{`refuses the login by PLAIN as user "w"`, "check sasl.username"},
		},
		"wrong password in a file": {broker.Config{TLS: ca.Server(t, nil), Users: users}, func(c *conn.Config) {
			c.SASL = conn.SASL{Mechanism: conn.ScramSHA512, Username: "w", PasswordFile: file(t, wrong)}
		}, []string{`refuses the login`, "sasl.password_file"}},
		"password file gone": {broker.Config{TLS: ca.Server(t, nil), Users: users}, func(c *conn.Config) {
			c.SASL = conn.SASL{Mechanism: conn.ScramSHA512, Username: "w", PasswordFile: "/nowhere/password"}
		}, []string{`cannot log in by SCRAM-SHA-512 as user "w"`, "/nowhere/password cannot be read: no such file"}},
		"mechanism not offered": {broker.Config{TLS: ca.Server(t, nil), Users: users}, func(c *conn.Config) {
			c.SASL = conn.SASL{Mechanism: conn.AWSMSKIAM, Sign: func(context.Context, string, string) ([]byte, error) { return nil, nil }}
		}, []string{"does not offer the login by AWS_MSK_IAM", "set sasl.mechanism"}},
		"untrusted authority": {
			broker.Config{TLS: ca.Server(t, nil)},
			func(c *conn.Config) { c.TLS.CAFile = other.File },
			[]string{"not signed by an authority of " + other.File, "tls.ca_file"},
		},
		"untrusted by the system": {
			broker.Config{TLS: ca.Server(t, nil)},
			func(c *conn.Config) { c.TLS.CAFile = "" },
			[]string{"an authority that this machine does not trust", "set tls.ca_file"},
		},
		"another name": {
			broker.Config{TLS: ca.Server(t, nil)},
			func(c *conn.Config) { c.TLS.ServerName = "kafka.example" },
			[]string{"for another name", "tls.server_name"},
		},
		"expired": {broker.Config{TLS: stale}, func(*conn.Config) {}, []string{"its certificate expired on 20", "whoever runs the brokers has to renew it"}},
		"no client certificate": {
			broker.Config{TLS: ca.Server(t, ca)},
			func(*conn.Config) {},
			[]string{"asks for a client certificate and there is none", "set tls.cert_file and tls.key_file"},
		},
		"foreign client certificate": {broker.Config{TLS: ca.Server(t, ca)}, func(c *conn.Config) {
			c.TLS.CertFile, c.TLS.KeyFile = foreign.CertFile, foreign.KeyFile
		}, []string{"refuses the client certificate of " + foreign.CertFile}},
		"certificate gone": {
			broker.Config{TLS: ca.Server(t, nil)},
			func(c *conn.Config) { c.TLS.CAFile = "/nowhere/ca" },
			[]string{"cannot connect with TLS", "tls.ca_file: /nowhere/ca cannot be read"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t, tt.broker)
			cfg.TLS = conn.TLS{Enabled: true, CAFile: ca.File}
			tt.change(&cfg)
			err := ask(t, cfg)
			if conn.AccessErrorIn(err) == nil {
				t.Fatalf("%v is no AccessError", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
		})
	}
}

// TestTLSWithAListenerThatHasNone also covers the reverse; both are explained.
func TestTLSWithAListenerThatHasNone(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	cfg := start(t, broker.Config{})
	cfg.DialTimeout = 5 * time.Second // such a listener never answers
	cfg.TLS = conn.TLS{Enabled: true, CAFile: ca.File}
	if err := ask(t, cfg); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("TLS to a plain listener: %v", err)
	}
	cfg = start(t, broker.Config{TLS: ca.Server(t, nil)})
	if err := ask(t, cfg); err == nil {
		t.Error("a TLS listener takes plain connections")
	}
}

// TestRotation: a changed file counts from the next connection on.
func TestRotation(t *testing.T) {
	t.Parallel()
	ca, old := certs.New(t), certs.New(t)
	cfg := start(t, broker.Config{
		TLS: ca.Server(t, ca), Users: []broker.User{{Mechanism: conn.ScramSHA512, Name: "w", Password: "new"}},
	})
	stale, fresh := old.Issue(t, time.Hour), ca.Issue(t, time.Hour)
	cert, key, password := file(t, read(t, stale.CertFile)), file(t, read(t, stale.KeyFile)), file(t, "old")
	trusted := file(t, read(t, old.File))
	cfg.TLS = conn.TLS{Enabled: true, CAFile: trusted, CertFile: cert, KeyFile: key}
	cfg.SASL = conn.SASL{Mechanism: conn.ScramSHA512, Username: "w", PasswordFile: password}
	dialer := conn.NewDialer(cfg)
	transport := conn.NewTransport(cfg)
	transport.MetadataTTL = 10 * time.Millisecond
	defer transport.CloseIdleConnections()
	client := conn.NewClient(cfg, transport)
	try := func() error {
		_, err := dialer.LookupPartitions(t.Context(), "tcp", cfg.Brokers[0], "events")
		return cfg.Explain(err)
	}
	for _, step := range []struct {
		refused string
		rotate  map[string]string
	}{
		{"authority", map[string]string{trusted: read(t, ca.File)}},
		{"client certificate", map[string]string{cert: read(t, fresh.CertFile), key: read(t, fresh.KeyFile)}},
		{"login", map[string]string{password: "new"}},
	} {
		if err := try(); conn.AccessErrorIn(err) == nil || !strings.Contains(err.Error(), step.refused) {
			t.Fatalf("before the %s is rotated: %v", step.refused, err)
		}
		if _, err := client.Metadata(t.Context(), &kafka.MetadataRequest{}); err == nil {
			t.Fatalf("the transport is let in before the %s is rotated", step.refused)
		}
		for path, content := range step.rotate {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := try(); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for { // the transport retries by itself and returns the error of its last attempt
		_, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the transport, after rotation: %v", err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestASilentLoginEnds: kafka-go would wait forever for a broker that accepts the
// connection and never answers.
func TestASilentLoginEnds(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := conn.DefaultConfig()
	cfg.SASL = conn.SASL{Mechanism: conn.ScramSHA256, Username: "w", Password: "right"}
	// The time is for the connection as well, which a busy machine may take all of it for.
	dial := func() error {
		for cfg.DialTimeout = 50 * time.Millisecond; ; cfg.DialTimeout *= 2 {
			_, err := conn.NewDialer(cfg).DialContext(t.Context(), "tcp", ln.Addr().String())
			if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" || cfg.DialTimeout > time.Minute {
				return err
			}
		}
	}
	if err := dial(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a login without an answer: %v", err)
	}
	cfg.TLS.Enabled = true
	if err = dial(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a handshake without an answer: %v", err)
	}
	if got, want := cfg.Describe(err).Error(), "broker "+ln.Addr().String()+": TLS handshake: no answer in time; is it a TLS listener?"; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
}

// TestALoginIsGivenUp: a caller whose context ends does not wait for a broker that
// never answers.
func TestALoginIsGivenUp(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := conn.DefaultConfig()
	cfg.DialTimeout = time.Hour
	cfg.SASL = conn.SASL{Mechanism: conn.Plain, Username: "w", Password: "right"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := conn.Partitions(ctx, conn.NewDialer(cfg), ln.Addr().String(), "events", time.Hour)
		done <- err
	}()
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if _, err := io.ReadFull(far, make([]byte, 8)); err != nil { // the login is under way
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("given up with %v", err)
	}
}

// TestCauseIsKept: the library's error stays in the chain.
func TestCauseIsKept(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	cfg := start(t, broker.Config{TLS: ca.Server(t, nil)})
	cfg.TLS = conn.TLS{Enabled: true}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](ask(t, cfg)); !ok {
		t.Error("the cause of a failed handshake is gone")
	}
	err := cfg.Explain(kafka.SASLAuthenticationFailed)
	if !errors.Is(err, kafka.SASLAuthenticationFailed) {
		t.Errorf("%v does not wrap Kafka's error", err)
	}
	if other := errors.New("other"); !errors.Is(cfg.Explain(other), other) || cfg.Explain(nil) != nil {
		t.Error("an error that is no AccessError is changed")
	}
}
