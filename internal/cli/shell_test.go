package cli_test

import (
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestQuote: a text is one word of a shell, and bare when it can be.
func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/tmp/a-b_c.yaml": "/tmp/a-b_c.yaml", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "a;b": "'a;b'", "größe.db": "größe.db",
	} {
		if got := cli.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}
