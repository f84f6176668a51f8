package secret_test

import (
	"testing"

	"github.com/evalworker/evalworker/internal/config/secret"
)

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
