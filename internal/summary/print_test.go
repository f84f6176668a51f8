package summary

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDrawingStaysInItsScale: the rate is inside its interval, and the interval inside the
// drawing, also where they are as wide as one character.
func TestDrawingStaysInItsScale(t *testing.T) {
	t.Parallel()
	of := func(low, rate, high float64) Eval { return Eval{PassRate: &rate, Low: &low, High: &high} }
	for _, tt := range []struct {
		low  float64
		eval Eval
		want string
	}{
		{0.6, Eval{}, ".         .         ."},
		{0.6, of(0.727, 0.772, 0.813), ".     |--o-|        ."},
		{0.6, of(0.995, 1, 1), ".         .         o"},
		{0.6, of(0.94, 0.97, 0.99), ".         .      |-o|"},
		{0, of(0, 0, 0.975), "o-------------------|"},
		{0, of(0.025, 0.5, 0.975), ".|--------o---------|"},
	} {
		s := scale{tt.low, 21}
		if got := s.draw(tt.eval); got != tt.want {
			t.Errorf("draw(%v) = %q, want %q", tt.eval, got, tt.want)
		}
	}
}

// TestShortNamesStayApart: names are in full where they fit, and shortened in the way that
// keeps them apart.
func TestShortNamesStayApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		in, want []string
	}{
		{"they fit", []string{"2026-06-01.1", "2026-06-01.2"}, []string{"2026-06-01.1", "2026-06-01.2"}},
		{"one beginning", []string{"release-2026-06-01.1", "release-2026-06-01.22"}, []string{"…01.1", "…01.22"}},
		{"one is the beginning of the other", []string{"support-triage-v2", "support-triage-v2-b"}, []string{"…v2", "…v2-b"}},
		{"different beginnings", []string{"anthropic/claude-large", "openai/gpt-large"}, []string{"anthropic/c…", "openai/gpt-…"}},
		{"different ends", []string{"x", "models/2026/large", "models/2026/small"}, []string{"x", "…/2026/large", "…/2026/small"}},
	} {
		got := shorten(tt.in, 12)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
