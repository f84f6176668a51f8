package sampler

import "testing"

// TestUnlikely: from how many events on a share is not explained, by the formula worked
// by hand with traces of 200 events.
func TestUnlikely(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rate, share float64
		from        int64 // events
	}{
		{0.1, 0, 26_196},       // 200 * 13.8 / -ln 0.9
		{0.1, 1, 1_199},        // 200 * 13.8 / ln 10
		{0.1, 0.5, 5_403},      // 200 * 13.8 / (0.5 ln 5 + 0.5 ln (5/9))
		{0.9, 1, 26_196},       // as 0.1 and 0
		{0.01, 0, 274_617},     // 200 * 13.8 / -ln 0.99
		{0.5, 0.55, 550_700},   // 200 * 13.8 / (0.55 ln 1.1 + 0.45 ln 0.9)
		{1e-6, 0.001, 467_000}, // 200 * 13.8 / (0.001 ln 1000 + 0.999 ln (0.999/0.999999))
	} {
		for factor, want := range map[float64]bool{0.98: false, 1.02: true} {
			n := int64(float64(tt.from) * factor)
			c := counts{n, int64(float64(n)*tt.share + 0.5)}
			if got := c.unlikely(tt.rate); got != want {
				t.Errorf("rate %v, %d of %d: unlikely %v, want %v", tt.rate, c.kept, c.seen, got, want)
			}
		}
	}
	if (counts{1 << 50, 1 << 49}).unlikely(0.5) {
		t.Error("a share that is its rate is unlikely")
	}
}
