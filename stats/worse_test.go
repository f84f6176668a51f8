package stats

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactTail sums the hypergeometric distribution in whole numbers.
func exactTail(fa, na, fb, nb int64) float64 {
	fails, all := fa+fb, na+nb
	sum := new(big.Int)
	for k := fa; k <= min(fails, na); k++ {
		if fails-k > nb {
			continue
		}
		term := new(big.Int).Binomial(fails, k)
		sum.Add(sum, term.Mul(term, new(big.Int).Binomial(all-fails, na-k)))
	}
	p, _ := new(big.Rat).SetFrac(sum, new(big.Int).Binomial(all, na)).Float64()
	return p
}

func TestHypergeometricTail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		fa, na, fb, nb float64
		want           float64
	}{
		{"Fisher's tea, three of four cups", 3, 4, 1, 4, 17.0 / 70},
		{"Fisher's tea, all four cups", 4, 4, 0, 4, 1.0 / 70},
		{"convictions of twins, Fisher 1962", 10, 13, 2, 17, 0.0004651809},
		{"nothing fails", 0, 50, 0, 50, 1},
		{"everything fails", 50, 50, 50, 50, 1},
		{"no baseline", 3, 10, 0, 0, 1},
	} {
		if got := hypergeometricTail(tt.fa, tt.na, tt.fb, tt.nb); !near(got, tt.want, 1e-9) {
			t.Errorf("%s: %.10f, want %.10f", tt.name, got, tt.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		na, nb := 1+r.Int64N(150), 1+r.Int64N(400)
		fa, fb := r.Int64N(na+1), r.Int64N(nb+1)
		want := exactTail(fa, na, fb, nb)
		got := hypergeometricTail(float64(fa), float64(na), float64(fb), float64(nb))
		if !near(got, want, 1e-9) || want > 1e-280 && !near(got/want, 1, 1e-6) {
			t.Fatalf("%d of %d and %d of %d: %g, want %g", fa, na, fb, nb, got, want)
		}
	}
	if p := hypergeometricTail(5e6, 1e8, 5e6, 1e8); !near(p, 0.5, 1e-3) {
		t.Errorf("large counts: %g, want a half", p)
	}
}

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

func TestHolm(t *testing.T) {
	t.Parallel()
	rs := []Comparison{{PValue: 0.005}, {PValue: 0.01}, {PValue: 0.03}, {PValue: 0.04}, {PValue: 0.9}}
	holm(rs)
	for i, want := range []float64{0.025, 0.04, 0.09, 0.09, 0.9} {
		if !near(rs[i].PValue, want, 1e-15) {
			t.Errorf("p %d = %g, want %g", i, rs[i].PValue, want)
		}
	}
}

func TestWorseThanMost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ps   []float64
		want float64
	}{
		{nil, 0},
		{[]float64{0.2}, 0.2},
		{[]float64{0.3, 0.01}, 0.3},                   // both of two
		{[]float64{0.9, 0.02, 0.01}, 0.04},            // two of three: twice the second
		{[]float64{0.9, 0.02, 0.8, 0.01}, 1},          // three of four: twice the third
		{[]float64{0.9, 0.01, 0.02, 0.03, 0.8}, 0.09}, // three of five: three times the third
	} {
		if got := worseThanMost(tt.ps); !near(got, tt.want, 1e-15) {
			t.Errorf("%v: %g, want %g", tt.ps, got, tt.want)
		}
	}
}

// TestWorseIsExact: with equal weights on each side the test is Fisher's on the
// real counts, whatever the two weights are.
func TestWorseIsExact(t *testing.T) {
	t.Parallel()
	series := func(passes, fails int, p float64) Cell {
		var c Cell
		for range passes {
			c.Add(Pass, p)
		}
		for range fails {
			c.Add(Fail, p)
		}
		return c
	}
	r := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		na, nb := MinDecided+r.IntN(300), 1+r.IntN(300)
		fa, fb := r.IntN(na+1), r.IntN(nb+1)
		want := exactTail(int64(fa), int64(na), int64(fb), int64(nb))
		got, ok := Worse(series(na-fa, fa, 0.05), series(nb-fb, fb, 1.0/3))
		if !ok || !near(got, want, 1e-9) {
			t.Fatalf("%d of %d and %d of %d: %g, want %g", fa, na, fb, nb, got, want)
		}
	}
	if _, ok := Worse(series(0, MinDecided-1, 1), series(MinDecided-1, 0, 1)); ok {
		t.Error("too few verdicts are compared")
	}
	if _, ok := Worse(Cell{NotApplicable: 1000}, series(1000, 0, 1)); ok {
		t.Error("nothing is compared")
	}
}
