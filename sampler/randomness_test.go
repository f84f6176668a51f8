package sampler

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// TestGolden: R never changes, because replicas of different builds must agree. The
// values were computed with a separate implementation of xxHash64.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		salt  string
		trace uint64
		want  uint64
	}{
		{"evalworker", 123456789, 0xbcee18955e90ba},
		{"evalworker", 1, 0x027c031093af17},
		{"evalworker", 0x8448eb211c80319c, 0xe4aa615bfb99f3},
		{"evalworker", math.MaxUint64, 0x3dde35652f3b23},
		{"", 123456789, 0x487b7a29776cc8},
		{"blue", 123456789, 0xa3dbb9aa941c1b},
	} {
		h := newHasher(tt.salt)
		if got := h.ofTrace(tt.trace); got != tt.want {
			t.Errorf("R of trace %d under %q = %#x, want %#x", tt.trace, tt.salt, got, tt.want)
		}
	}
	for _, tt := range []struct {
		salt, id string
		want     uint64
	}{
		{"evalworker", "123456789", 0x95d9bc9c888bf7},
		{"evalworker", "req_9f3a", 0x6b809316dd7b91},
		{"evalworker", strings.Repeat("x", 120), 0x54c9508136562e},
		{"evalworker", strings.Repeat("x", 121), 0x6875cd124504ff},
		{"evalworker", strings.Repeat("x", 300), 0x2d1b03ef909236},
		{"", "req_9f3a", 0xaf99b51f998097},
	} {
		h := newHasher(tt.salt)
		if got := ofRequest(&h, tt.id); got != tt.want {
			t.Errorf("R of request %.20s under %q = %#x, want %#x", tt.id, tt.salt, got, tt.want)
		}
		if s, b := ofRequest(&h, tt.id), ofRequest(&h, []byte(tt.id)); s != b {
			t.Errorf("R of a string is %#x, of its bytes %#x", s, b)
		}
	}
}

// TestUniform: R is uniform over its range, for consecutive ids and for ids that
// look random. 255 degrees of freedom; a chi-square above 347.7 has probability
// 1e-4, one below 178.7 as well.
func TestUniform(t *testing.T) {
	t.Parallel()
	const n, buckets = 1 << 18, 256
	h := newHasher("evalworker")
	for name, r := range map[string]func(i uint64) uint64{
		"sequential traces":   h.ofTrace,
		"multiplied traces":   func(i uint64) uint64 { return h.ofTrace(i * 0x9e3779b97f4a7c15) },
		"sequential requests": func(i uint64) uint64 { return ofRequest(&h, "req_"+strconv.FormatUint(i, 10)) },
	} {
		var count [buckets]float64
		for i := range uint64(n) {
			v := r(i + 1)
			if v >= scale {
				t.Fatalf("%s: R = %#x is not below 2^56", name, v)
			}
			count[v>>48]++
		}
		var chi float64
		for _, c := range count {
			d := c - n/buckets
			chi += d * d / (n / buckets)
		}
		if chi > 347.7 || chi < 178.7 {
			t.Errorf("%s: chi-square = %.1f", name, chi)
		}
	}
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]uint64{0: 0, 1: scale, 0.5: scale / 2, 0.25: scale / 4, minRate: 72057594, math.Nextafter(1, 0): scale - 8} {
		if got := threshold(rate); got != want {
			t.Errorf("threshold(%g) = %d, want %d", rate, got, want)
		}
	}
}

func TestUpstream(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]float64{
		"":                                 1,
		"ot=th:0":                          1,
		"ot=th:8":                          0.5,
		"ot=th:c":                          0.25,
		"ot=th:fd70a4":                     float64(scale-0xfd70a400000000) / scale,
		"ot=th:ffffef39085f4a":             float64(scale-0xffffef39085f4a) / scale, // one in a million
		"ot=th:ffffef39085f4b":             1,                                       // less is implausible
		"ot=th:ffffffffffffff":             1,
		"ot=rv:8e6d1a75832a2f;th:8":        0.5,
		"ot=th:8;rv:80000000000000":        0.5,
		"ot=rv:7fffffffffffff;th:8":        1,   // it would not have been kept
		"ot=rv:7;th:8":                     0.5, // no randomness: all digits count
		"ot=rv:7ffffffffffffg;th:8":        0.5,
		"dd=s:2;t.dm:-4,ot=th:8":           0.5,
		"dd=s:2 ,\tot=th:8 , vendor=x":     0.5,
		"ot=th:8,ot=th:c":                  0.5, // the member on the left is the newest
		"ot=th:8;th:c":                     0.5,
		"ot=rv:6e6d1a75832a2f":             1,
		"xot=th:8":                         1,
		"ot=xth:8":                         1,
		"ot=th:":                           1,
		"ot=th:fffffffffffffff":            1, // fifteen digits
		"ot=th:C":                          1, // digits are lower-case
		"ot=th:0x8":                        1,
		"ot=th:8 8":                        1,
		"ot":                               1,
		",,;=":                             1,
		strings.Repeat("a=b,", 1000):       1,
		"ot=p:8;r:62":                      1, // an earlier draft of the specification
		"vendor=ot=th:8,other=\"ot=th:8\"": 1,
	} {
		if got := upstream(true, state, 0); got != want {
			t.Errorf("upstream(%q) = %g, want %g", state, got, want)
		}
		if got := upstream(true, []byte(state), 0); got != want {
			t.Errorf("upstream of the bytes of %q = %g, want %g", state, got, want)
		}
	}
}

// TestUpstreamOfTraces: of the traces that a tracer sampled by their ids, the kept
// ones represent all; a trace that it cannot have kept counts as one.
func TestUpstreamOfTraces(t *testing.T) {
	t.Parallel()
	const (
		n        = 1 << 16
		rejected = 0xe6666666666666 // of ten traces it keeps one
	)
	var weights float64
	for i := range uint64(n) {
		trace := (i + 1) * 0x9e3779b97f4a7c15
		p := upstream(true, "ot=th:e6666666666666", trace)
		switch kept := trace%scale >= rejected; {
		case kept:
			weights += 1 / p
		case p != 1:
			t.Fatalf("trace %#x is below the threshold; probability %g, want 1", trace, p)
		}
	}
	if got := weights / n; got < 0.99 || got > 1.01 {
		t.Errorf("the kept traces count for %.3f of all", got)
	}
	for trace, want := range map[uint64]float64{0: 0.5, 1: 1, 0xff7fffffffffffff: 1, 0x0080000000000000: 0.5} {
		if got := upstream(true, "ot=th:8", trace); got != want {
			t.Errorf("upstream of trace %#x = %g, want %g", trace, got, want)
		}
		if got := upstream(true, "ot=th:8;rv:ffffffffffffff", trace); got != 0.5 {
			t.Errorf("upstream of trace %#x with randomness of its own = %g, want 0.5", trace, got)
		}
	}
}

func FuzzUpstream(f *testing.F) {
	for _, s := range []string{"ot=th:fd70a4", "dd=s:1,ot=rv:00;th:8", "ot=th:", ", ot=th:ffffffffffffff;"} {
		f.Add(s, uint64(0x8448eb211c80319c))
	}
	f.Fuzz(func(t *testing.T, s string, trace uint64) {
		if p := upstream(true, s, trace); !(p >= minUpstream && p <= 1) {
			t.Errorf("upstream(%q, %#x) = %g", s, trace, p)
		}
	})
}
