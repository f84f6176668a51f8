package redact

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestWindowsHideNothing: a match that an expression finds in a whole text is found
// in its windows too, whatever surrounds it.
func TestWindowsHideNothing(t *testing.T) {
	t.Parallel()
	parts := []string{
		" ", "\n", `\n`, "a", "x_", ":", "=", `"`, `\"`, "'", ",", "(", ")", "-", ".", "/", "+", "@", "%40", "\u00e9", "\u00a0", "\u2011", "\u20ac",
		"password", "api_key", "token", "secret", "aws_secret_access_key", "Bearer ", "Basic ", "BIC", "EUR", "12", "2026-11-26", ":443",
		"4" + strings.Repeat("1", 15), "4111 1111" + " 1111 1111", "DE89370400440532013000", "AT61 1904 3002" + " 3457 3201", "123-45" + "-6789",
		"415-555" + "-0132", "+49 30 " + "901820", "(415) 555" + "-0132", "06 12 34" + " 56 78", "203.0." + "113.9", "2001:db8::" + "1",
		"bob" + "@example.com", "https://u:" + "p4ss@h/x", "hunter2" + "!x9", "sk-" + strings.Repeat("aB3dE5fG", 3), "AKIA" + strings.Repeat("ABCD", 4),
	}
	all := builtIn().finders
	d, err := NewDetector(nil)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		var b strings.Builder
		for range 1 + random.IntN(9) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		text := reading(0).read(b.String())
		found := make([]bool, len(text))
		for _, m := range d.Find(text) {
			for i := m.Start; i < m.End; i++ {
				found[i] = true
			}
		}
		for i := range all {
			for _, m := range all[i].find(nil, text, window{0, len(text)}) {
				for j := m.Start; j < m.End; j++ {
					if !found[j] {
						t.Fatalf("%s: of %q in %q the windows hide byte %d", m.Kind, text[m.Start:m.End], text, j)
					}
				}
			}
		}
	}
}
