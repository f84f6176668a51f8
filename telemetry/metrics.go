package telemetry

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MetricType says how Datadog aggregates a metric.
type MetricType string

// The types of metric.
const (
	TypeCount        MetricType = "count"
	TypeGauge        MetricType = "gauge"
	TypeDistribution MetricType = "distribution"
)

// Metric describes one metric that the program sends.
type Metric struct {
	// Name as it is sent. In [ScoreMetric] the last part is the evaluator's name.
	Name string
	Type MetricType
	Unit string // as Datadog names units; empty for a bare number
	// Tags are the keys that the metric may carry, in the order in which they are
	// sent. A tag without a value is left out. Every metric also carries service and
	// version, and env where DD_ENV is set.
	Tags []string
	Help string
}

// ScoreMetric is the name of the scores of all evaluators in the table.
const ScoreMetric = scorePrefix + "<name>"

const scorePrefix = "llm.eval."

// dimensions maps an event's dimensions ([event.DimNames]) to tags of metrics and
// of spans, in the order in which they are sent. A dimension with an empty tag is
// not sent.
var dimensions = [...]struct{ name, metric, span string }{
	{"environment", "env", ""},
	{"feature", "feature", "llm.feature"},
	{"prompt_name", "prompt_name", "llm.prompt_name"},
	{"prompt_version", "prompt_version", "llm.prompt_version"},
	{"model", "model", "llm.model"},
	{"provider", "provider", "llm.provider"},
	{"tenant_tier", "tenant_tier", ""},
	{"status", "", ""},
	{"finish_reason", "", ""},
	{"user_rating", "", ""},
	{"output_schema", "", ""},
}

// dimKeys are the keys of the dimensions that metrics carry.
var dimKeys = func() (keys []string) {
	for _, d := range dimensions {
		if d.metric != "" {
			keys = append(keys, d.metric)
		}
	}
	return keys
}()

func dimsAnd(keys ...string) []string { return slices.Concat(dimKeys, keys) }

// These constants index the tables below and are the only way to send a metric, so
// a metric that is not in a table, or of another type, cannot be sent. A new metric
// is a constant and a row here, and the call that records it.
// The last constant of each list counts the others, so that a forgotten row is an
// empty one.
type (
	countID        int
	gaugeID        int
	distributionID int
)

const (
	countEvaluations countID = iota
	countWeighted
	countJSONChecked
	countJSONInvalid
	countToolCalls
	countToolFailures
	countRequests
	countRequestErrors
	countInputTokens
	countOutputTokens
	countEvents
	countFieldsIgnored
	countLinks
	countJudgeTokens
	countJudgeErrors
	countDropped
	countCases
	countReloads
	numCounts
)

const (
	gaugeLag gaugeID = iota
	gaugeUnfinished
	gaugeOldestAge
	gaugeUnaccounted
	gaugeInflight
	gaugeQueue
	gaugeStoreDown
	gaugeKafkaDown
	gaugePartitionsDown
	gaugeSamplerSkewed
	numGauges
)

const (
	distributionScore distributionID = iota
	distributionTopScore
	distributionHitCount
	distributionLatency
	distributionFirstToken
	distributionCost
	distributionEventAge
	distributionJudgeLatency
	distributionJudgeCost
	numDistributions
)

var counts = [numCounts]Metric{
	countEvaluations: {"llm.eval.count", TypeCount, "", dimsAnd("eval", "outcome"), "Verdicts, by evaluator and outcome, as they were sampled."},
	countWeighted: {
		"llm.eval.weighted", TypeCount, "", dimsAnd("eval", "outcome"),
		"Verdicts, each counted 1/p times, where p is the probability with which it was sampled: an unbiased estimate for all traffic. 1/p is rounded up or down at random so that its mean is exact.",
	},
	countJSONChecked:   {"llm.json_checked", TypeCount, "", dimsAnd("schema"), "Outputs that were checked to be JSON."},
	countJSONInvalid:   {"llm.json_invalid", TypeCount, "", dimsAnd("schema"), "Outputs that were not valid JSON as they stood."},
	countToolCalls:     {"llm.tool_calls", TypeCount, "", dimsAnd("tool"), "Tool calls of evaluated events. tool is a name that the event's tools list, or of which a call has succeeded; any other one may be the model's invention and becomes other."},
	countToolFailures:  {"llm.tool_failures", TypeCount, "", dimsAnd("tool"), "Tool calls of evaluated events whose status says that they failed; tool as in llm.tool_calls."},
	countRequests:      {"llm.requests", TypeCount, "request", dimsAnd(), "Evaluated requests. Only with request_metrics."},
	countRequestErrors: {"llm.errors", TypeCount, "error", dimsAnd(), "Evaluated requests with status error. Only with request_metrics."},
	countInputTokens:   {"llm.input_tokens", TypeCount, "token", dimsAnd(), "Tokens of the prompts of evaluated requests. Only with request_metrics."},
	countOutputTokens:  {"llm.output_tokens", TypeCount, "token", dimsAnd(), "Tokens of the answers of evaluated requests. Only with request_metrics."},
	countEvents: {
		"evalworker.events", TypeCount, "event",
		[]string{"outcome", "reason"},
		"Events, by how they ended: unwanted (no evaluator's condition holds), sampled_out (by the rates), evaluated, dead_lettered. Their sum is what was consumed. reason is set for dead_lettered.",
	},
	countFieldsIgnored: {
		"evalworker.fields_ignored", TypeCount, "",
		[]string{"field"},
		"Fields of evaluated events that were left out because their values have another type than the field's and no single meaning, such as NaN or 312.5 tokens; once an event and field. field is a path such as retrieval.chunks.score.",
	},
	countLinks: {
		"evalworker.links", TypeCount, "span",
		[]string{"mode", "source", "reason"},
		"eval.run spans, by their relation to the original span (child, link, none) and where its ids came from (headers, fields, none). reason says why there is none, or which id was not used: absent, zero (no span was active), trace_malformed, span_malformed, span_missing, differs (another trace than the one that counts); empty when all ids agree.",
	},
	countJudgeTokens: {"evalworker.judge.tokens", TypeCount, "token", []string{"eval", "model", "kind"}, "Tokens that judges used; kind is input or output."},
	countJudgeErrors: {"evalworker.judge.errors", TypeCount, "error", []string{"eval", "model", "reason"}, "Model calls of judges that failed: timeout, rate_limited, quota, unavailable, breaker_open, auth, bad_request, refused, content_filter, truncated, unparsable, redaction, canceled, internal."},
	countDropped: {
		"evalworker.dropped", TypeCount, "",
		[]string{"sink", "reason"},
		"What could not be delivered: reports (sink reports), values (values), payloads and metrics (dogstatsd), traces (traces), evaluations (llmobs). For sink consumer, what was skipped in Kafka: lost_to_retention counts events that were deleted unread, control_record markers of transactions, offset_out_of_range partitions that were created again.",
	},
	countCases:   {"evalworker.cases", TypeCount, "", []string{"eval"}, "Failures newly recorded as cases. eval is several when a report has more failures than were new."},
	countReloads: {"evalworker.reloads", TypeCount, "", []string{"outcome"}, "Reloads of the configuration; outcome is applied or refused. A refused one leaves the old in place."},
}

var gauges = [numGauges]Metric{
	gaugeLag:            {"evalworker.lag", TypeGauge, "message", []string{"partition"}, "Messages between the committed offset and the end of the partition, as Kafka's own tools count them. One slow event holds it up. Not sent while it is not known."},
	gaugeUnfinished:     {"evalworker.unfinished", TypeGauge, "message", []string{"partition"}, "Messages of the partition that are not finished: not read yet, or in flight. One slow event counts as one. Not sent while it is not known."},
	gaugeOldestAge:      {"evalworker.oldest_age_seconds", TypeGauge, "second", []string{"partition"}, "Age of the oldest message of the partition that is not finished, by the time of its record: the lag in seconds. 0 when all are finished, or when the publisher's clock is ahead. Not sent while it is not known."},
	gaugeUnaccounted:    {"evalworker.unaccounted", TypeGauge, "event", nil, "Events that were consumed and have no end while nothing is in flight. Anything but 0 is a fault of this program: docs/architecture.md says what to do."},
	gaugeInflight:       {"evalworker.inflight", TypeGauge, "event", nil, "Events in flight."},
	gaugeQueue:          {"evalworker.queue", TypeGauge, "", nil, "Reports that wait to be sent."},
	gaugeStoreDown:      {"evalworker.store_down", TypeGauge, "", nil, "1 while the store takes nothing and failing events wait for it, else 0."},
	gaugeKafkaDown:      {"evalworker.kafka_down", TypeGauge, "", nil, "1 while Kafka cannot be reached, takes no commits or does not let the worker in, else 0."},
	gaugePartitionsDown: {"evalworker.partitions_down", TypeGauge, "", nil, "The worker's partitions that cannot be read: without a leader, or damaged. Their lag grows, the others are read."},
	gaugeSamplerSkewed:  {"evalworker.sampler_skewed", TypeGauge, "", nil, "Pairs of an evaluator and a rule whose kept share is not explained by their rate, or whose events have too few ids. /statusz and the log say which, why, and what mends it."},
}

var distributions = [numDistributions]Metric{
	distributionScore: {
		ScoreMetric, TypeDistribution, "fraction", dimsAnd(),
		"Scores of an evaluator in [0,1], of decided verdicts only, as they were sampled. In <name>, characters other than letters, digits, dots and underscores become underscores; an evaluator named count or weighted gets the suffix _score.",
	},
	distributionTopScore:     {"llm.retrieval.top_score", TypeDistribution, "", dimsAnd("index"), "Score of the best hit of a retrieval."},
	distributionHitCount:     {"llm.retrieval.hit_count", TypeDistribution, "", dimsAnd("index"), "Hits of a retrieval."},
	distributionLatency:      {"llm.latency_ms", TypeDistribution, "millisecond", dimsAnd(), "Time to the whole answer. Only with request_metrics."},
	distributionFirstToken:   {"llm.first_token_latency_ms", TypeDistribution, "millisecond", dimsAnd(), "Time to the first token. Only with request_metrics."},
	distributionCost:         {"llm.estimated_cost_usd", TypeDistribution, "dollar", dimsAnd(), "Estimated cost of a request; its sum is the spend. Only with request_metrics."},
	distributionEventAge:     {"evalworker.event_age_seconds", TypeDistribution, "second", nil, "Time from the end of the request to the end of its evaluation."},
	distributionJudgeLatency: {"evalworker.judge.latency_ms", TypeDistribution, "millisecond", []string{"eval", "model"}, "Time of one model call of a judge."},
	distributionJudgeCost:    {"evalworker.judge.cost_usd", TypeDistribution, "dollar", []string{"eval", "model"}, "Cost of one model call of a judge, when known; its sum is the spend."},
}

// Metrics returns the table of all metrics that the program sends.
func Metrics() []Metric {
	all := slices.Concat(distributions[:], counts[:], gauges[:])
	for i := range all {
		all[i].Tags = slices.Clone(all[i].Tags)
	}
	return all
}

// MetricsDoc returns the reference of all metrics, in Markdown.
func MetricsDoc() []byte {
	var b bytes.Buffer
	b.WriteString(`# Metrics

Generated from the table in the package telemetry. Do not edit.

**dims** stands for the tags ` + codeList(dimKeys) + `. A tag whose value is not known is
left out. Every metric also carries ` + "`service` and `version`" + `. Where DD_ENV is set, it is the ` + "`env`" + ` of every metric;
otherwise ` + "`env`" + ` is the event's environment.

Tag values are lower case, at most 200 bytes, of letters and digits of any script and ` + "`_ . / - :`" + `. The first
` + "`max_tag_values`" + ` values of a key keep their names; later ones become ` + "`other`" + `, and the log says so once a key.

Distributions send every value, so sums are exact. Enable percentiles in Datadog for those that need them.

| metric | type | unit | tags | meaning |
|---|---|---|---|---|
`)
	metrics := Metrics()
	slices.SortStableFunc(metrics, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, cmp.Or(m.Unit, "-"), tagsDoc(m.Tags), strings.ReplaceAll(m.Help, "|", "\\|"))
	}
	return b.Bytes()
}

func tagsDoc(keys []string) string {
	if len(keys) >= len(dimKeys) && slices.Equal(keys[:len(dimKeys)], dimKeys) {
		if own := keys[len(dimKeys):]; len(own) > 0 {
			return "dims, " + codeList(own)
		}
		return "dims"
	}
	return cmp.Or(codeList(keys), "-")
}

func codeList(keys []string) string {
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = "`" + k + "`"
	}
	return strings.Join(quoted, ", ")
}
