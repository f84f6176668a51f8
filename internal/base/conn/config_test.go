package conn

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl"

	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	own, other := ca.Issue(t, time.Hour), ca.Issue(t, time.Hour)
	tests := []struct {
		name   string
		change func(*Config)
		paths  []string
	}{
		{"default", func(*Config) {}, nil},
		{"no brokers", func(c *Config) { c.Brokers = nil }, []string{"brokers"}},
		{"no port", func(c *Config) { c.Brokers = []string{"a:9092", "b"} }, []string{"brokers[1]"}},
		{"no host", func(c *Config) { c.Brokers = []string{":9092"} }, []string{"brokers[0]"}},
		{"port out of range", func(c *Config) { c.Brokers = []string{"a:70000"} }, []string{"brokers[0]"}},
		{"IPv6", func(c *Config) { c.Brokers = []string{"[::1]:9092"} }, nil},
		{"TLS", func(c *Config) { c.TLS.Enabled = true }, nil},
		{"TLS settings without TLS", func(c *Config) { c.TLS.CAFile, c.TLS.ServerName = "ca.pem", "kafka" }, []string{"tls.ca_file", "tls.server_name"}},
		{"no authority", func(c *Config) { c.TLS = TLS{Enabled: true, CAFile: "/nowhere/ca.pem"} }, []string{"tls.ca_file"}},
		{"certificate without a key", func(c *Config) { c.TLS = TLS{Enabled: true, CertFile: own.CertFile} }, []string{"tls.cert_file"}},
		{"key without a certificate", func(c *Config) { c.TLS = TLS{Enabled: true, KeyFile: own.KeyFile} }, []string{"tls.key_file"}},
		{"key of another certificate", func(c *Config) { c.TLS = TLS{Enabled: true, CertFile: own.CertFile, KeyFile: other.KeyFile} }, []string{"tls.key_file"}},
		{"no certificate", func(c *Config) { c.TLS = TLS{Enabled: true, CertFile: "/nowhere", KeyFile: own.KeyFile} }, []string{"tls.cert_file"}},
		{"a key as the authority", func(c *Config) { c.TLS = TLS{Enabled: true, CAFile: own.KeyFile} }, []string{"tls.ca_file"}},
		{"mutual TLS", func(c *Config) { c.TLS = TLS{Enabled: true, CertFile: own.CertFile, KeyFile: own.KeyFile} }, nil},
		{"user without a mechanism", func(c *Config) { c.SASL.Username, c.SASL.Region = "w", "eu-west-1" }, []string{"sasl.username", "sasl.region"}},
		{"unknown mechanism", func(c *Config) { c.SASL.Mechanism = "SCRAM-SHA512" }, []string{"sasl.mechanism"}},
		{"SCRAM without anything", func(c *Config) { c.SASL.Mechanism = ScramSHA256 }, []string{"sasl.username", "sasl.password_file"}},
		{"SCRAM", func(c *Config) { c.SASL = SASL{Mechanism: ScramSHA256, Username: "w", Password: "p"} }, nil},
		{"SCRAM with a region", func(c *Config) { c.SASL = SASL{Mechanism: ScramSHA256, Username: "w", Password: "p", Region: "r"} }, []string{"sasl.region"}},
		{"two passwords", func(c *Config) {
			c.SASL = SASL{Mechanism: ScramSHA512, Username: "w", Password: "p", PasswordFile: "f"}
		}, []string{"sasl.password_file"}},
		{"no password file", func(c *Config) { c.SASL = SASL{Mechanism: ScramSHA512, Username: "w", PasswordFile: "/nowhere"} }, []string{"sasl.password_file"}},
		{"PLAIN on this machine", func(c *Config) {
			c.Brokers = []string{"localhost:9092", "127.0.0.2:1", "[::1]:9"}
			c.SASL = SASL{Mechanism: Plain, Username: "w", Password: "p"}
		}, nil},
		{"PLAIN beyond", func(c *Config) {
			c.Brokers, c.SASL = []string{"localhost:9092", "kafka:9092"}, SASL{Mechanism: Plain, Username: "w", Password: "p"}
		}, []string{"sasl.mechanism"}},
		{"PLAIN beyond, with TLS", func(c *Config) {
			c.Brokers, c.SASL = []string{"kafka:9092"}, SASL{Mechanism: Plain, Username: "w", Password: "p"}
			c.TLS.Enabled = true
		}, nil},
		{"IAM without TLS", func(c *Config) { c.SASL.Mechanism = AWSMSKIAM }, []string{"sasl.mechanism"}},
		{"IAM with a password", func(c *Config) {
			c.TLS.Enabled, c.SASL = true, SASL{Mechanism: AWSMSKIAM, Region: "eu-west-1", Password: "p"}
		}, []string{"sasl.password"}},
		{"all at once", func(c *Config) { c.Brokers = []string{"x"}; c.DialTimeout = -time.Second }, []string{"brokers[0]", "dial_timeout"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			tt.change(&cfg)
			var paths []string
			for _, f := range cfg.Validate() {
				paths = append(paths, f.Path)
				if f.Expected == "" {
					t.Errorf("%s: does not say how to mend it", f.Path)
				}
			}
			if diff := testdiff.Of(tt.paths, paths); diff != "" {
				t.Errorf("paths of faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWarning: SCRAM hides the password alone.
func TestWarning(t *testing.T) {
	t.Parallel()
	scram := SASL{Mechanism: ScramSHA512, Username: "w", Password: "p"}
	for _, tt := range []struct {
		name string
		cfg  Config
		warn bool
	}{
		{"no login", Config{Brokers: []string{"kafka:9092"}}, false},
		{"SCRAM on this machine", Config{Brokers: []string{"localhost:9092"}, SASL: scram}, false},
		{"SCRAM with TLS", Config{Brokers: []string{"kafka:9092"}, SASL: scram, TLS: TLS{Enabled: true}}, false},
		{"SCRAM beyond", Config{Brokers: []string{"localhost:9092", "kafka:9092"}, SASL: scram}, true},
	} {
		if got := tt.cfg.Warning(); (got != "") != tt.warn || tt.warn && !strings.Contains(got, "events travel to kafka:9092") {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// TestSuggestMechanism: a name as other clients write it is recognised.
func TestSuggestMechanism(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"SCRAM-SHA512": ScramSHA512, "scram-sha-256": ScramSHA256, "SCRAM_SHA_512": ScramSHA512, "plain": Plain, "AWS-MSK-IAM": AWSMSKIAM,
	} {
		if got := suggestMechanism(name); got != fmt.Sprintf("did you mean %q?", want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := suggestMechanism("GSSAPI"); got != "want one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, AWS_MSK_IAM" {
		t.Errorf("GSSAPI: %s", got)
	}
}

// TestRoundsAreBounded: an impostor of a broker must neither get a proof from which
// the password is easy to guess nor keep this machine busy.
func TestRoundsAreBounded(t *testing.T) {
	t.Parallel()
	for rounds, allowed := range map[string]bool{"4096": true, "1000000": true, "1": false, "2000000000": false, "x": false, "99999999999999999999": false} {
		asked := false
		b := boundedScram{stateFunc(func() { asked = true })}
		_, _, err := b.Next(t.Context(), []byte("r=abc,s=c2FsdA==,i="+rounds))
		if asked != allowed || (err == nil) != allowed {
			t.Errorf("%s rounds: hashed %v, error %v", rounds, asked, err)
		}
	}
}

type stateFunc func()

func (f stateFunc) Next(context.Context, []byte) (bool, []byte, error) { f(); return true, nil, nil }

// TestPlainToABrokerElsewhere: brokers name others, which Validate has not checked.
func TestPlainToABrokerElsewhere(t *testing.T) {
	t.Parallel()
	l := &login{cfg: SASL{Mechanism: Plain, Username: "w", Password: "p"}}
	for host, allowed := range map[string]bool{"127.0.0.1": true, "localhost": true, "10.0.0.7": false, "kafka-2": false} {
		_, first, err := l.Start(sasl.WithMetadata(t.Context(), &sasl.Metadata{Host: host, Port: 9092}))
		if (err == nil) != allowed || (first != nil) != allowed {
			t.Errorf("%s: %q, %v", host, first, err)
		}
	}
}
