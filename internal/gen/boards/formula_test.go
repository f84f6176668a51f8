package boards

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"
)

func TestFormulas(t *testing.T) {
	t.Parallel()
	none := math.NaN()
	of := func(name string, ago time.Duration) (table, error) {
		groups := map[string]map[string][]float64{
			"pass": {"v1": {90, 3}, "v2": {5, none}},
			"fail": {"v1": {10, 1}, "v3": {2, 2}},
			"all":  {"": {100, 50}},
		}[name]
		if ago == 24*time.Hour {
			groups = map[string][]float64{"": {80, 100}}
		}
		// Formulas may change what they get.
		fresh := map[string][]float64{}
		for k, v := range groups {
			fresh[k] = slices.Clone(v)
		}
		return table{groups: fresh, absent: none, points: 2}, nil
	}
	for _, tt := range []struct {
		formula string
		want    map[string][]float64
	}{
		{"100 * pass / (pass + fail)", map[string][]float64{"v1": {90, 75}, "v2": {none, none}, "v3": {none, none}}},
		{
			"100 * default_zero(pass) / (default_zero(pass) + default_zero(fail))",
			map[string][]float64{"v1": {90, 75}, "v2": {100, none}, "v3": {0, 0}},
		},
		{"pass / all", map[string][]float64{"v1": {0.9, 0.06}, "v2": {0.05, none}}},
		{"all - calendar_shift(all, \"-1d\", \"UTC\")", map[string][]float64{"": {20, -50}}},
		{"abs(all - 75)", map[string][]float64{"": {25, 25}}},
		{"all / (all - 100)", map[string][]float64{"": {none, -1}}},
	} {
		got, err := evaluate(tt.formula, of)
		if err != nil {
			t.Errorf("%s: %v", tt.formula, err)
			continue
		}
		same := func(a, b []float64) bool {
			return slices.EqualFunc(a, b, func(x, y float64) bool { return math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) < 1e-9 })
		}
		if !maps.EqualFunc(got.groups, tt.want, same) {
			t.Errorf("%s: %v, want %v", tt.formula, got.groups, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	two := 2
	for _, tt := range []struct {
		v         float64
		unit      string
		precision *int
		want      string
	}{
		{0, "", nil, "0"},
		{6.748, "percent", nil, "6.75 %"},
		{0.00412, "dollar", nil, "$0.0041"},
		{-3, "dollar", nil, "-$3"},
		{9.5, "dollar", &two, "$9.50"},
		{123456, "token", nil, "123.5k"},
		{999, "millisecond", nil, "999 ms"},
		{8000, "millisecond", nil, "8 s"},
		{45, "second", nil, "45 s"},
		{600, "second", nil, "10 min"},
		{math.NaN(), "percent", nil, "–"},
	} {
		if got := number(tt.v, tt.unit, tt.precision); got != tt.want {
			t.Errorf("%v %s: %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	st := textStyle{size: 10}
	for _, s := range []string{"support_triage 2026-06-01.3", "short", "déjà vu, encore une fois"} {
		for _, room := range []float64{30, 80, 120, 400} {
			got := fit(s, room, st)
			if width(got, st) > room || width(s, st) <= room && got != s {
				t.Errorf("%q in %v: %q of %.0f", s, room, got, width(got, st))
			}
		}
	}
}
