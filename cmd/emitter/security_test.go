package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// configKey is a key of the configuration, as errors below the command line name it.
var configKey = regexp.MustCompile(`\b(tls|sasl)\.[a-z_]+|\b(max|dir|segment|backoff|buffer|batch)_[a-z_]+`)

const oneEvent = `{"event":"llm_request_completed","request_id":"a"}` + "\n"

func securedBroker(t *testing.T, ca *certs.Authority) string {
	t.Helper()
	b, err := broker.Start(broker.Config{
		Topics: map[string]int32{topic: 1}, TLS: ca.Server(t, ca),
		Users: []broker.User{{Mechanism: "SCRAM-SHA-512", Name: "app", Password: "right"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b.Addr()
}

func passwordFile(t *testing.T, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendSecured(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	own := ca.Issue(t, time.Hour)
	addr := securedBroker(t, ca)
	wrong := strings.Repeat("canary", 3)
	let := []string{"--brokers", addr, "--tls", "--tls-ca", ca.File, "--tls-cert", own.CertFile, "--tls-key", own.KeyFile, "--sasl-mechanism", "SCRAM-SHA-512", "--sasl-username", "app"}
	for name, c := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr []string
	}{
		"let in":                 {append(slices.Clip(let), "--sasl-password-file", passwordFile(t, "right")), cli.ExitOK, "sent 1 of 1 line ", nil},
		"wrong password":         {append(slices.Clip(let), "--sasl-password-file", passwordFile(t, wrong)), cli.ExitFailure, "", []string{`refuses the login by SCRAM-SHA-512 as user "app"`, "check --sasl-username and what ", "(--sasl-password-file) holds"}},
		"no certificate":         {append(append([]string{}, let[:5]...), "--sasl-mechanism", "SCRAM-SHA-512", "--sasl-username", "app", "--sasl-password-file", passwordFile(t, "right")), cli.ExitFailure, "", []string{"asks for a client certificate", "set --tls-cert and --tls-key"}},
		"untrusted":              {[]string{"--brokers", addr, "--tls"}, cli.ExitFailure, "", []string{"this machine does not trust", "set --tls-ca to"}},
		"another name":           {append(slices.Clip(let), "--tls-server-name", "kafka.internal", "--sasl-password-file", passwordFile(t, "right")), cli.ExitFailure, "", []string{"is for another name", "set --tls-server-name to a name that it is for, or use such a name in --brokers"}},
		"a key is missing":       {let[:7], cli.ExitUsage, "", []string{"--tls-cert: a certificate without its key; want --tls-key too"}},
		"no password":            {let, cli.ExitUsage, "", []string{"--sasl-password-file: missing"}},
		"a mechanism misspelt":   {[]string{"--sasl-mechanism", "SCRAM-SHA512"}, cli.ExitUsage, "", []string{`--sasl-mechanism: unknown value "SCRAM-SHA512"; did you mean "SCRAM-SHA-512"?`}},
		"a password in the open": {[]string{"--brokers", "kafka:9092", "--sasl-mechanism", "PLAIN", "--sasl-username", "app", "--sasl-password-file", passwordFile(t, wrong)}, cli.ExitUsage, "", []string{"PLAIN without TLS would send the password readable to kafka:9092; want --tls, or SCRAM-SHA-512"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"send", "simulate"} {
				args, stdout := append([]string{"simulate", "--events", "1", "--rate", "0"}, c.args...), "sent 1 event of"
				if command == "send" {
					args, stdout = append([]string{"send", "-"}, c.args...), c.stdout
				}
				if c.stdout == "" {
					stdout = ""
				}
				var out, errs bytes.Buffer
				began := time.Now()
				if code := run(t.Context(), args, strings.NewReader(oneEvent), &out, &errs); code != c.code || !strings.Contains(out.String(), stdout) {
					t.Errorf("%s: exit code %d, want %d; stdout %q, stderr %q", command, code, c.code, &out, &errs)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("%s: told after %v", command, took)
				}
				for _, want := range c.stderr {
					if !strings.Contains(errs.String(), want) {
						t.Errorf("%s: %q does not say %q", command, &errs, want)
					}
				}
				if key := configKey.FindString(errs.String()); key != "" {
					t.Errorf("%s: %q names the key %s, which this program's users have never seen", command, &errs, key)
				}
				if strings.Contains(out.String()+errs.String(), wrong) {
					t.Errorf("%s shows the password: %q %q", command, &out, &errs)
				}
			}
		})
	}
}

// TestSecuredByTheEnvironment uses the variables that a worker reads as well.
func TestSecuredByTheEnvironment(t *testing.T) {
	ca := certs.New(t)
	own := ca.Issue(t, time.Hour)
	for name, value := range map[string]string{
		"KAFKA_BROKERS": securedBroker(t, ca), "KAFKA_TLS_ENABLED": "true", "KAFKA_TLS_CA_FILE": ca.File,
		"KAFKA_TLS_CERT_FILE": own.CertFile, "KAFKA_TLS_KEY_FILE": own.KeyFile,
		"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "app", "KAFKA_SASL_PASSWORD": "right",
	} {
		t.Setenv(name, value)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"send", "-"}, strings.NewReader(oneEvent), &out, &errs); code != cli.ExitOK {
		t.Errorf("exit code %d: %s", code, &errs)
	}
	args := []string{"send", "-", "--sasl-password-file", passwordFile(t, "wrong")}
	if code := run(t.Context(), args, strings.NewReader(oneEvent), &out, &errs); code != cli.ExitFailure || !strings.Contains(errs.String(), "refuses the login") {
		t.Errorf("a flag does not win over the environment: exit code %d, %s", code, &errs)
	}
	t.Setenv("KAFKA_SASL_PASSWORD", "wrong")
	errs.Reset()
	if code := run(t.Context(), []string{"send", "-"}, strings.NewReader(oneEvent), &out, &errs); code != cli.ExitFailure || !strings.Contains(errs.String(), "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD") {
		t.Errorf("a refusal does not name the variables: exit code %d, %s", code, &errs)
	}
	t.Setenv("KAFKA_TLS_ENABLED", "perhaps")
	if code := run(t.Context(), []string{"send", "-"}, strings.NewReader(oneEvent), &out, &errs); code != cli.ExitUsage || !strings.Contains(errs.String(), "KAFKA_TLS_ENABLED: want true or false") {
		t.Errorf("exit code %d, %s", code, &errs)
	}
}
