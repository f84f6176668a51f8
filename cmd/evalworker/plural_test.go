package main

import "testing"

// TestPlural: one thing has the singular.
func TestPlural(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 letters were refused", 1: "1 letter was refused", 2: "2 letters were refused"} {
		if got := (&refusedError{n}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
