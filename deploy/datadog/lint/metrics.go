package lint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/telemetry"
	"github.com/evalworker/evalworker/validators"
)

// baseTags stand on every metric: the first three are the program's, host is the agent's.
var baseTags = []string{"env", "service", "version", "host"}

// scorePrefix begins the names of the scores of evaluators, which a team names itself.
var scorePrefix = strings.TrimSuffix(telemetry.ScoreMetric, "<name>")

// functions are the functions of queries and formulas that the files may use, with how
// many arguments each takes.
var functions = map[string][2]int{
	"abs":            {1, 1},
	"anomalies":      {3, 9},
	"calendar_shift": {3, 3},
	"clamp_max":      {2, 2},
	"clamp_min":      {2, 2},
	"cutoff_max":     {2, 2},
	"cutoff_min":     {2, 2},
	"default_zero":   {1, 1},
	"ewma_5":         {1, 1},
	"exclude_null":   {1, 2},
	"forecast":       {3, 9},
	"hour_before":    {1, 1},
	"moving_rollup":  {2, 3},
	"outliers":       {3, 9},
	"timeshift":      {2, 2},
	"top":            {4, 4},
	"week_before":    {1, 1},
	"per_second":     {1, 1},
	"round":          {1, 1},
}

// methods are the methods of metrics that the files may use.
var methods = []string{"as_count", "as_rate", "rollup", "fill"}

// percentiles are the aggregations of a distribution that need its percentiles enabled.
var percentiles = []string{"p50", "p75", "p90", "p95", "p99"}

// aggregations returns how a metric of a type may be aggregated over its sources.
func aggregations(typ telemetry.MetricType) []string {
	switch typ {
	case telemetry.TypeCount:
		return []string{"sum"}
	case telemetry.TypeDistribution:
		return append([]string{"avg", "sum", "min", "max", "count"}, percentiles...)
	default:
		return []string{"avg", "sum", "min", "max"}
	}
}

// values returns the values that a tag of a metric may have; nil when nobody fixes them.
func (t table) values(m telemetry.Metric, tag string) []string {
	switch {
	case tag == "eval" && strings.HasPrefix(m.Name, scorePrefix):
		return t.evaluators
	case tag == "outcome" && strings.HasPrefix(m.Name, scorePrefix):
		return names(eval.Outcomes(), eval.Outcome.String)
	case tag == "reason" && m.Name == "evalworker.events":
		return names(eval.PermanentReasons(), func(r eval.Reason) string { return string(r) })
	case slices.Contains([]string{"completed", "kind", "mode", "outcome", "reason", "sink", "source"}, tag):
		// What the metric means says which values there are.
		return strings.FieldsFunc(m.Help, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	}
	return nil
}

func names[T any](all []T, name func(T) string) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = name(one)
	}
	return out
}

// table is what queries may name.
type table struct {
	metrics map[string]telemetry.Metric
	// evaluators are those that the files may rely on: what users say, the built-in
	// rubrics, and the kinds of validators, after which people name their evaluators.
	evaluators []string
}

func newTable() table {
	t := table{metrics: map[string]telemetry.Metric{}, evaluators: []string{eval.FeedbackEvaluator}}
	for _, m := range telemetry.Metrics() {
		t.metrics[m.Name] = m
	}
	for _, k := range validators.Kinds() {
		t.evaluators = append(t.evaluators, k.Name)
	}
	t.evaluators = slices.AppendSeq(t.evaluators, maps.Keys(judges.BuiltIn()))
	slices.Sort(t.evaluators)
	t.evaluators = slices.Compact(t.evaluators)
	return t
}

// find returns the metric of a name as a query writes it.
func (t table) find(name string) (telemetry.Metric, bool) {
	if evaluator, ok := strings.CutPrefix(name, scorePrefix); ok && slices.Contains(t.evaluators, evaluator) {
		name = telemetry.ScoreMetric
	}
	m, ok := t.metrics[name]
	return m, ok
}

// expression checks a query: its metrics, its functions, and what it computes. prefixes
// are the tags that template variables stand for.
func (t table) expression(e expression, prefixes map[string]string) fault.List {
	faults := t.parts(e, prefixes)
	faults = append(faults, sameGroups(metricsOf(e))...)
	return append(faults, weighted(e)...)
}

func (t table) parts(e expression, prefixes map[string]string) (faults fault.List) {
	switch e := e.(type) {
	case *metric:
		return t.metric(e, prefixes)
	case *operation:
		return append(t.parts(e.left, prefixes), t.parts(e.right, prefixes)...)
	case *function:
		faults = arity(e)
		for _, arg := range e.args {
			faults = append(faults, t.parts(arg, prefixes)...)
		}
	}
	return faults
}

func arity(f *function) (faults fault.List) {
	takes, ok := functions[f.name]
	switch {
	case !ok:
		faults.Add("", "unknown function "+f.name, fault.Suggest(f.name, slices.Sorted(maps.Keys(functions)), ""))
	case len(f.args) < takes[0] || len(f.args) > takes[1]:
		faults.Add("", fmt.Sprintf("%s has %d arguments", f.name, len(f.args)), fmt.Sprintf("it takes %d to %d", takes[0], takes[1]))
	}
	return faults
}

// sameGroups finds metrics that are grouped by different tags: Datadog cannot join them.
// A total, which has no groups, goes with any.
func sameGroups(all []*metric) (faults fault.List) {
	var first *metric
	for _, m := range all {
		switch {
		case len(m.by) == 0:
		case first == nil:
			first = m
		case !slices.Equal(slices.Sorted(slices.Values(first.by)), slices.Sorted(slices.Values(m.by))):
			faults.Add("", fmt.Sprintf("%s is grouped by %s, and %s by %s", first.name, strings.Join(first.by, ","), m.name, strings.Join(m.by, ",")),
				"group both by the same tags")
			return faults
		}
	}
	return faults
}

// weighted finds rates of verdicts as they were sampled. They are not the rates of all
// traffic, because failing events may be sampled more often.
func weighted(e expression) (faults fault.List) {
	if !divides(e) {
		return nil
	}
	for _, m := range metricsOf(e) {
		if m.name == "llm.eval.count" {
			faults.Add("", "a rate of llm.eval.count is one of the sample, not of the traffic", "divide llm.eval.weighted")
			return faults
		}
	}
	return faults
}

// divides reports whether there is a division in an expression.
func divides(e expression) bool {
	switch e := e.(type) {
	case *operation:
		return e.op == '/' || divides(e.left) || divides(e.right)
	case *function:
		return slices.ContainsFunc(e.args, divides)
	}
	return false
}

func (t table) metric(m *metric, prefixes map[string]string) (faults fault.List) {
	known, ok := t.find(m.name)
	if !ok {
		faults.Add("", "unknown metric "+m.name, meant(m.name, slices.Sorted(maps.Keys(t.metrics))))
		return faults
	}
	if allowed := aggregations(known.Type); !slices.Contains(allowed, m.aggregation) {
		faults.Add("", fmt.Sprintf("%s:%s: it is a %s", m.aggregation, m.name, known.Type), "aggregate it by "+strings.Join(allowed, ", "))
	}
	faults = append(faults, methodFaults(m, known.Type)...)
	tags := slices.Compact(slices.Sorted(slices.Values(slices.Concat(known.Tags, baseTags))))
	tag := func(key, where string) bool {
		if !slices.Contains(tags, key) {
			faults.Add("", fmt.Sprintf("%s does not carry the tag %s%s", m.name, key, where), fault.Suggest(key, tags, "it carries no tags"))
			return false
		}
		return true
	}
	for _, f := range m.filters {
		if f.key == "" {
			prefix, declared := prefixes[f.variable]
			if !declared {
				faults.Add("", "the template variable $"+f.variable+" is not declared, or has no prefix", "declare it in template_variables, or write TAG:$"+f.variable+".value")
				continue
			}
			tag(prefix, ", which is the prefix of $"+f.variable)
			continue
		}
		if !tag(f.key, "") {
			continue
		}
		closed := t.values(known, f.key)
		for _, value := range f.values {
			if closed != nil && !strings.ContainsAny(value, "*$") && !slices.Contains(closed, value) {
				faults.Add("", fmt.Sprintf("%s has no %s:%s", m.name, f.key, value), meant(value, closed))
			}
		}
	}
	for i, key := range m.by {
		if name, ok := strings.CutPrefix(key, "$"); ok {
			if _, declared := prefixes[name]; !declared {
				faults.Add("", "the template variable "+key+" is not declared", "declare it in template_variables")
			}
			continue
		}
		tag(key, "")
		if slices.Contains(m.by[:i], key) {
			faults.Add("", m.name+" is grouped twice by "+key, "")
		}
	}
	return faults
}

// rollup checks .rollup(METHOD, SECONDS), of which either may be left out. A distribution
// is aggregated over time as it is over its sources.
func rollup(m *metric, c method, typ telemetry.MetricType) (faults fault.List) {
	written := ".rollup(" + strings.Join(c.args, ", ") + ")"
	rest := c.args
	if len(rest) > 0 && slices.Contains([]string{"avg", "sum", "min", "max", "count"}, rest[0]) {
		if typ == telemetry.TypeDistribution && rest[0] != m.aggregation {
			faults.Add("", fmt.Sprintf("%s of %s:%s, which is a distribution", written, m.aggregation, m.name), "leave "+rest[0]+" out: it is aggregated over time as "+m.aggregation)
		}
		rest = rest[1:]
	}
	if len(rest) == 1 {
		if n, err := strconv.Atoi(rest[0]); err == nil && n > 0 {
			return faults
		}
	}
	if len(rest) > 0 || len(c.args) == 0 {
		faults.Add("", written, "want .rollup(METHOD), .rollup(SECONDS) or .rollup(METHOD, SECONDS)")
	}
	return faults
}

// meant returns which word was meant, or where the words are listed.
func meant(word string, among []string) string {
	if near := fault.Nearest(word, among); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "docs/metrics.md says what there is"
}

func methodFaults(m *metric, typ telemetry.MetricType) (faults fault.List) {
	for _, c := range m.methods {
		switch {
		case !slices.Contains(methods, c.name):
			faults.Add("", "unknown method ."+c.name+"()", fault.Suggest(c.name, methods, ""))
		case c.name == "rollup":
			faults = append(faults, rollup(m, c, typ)...)
		case c.name == "fill":
			if len(c.args) == 0 || !slices.Contains([]string{"null", "zero", "last", "linear"}, c.args[0]) && c.args[0] != "0" {
				faults.Add("", ".fill("+strings.Join(c.args, ", ")+")", "want null, zero, last or linear")
			}
		case len(c.args) > 0:
			faults.Add("", "."+c.name+"() takes no arguments", "")
		}
	}
	counts := m.has("as_count") || m.has("as_rate")
	switch {
	case typ == telemetry.TypeCount && !counts:
		faults.Add("", m.name+" is a count, and without a modifier its gaps are filled in", "write .as_count() or .as_rate() behind it")
	case typ == telemetry.TypeDistribution && (m.aggregation == "sum" || m.aggregation == "count"): // as good as counts
	case typ != telemetry.TypeCount && counts:
		faults.Add("", fmt.Sprintf("as_count or as_rate of %s:%s, which is a %s", m.aggregation, m.name, typ), "leave it out")
	}
	return faults
}
