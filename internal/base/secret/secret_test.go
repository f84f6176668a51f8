package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/secret"
)

// TestNothingPrintsIt tries every way in which a configuration is printed.
func TestNothingPrintsIt(t *testing.T) {
	t.Parallel()
	plain := strings.Repeat("canary", 3)
	holder := struct{ Key secret.String }{secret.String(plain)}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "key", holder.Key, "all", holder)
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := holder.Key.MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{
		fmt.Sprint(holder), fmt.Sprintf("%v %+v %#v", holder, holder, holder), fmt.Sprintf("%s %q", holder.Key, holder.Key),
		string(asJSON), log.String(), fmt.Sprint(asYAML),
	}
	for _, p := range printed {
		if strings.Contains(p, plain) || !strings.Contains(p, "[REDACTED]") {
			t.Errorf("printed: %s", p)
		}
	}
	for _, verb := range "vsqxXdbotcUeg" { // %x prints [REDACTED] in hexadecimal
		for _, flags := range []string{"", "+", "#", "-30"} {
			for _, v := range []any{holder, &holder, holder.Key, []secret.String{holder.Key}} {
				p := fmt.Sprintf("%"+flags+string(verb), v)
				if strings.Contains(p, plain) || strings.Contains(strings.ToLower(p), fmt.Sprintf("%x", plain)) {
					t.Errorf("%%%s%c of %T: %s", flags, verb, v, p)
				}
			}
		}
	}
	if p := fmt.Sprintf("%#v %d", holder.Key, holder.Key); p != `"[REDACTED]" %!d(string=[REDACTED])` {
		t.Error(p)
	}
	if holder.Key.Reveal() != plain {
		t.Error("the secret itself is lost")
	}
	if s := secret.String(""); s.String() != "" {
		t.Errorf("no secret prints as %q", s)
	}
}

// TestLoopback: the hosts that need neither encryption nor a token.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true, "localhost": true, "LocalHost": true, "localhost.": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.7": false, "localhost.example": false, "example": false,
	} {
		if got := secret.Loopback(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}
