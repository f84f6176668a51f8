package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// allNames returns the names of every setting for serve with the given flags.
func allNames(tb testing.TB, args ...string) names {
	tb.Helper()
	s, cmd := &serveCommand{}, &cobra.Command{Use: "serve"}
	s.target.clusterFlags(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		tb.Fatal(err)
	}
	if _, err := s.target.config(cmd, "test"); err != nil {
		tb.Fatal(err)
	}
	return append(s.names(), s.target.names...)
}

// TestLateErrorsAreTranslated: the cluster's errors, which may come hours later, name
// flags and variables too, and keep their chain.
func TestLateErrorsAreTranslated(t *testing.T) {
	t.Setenv("KAFKA_SASL_USERNAME", "app")
	n := allNames(t, "--sasl-mechanism", "PLAIN")
	plain := conn.Config{SASL: conn.SASL{Mechanism: conn.Plain, Username: "app", Password: "p"}}
	closing := closes(t)
	_, early := conn.NewDialer(conn.DefaultConfig()).DialContext(t.Context(), "tcp", closing)
	early = conn.DefaultConfig().Describe(early)
	for want, err := range map[string]error{
		`Kafka refuses the login by PLAIN as user "app": SASL Authentication Failed (Kafka error 58); check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD`:                                        plain.Explain(kafka.SASLAuthenticationFailed),
		"Kafka does not offer the login by PLAIN: Unsupported SASL Mechanism (Kafka error 33); set --sasl-mechanism to one that the brokers offer":                                              plain.Explain(kafka.UnsupportedSASLMechanism),
		"Kafka wants no login at this address: Illegal SASL State (Kafka error 34); set --brokers to their SASL listener, or leave --sasl-mechanism out":                                        plain.Explain(kafka.IllegalSASLState),
		"Kafka wants a login: Illegal SASL State (Kafka error 34); set --sasl-mechanism":                                                                                                        conn.Config{}.Explain(kafka.IllegalSASLState),
		"broker " + closing + " closes the connection without an answer (it may want TLS or a login: --tls, --sasl-mechanism)":                                                                  early,
		"connect: its certificate is for another name: x; set --tls-server-name to a name that it is for, or use such a name in --brokers":                                                      fmt.Errorf("connect: %w", &conn.AccessError{Problem: "its certificate is for another name", Err: errors.New("x"), Remedy: "set tls.server_name to a name that it is for, or use such a name in brokers"}),
		"it refuses the client certificate of /etc/tls.cert_file: x; use one that an authority of the brokers' has signed and that has not expired; it is read again at each attempt":           &conn.AccessError{Problem: "it refuses the client certificate of /etc/tls.cert_file", Err: errors.New("x"), Remedy: "use one that an authority of the brokers' has signed and that has not expired; it is read again at each attempt"},
		`--brokers: "max_bytes.internal" is not host:port; want host:port, for example localhost:9092` + "\n" + `--spool-max-bytes: 1 is too small; want at least four times --max-body-bytes.`: fault.List{{Path: "brokers[1]", Problem: `"max_bytes.internal" is not host:port`, Expected: "want host:port, for example localhost:9092"}, {Path: "max_bytes", Problem: "1 is too small", Expected: "want at least four times max_body_bytes."}},
	} {
		got := n.translate(err)
		if diff := cmp.Diff(want, got.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, faults := errors.AsType[fault.List](err); !faults && !errors.Is(got, err) {
			t.Errorf("%v: the error is another one", got)
		}
	}
	if n.translate(nil) != nil {
		t.Error("no error has become one")
	}
}

// closes accepts connections and closes them at once.
func closes(t *testing.T) (addr string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024)) // the request, so that closing is no reset
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
	})
	return l.Addr().String()
}
