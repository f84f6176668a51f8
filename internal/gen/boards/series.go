package boards

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// spans are the windows that a widget may ask for.
var spans = map[string]time.Duration{
	"": 24 * time.Hour, "1h": time.Hour, "4h": 4 * time.Hour, "1d": 24 * time.Hour, "1w": 7 * 24 * time.Hour, "1mo": 30 * 24 * time.Hour,
}

// key returns the values of tags, by which a group is told from others.
func key(tags map[string]string, by []string) string {
	values := make([]string, len(by))
	for i, tag := range by {
		values[i] = tags[tag]
	}
	return strings.Join(values, "\x00")
}

// series evaluates a query over a window that ends so long before the simulated day
// does, one point a step.
func (w world) series(q metricQuery, span, step, ago time.Duration) (table, error) {
	flows, err := w.flows(q.metric.Name)
	if err != nil {
		return table{}, err
	}
	from := end.Add(-ago - span)
	out := table{groups: map[string][]float64{}, absent: math.NaN(), points: int(span / step)}
	weights := map[string][]float64{}
	for _, f := range flows {
		if !q.accepts(f.tags) {
			continue
		}
		k := key(f.tags, q.by)
		values, had := out.groups[k]
		if !had {
			values = make([]float64, out.points)
			for i := range values {
				values[i] = math.NaN()
			}
			weights[k] = make([]float64, out.points)
		}
		known := false
		for i := range values {
			v, weight := f.at(q.agg, q.metric.Name, from.Add(time.Duration(i)*step), step)
			if math.IsNaN(v) {
				continue
			}
			known = true
			values[i] = q.join(values[i], v, weights[k][i], weight)
			weights[k][i] += weight
		}
		if known { // a series without a point does not exist
			out.groups[k] = values
		}
	}
	return out, nil
}

// join aggregates a point of one more series into that of the others.
func (q metricQuery) join(a, b, weightA, weightB float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case q.agg == "sum" || q.agg == "count":
		return a + b
	case q.agg == "max":
		return max(a, b)
	case q.agg == "min":
		return min(a, b)
	}
	return (a*weightA + b*weightB) / (weightA + weightB)
}

// reduce makes one value of each group, as a scalar query's aggregator says.
func (t table) reduce(aggregator string) (table, error) {
	out := table{groups: map[string][]float64{}, absent: t.absent, points: 1}
	for k, values := range t.groups {
		total, n, last, least, most := 0.0, 0.0, math.NaN(), math.Inf(1), math.Inf(-1)
		for _, v := range values {
			if !math.IsNaN(v) {
				total, n, last, least, most = total+v, n+1, v, min(least, v), max(most, v)
			}
		}
		switch aggregator {
		case "sum":
			out.groups[k] = []float64{total}
		case "avg", "percentile":
			out.groups[k] = []float64{total / n}
		case "last":
			out.groups[k] = []float64{last}
		case "min":
			out.groups[k] = []float64{least}
		case "max":
			out.groups[k] = []float64{most}
		default:
			return table{}, fmt.Errorf("aggregator %q is not known here", aggregator)
		}
	}
	return out, nil
}

// result is what one formula of a request gives.
type result struct {
	formula formula
	table   table
	by      []string
}

// run evaluates the formulas of a request over a window, as a series or as one value a
// group.
func (b *board) run(r request, span time.Duration, scalar bool) ([]result, error) {
	queries := map[string]metricQuery{}
	aggregators := map[string]string{}
	var first metricQuery
	for i, one := range r.Queries {
		q, err := parse(one.Query)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = q
		}
		if strings.Join(q.by, ",") != strings.Join(first.by, ",") && len(q.by) > 0 && len(first.by) > 0 {
			return nil, fmt.Errorf("query %q groups by other tags than the others", one.Query)
		}
		if q.step != first.step {
			return nil, fmt.Errorf("query %q has another rollup than the others", one.Query)
		}
		queries[one.Name], aggregators[one.Name] = q, one.Aggregator
	}
	points := first.step
	if points == 0 {
		points = step(span)
	}
	var out []result
	for _, f := range r.Formulas {
		if f.Alias == "" {
			return nil, fmt.Errorf("formula %q has no alias", f.Formula)
		}
		t, err := evaluate(f.Formula, func(name string, ago time.Duration) (table, error) {
			q, ok := queries[name]
			if !ok {
				return table{}, fmt.Errorf("%q is no query of this request", name)
			}
			t, err := b.world.series(q, span, points, ago)
			if err != nil || !scalar {
				return t, err
			}
			return t.reduce(aggregators[name])
		})
		if err != nil {
			return nil, err
		}
		out = append(out, result{f, t, first.by})
	}
	return out, nil
}
