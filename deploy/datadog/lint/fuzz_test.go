package lint

import (
	"strings"
	"testing"
)

// FuzzQuery: the parsers end, and the metrics that they find stand in the text.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"sum(last_30m):100 * sum:a.b{x:y,!z:*} by {t}.as_count() / (count:c{*} + 20) > 5",
		"pct_change(avg(last_1h),1d_ago):anomalies(avg:m{a IN (b,${c}) AND NOT $d}, 'agile', 3, interval=60) >= -1.5",
		"default_zero(sum:m{$env.value OR x:$y}.rollup(sum, 60)) - timeshift(q, -86400)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseMonitor(s)
		e, other := parseExpression(s)
		if err == nil && other == nil {
			t.Errorf("%q is a monitor's query and an expression", s)
		}
		for _, m := range append(metricsOf(a.value), metricsOf(e)...) {
			if m.name == "" || !strings.Contains(s, m.aggregation+":"+m.name) {
				t.Errorf("%q has no metric %s:%s", s, m.aggregation, m.name)
			}
		}
	})
}
