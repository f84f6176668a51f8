package emitter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// checkSecured publishes to a cluster that lets only this configuration in.
func checkSecured(t *testing.T, cfg emitter.Config) {
	t.Helper()
	e := newEmitter(t, cfg)
	if err := e.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := e.Emit(t.Context(), newEvent(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Sent != 20 {
		t.Errorf("%+v", s)
	}
}

func TestSecured(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	own := ca.Issue(t, time.Hour)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t, broker.Config{
				TLS: ca.Server(t, ca), Users: []broker.User{{Mechanism: mechanism, Name: "app", Password: "right"}},
			})
			cfg := quick(b.Addr())
			cfg.TLS = emitter.TLS{Enabled: true, CAFile: ca.File, CertFile: own.CertFile, KeyFile: own.KeyFile}
			cfg.SASL = emitter.SASL{Mechanism: mechanism, Username: "app", Password: "right"}
			checkSecured(t, cfg)
		})
	}
}

// TestLackOfAccessIsRetried: events wait for a rotated password, as they wait for a
// broker that is away.
func TestLackOfAccessIsRetried(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	b := startBroker(t, broker.Config{
		TLS: ca.Server(t, nil), Users: []broker.User{{Mechanism: "SCRAM-SHA-512", Name: "app", Password: "right"}},
	})
	wrong := strings.Repeat("canary", 3)
	password := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		if err := os.WriteFile(password, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(wrong)
	cfg := quick(b.Addr())
	cfg.MaxAttempts, cfg.BackoffMax = 1_000_000, 20*time.Millisecond
	cfg.TLS = emitter.TLS{Enabled: true, CAFile: ca.File}
	cfg.SASL = emitter.SASL{Mechanism: "SCRAM-SHA-512", Username: "app", PasswordFile: password}
	e := newEmitter(t, cfg)
	began := time.Now()
	err := e.Connect(t.Context())
	if !errors.Is(err, emitter.ErrNoAccess) || !errors.Is(err, kafka.SASLAuthenticationFailed) || time.Since(began) > 10*time.Second {
		t.Fatalf("Connect = %v after %v, want ErrNoAccess", err, time.Since(began))
	}
	for _, want := range []string{`SCRAM-SHA-512 as user "app"`, password} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), wrong) {
		t.Errorf("the password is shown: %v", err)
	}
	if err := e.Emit(t.Context(), newEvent(1)); err != nil {
		t.Fatal(err)
	}
	write("right")
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if s := e.Stats(); s.Sent != 1 {
		t.Errorf("%+v", s)
	}
}

// TestLackOfAccessIsReported: the error is known when the attempts are used up.
func TestLackOfAccessIsReported(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{Users: []broker.User{{Mechanism: "PLAIN", Name: "app", Password: "right"}}})
	cfg := quick(b.Addr())
	cfg.SASL = emitter.SASL{Mechanism: "PLAIN", Username: "app", Password: "wrong"}
	e := newEmitter(t, cfg)
	if err := e.Emit(t.Context(), newEvent(1)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); !errors.Is(err, emitter.ErrNoAccess) || !strings.Contains(err.Error(), `PLAIN as user "app"`) {
		t.Errorf("Close = %v", err)
	}
}

// TestLackOfAccessIsReportedByAPublisher: it uses the same words.
func TestLackOfAccessIsReportedByAPublisher(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{Users: []broker.User{{Mechanism: "PLAIN", Name: "app", Password: "right"}}})
	cfg := quick(b.Addr())
	cfg.SASL = emitter.SASL{Mechanism: "PLAIN", Username: "app", Password: "wrong"}
	p, err := emitter.NewPublisher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ev := newEvent(1)
	ev.Kind = event.KindRequestCompleted
	value, err := json.Marshal(&ev)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Publish(t.Context(), []emitter.EncodedEvent{{Event: &ev, Value: value}})
	if !errors.Is(err, emitter.ErrNoAccess) || !strings.HasPrefix(err.Error(), "broker "+b.Addr()+": Kafka refuses the login by PLAIN") || len(out.Left) != 1 {
		t.Errorf("Publish = %+v, %v", out, err)
	}
}

func TestConnectWithoutABroker(t *testing.T) {
	t.Parallel()
	cfg := quick("127.0.0.1:1")
	e := newEmitter(t, cfg)
	if err := e.Connect(t.Context()); err == nil || errors.Is(err, emitter.ErrNoAccess) {
		t.Errorf("Connect = %v, want an error that may pass", err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSecurityFaults(t *testing.T) {
	t.Parallel()
	cfg := emitter.Config{Brokers: []string{"kafka:9092"}, SASL: emitter.SASL{Mechanism: "SCRAM-SHA512"}}
	if err := cfg.Validate().Err(); err == nil || !strings.Contains(err.Error(), `sasl.mechanism: "SCRAM-SHA512" is unknown; did you mean "SCRAM-SHA-512"?`) {
		t.Error(err)
	}
	cfg.TLS.Enabled, cfg.SASL.Mechanism = true, "AWS_MSK_IAM"
	if err := cfg.Validate().Err(); err == nil || !strings.Contains(err.Error(), "sasl.sign: missing") {
		t.Error(err)
	}
}

// TestThePasswordIsNotPrinted: however a configuration is printed.
func TestThePasswordIsNotPrinted(t *testing.T) {
	t.Parallel()
	canary := strings.Repeat("canary", 3)
	cfg := emitter.Config{SASL: emitter.SASL{Mechanism: "PLAIN", Username: "app", Password: emitter.Secret(canary)}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("configured", "emitter", cfg, "password", cfg.SASL.Password)
	for _, printed := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v", cfg, cfg), log.String()} {
		if strings.Contains(printed, canary) {
			t.Errorf("printed: %s", printed)
		}
	}
}
