package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// TestServeWithoutAccess: a sidecar that the cluster does not let in keeps events, and
// says in the words of its command line what to mend.
func TestServeWithoutAccess(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(broker.Config{
		Topics: map[string]int32{topic: 1}, Users: []broker.User{{Mechanism: "SCRAM-SHA-512", Name: "app", Password: "right"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	wrong := strings.Repeat("canary", 3)
	password := passwordFile(t, wrong)
	s := serve(t, "--brokers", b.Addr(), "--spool-dir", filepath.Join(t.TempDir(), "spool"), "--grace", "1ms",
		"--sasl-mechanism", "SCRAM-SHA-512", "--sasl-username", "app", "--sasl-password-file", password)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	if status, err := post(t.Context(), client, s.url, oneEvent); err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	got, err := lastError(client, s.url)
	if err != nil {
		t.Fatal(err)
	}
	want := "broker " + b.Addr() + `: Kafka refuses the login by SCRAM-SHA-512 as user "app": SASL Authentication Failed (Kafka error 58); ` +
		"check --sasl-username and what " + password + " (--sasl-password-file) holds; it is read again at each attempt"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if code := s.stop(t); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
}

// lastError returns the error of Kafka in /statusz, once an attempt has failed.
func lastError(client *http.Client, url string) (string, error) {
	for {
		resp, err := client.Get(url + "/statusz") //nolint:noctx // on loopback
		if err != nil {
			return "", err
		}
		var st struct {
			Kafka struct {
				LastError string `json:"last_error"`
			}
		}
		if err := errors.Join(json.NewDecoder(resp.Body).Decode(&st), resp.Body.Close()); err != nil || st.Kafka.LastError != "" {
			return st.Kafka.LastError, err
		}
	}
}
