package boards

import (
	"fmt"
	"regexp"
	"slices"
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
	count   bool
	step    time.Duration // of rollup; 0 when the window decides
}

// filter is one condition on a tag. A template variable stands for all values.
type filter struct {
	tag, value string
	not        bool
}

var queryForm = regexp.MustCompile(`^(\w+):([\w.]+)\{([^{}]*)\}(?: by \{([\w,]+)\})?(\.as_count\(\))?(?:\.rollup\((?:sum, )?(\d+)\))?$`)

// parse reads a query, and checks it against the table of metrics: its name, and each
// tag that it filters or groups by.
func parse(text string, variables []variable) (metricQuery, error) {
	part := queryForm.FindStringSubmatch(text)
	if part == nil {
		return metricQuery{}, fmt.Errorf("query %q is not of the form agg:metric{filters} by {tags}.as_count().rollup(sum, seconds)", text)
	}
	q := metricQuery{agg: part[1], count: part[5] != ""}
	var ok bool
	if q.metric, ok = find(part[2]); !ok {
		return q, fmt.Errorf("query %q: metric %q is not in docs/metrics.md", text, part[2])
	}
	if part[4] != "" {
		q.by = strings.Split(part[4], ",")
	}
	if part[6] != "" {
		seconds, err := strconv.Atoi(part[6])
		if err != nil || seconds == 0 {
			return q, fmt.Errorf("query %q: rollup of %q seconds", text, part[6])
		}
		q.step = time.Duration(seconds) * time.Second
	}
	counts := q.metric.Type == telemetry.TypeCount || q.metric.Type == telemetry.TypeDistribution && q.agg == "count"
	if counts != q.count {
		return q, fmt.Errorf("query %q: .as_count() belongs to counts and to the count of a distribution, and to all of them; %s is a %s", text, q.metric.Name, q.metric.Type)
	}
	if isPercentile := len(q.agg) > 1 && q.agg[0] == 'p'; isPercentile && q.metric.Type != telemetry.TypeDistribution {
		return q, fmt.Errorf("query %q: %s is a %s, which has no percentiles", text, q.metric.Name, q.metric.Type)
	}
	used := slices.Clone(q.by)
	for one := range strings.SplitSeq(part[3], ",") {
		if name, isVariable := strings.CutPrefix(one, "$"); isVariable {
			i := slices.IndexFunc(variables, func(v variable) bool { return v.Name == name })
			if i < 0 {
				return q, fmt.Errorf("query %q: $%s is no template variable of this board", text, name)
			}
			used = append(used, variables[i].Prefix)
			continue
		}
		positive, not := strings.CutPrefix(one, "!")
		tag, value, ok := strings.Cut(positive, ":")
		if !ok {
			return q, fmt.Errorf("query %q: filter %q is neither $variable nor tag:value", text, one)
		}
		q.filters = append(q.filters, filter{tag, value, not})
		used = append(used, tag)
	}
	for _, tag := range used {
		if !slices.Contains(q.metric.Tags, tag) && !slices.Contains([]string{"env", "service", "version"}, tag) {
			return q, fmt.Errorf("query %q: %s does not carry the tag %q", text, q.metric.Name, tag)
		}
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
