package boards

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/telemetry"
)

// metricQuery is a metric query in its parts:
// agg:metric{filter,...} by {tag,...}.as_count().rollup(sum, seconds).
type metricQuery struct {
	agg     string
	metric  telemetry.Metric
	filters []filter
	by      []string
	step    time.Duration // of rollup; 0 when the window decides
}

// filter is one condition on a tag. A template variable stands for all values.
type filter struct {
	tag, value string
	not        bool
}

var queryForm = regexp.MustCompile(`^(\w+):([\w.]+)\{([^{}]*)\}(?: by \{([\w,]+)\})?(?:\.as_count\(\))?(?:\.rollup\((?:sum, )?(\d+)\))?$`)

// parse reads a query.
func parse(text string) (metricQuery, error) {
	part := queryForm.FindStringSubmatch(text)
	if part == nil {
		return metricQuery{}, fmt.Errorf("query %q is not of the form agg:metric{filters} by {tags}.as_count().rollup(sum, seconds)", text)
	}
	q := metricQuery{agg: part[1]}
	var ok bool
	if q.metric, ok = find(part[2]); !ok {
		return q, fmt.Errorf("query %q: metric %q is not in docs/metrics.md", text, part[2])
	}
	if part[4] != "" {
		q.by = strings.Split(part[4], ",")
	}
	if part[5] != "" {
		seconds, err := strconv.Atoi(part[5])
		if err != nil || seconds == 0 {
			return q, fmt.Errorf("query %q: rollup of %q seconds", text, part[5])
		}
		q.step = time.Duration(seconds) * time.Second
	}
	for one := range strings.SplitSeq(part[3], ",") {
		if strings.HasPrefix(one, "$") {
			continue // a template variable: all values
		}
		positive, not := strings.CutPrefix(one, "!")
		tag, value, ok := strings.Cut(positive, ":")
		if !ok {
			return q, fmt.Errorf("query %q: filter %q is neither $variable nor tag:value", text, one)
		}
		q.filters = append(q.filters, filter{tag, value, not})
	}
	return q, nil
}

// find returns the metric of a name. The scores of all evaluators are one row of the
// table.
func find(name string) (telemetry.Metric, bool) {
	prefix := strings.TrimSuffix(telemetry.ScoreMetric, "<name>")
	var score telemetry.Metric
	for _, m := range telemetry.Metrics() {
		switch m.Name {
		case name:
			return m, true
		case telemetry.ScoreMetric:
			score = m
		}
	}
	if eval, ok := strings.CutPrefix(name, prefix); ok && eval != "" {
		score.Name = name
		return score, true
	}
	return telemetry.Metric{}, false
}

// accepts reports whether the query takes a series with these tags.
func (q metricQuery) accepts(tags map[string]string) bool {
	for _, f := range q.filters {
		if (tags[f.tag] == f.value) == f.not {
			return false
		}
	}
	return true
}
