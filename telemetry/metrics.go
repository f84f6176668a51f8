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

// hasDims reports whether the metric carries an event's dimensions, before its own tags.
func (m *Metric) hasDims() bool {
	return len(m.Tags) >= len(dimKeys) && slices.Equal(m.Tags[:len(dimKeys)], dimKeys)
}

// Tags that more than the table names.
const (
	tagEnv       = "env"
	tagEval      = "eval"
	tagPartition = "partition"
)

// isClosed reports whether the values of a tag are the program's own: they are few, whatever
// applications write.
func isClosed(key string) bool {
	switch key {
	case "completed", "field", "kind", "metric", "mode", "outcome", "reason", "sink", "source", "tag", tagPartition:
		return true
	}
	return false
}

// isVital reports whether a tag keeps its value when its metric has no room for a series with
// all tags.
func isVital(key string) bool {
	switch key {
	case tagEnv, "prompt_name", "prompt_version", tagEval:
		return true
	}
	return isClosed(key)
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
	countRequestTimeouts
	countRetries
	countInputTokens
	countOutputTokens
	countCost
	countTasks
	countEvents
	countFieldsIgnored
	countLinks
	countJudgeTokens
	countJudgeErrors
	countDropped
	countCases
	countReloads
	countTagsOverflowed
	countSeriesOverflowed
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
	gaugeJudgesHeld
	gaugeConfigRefused
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
	countJSONChecked: {"llm.json_checked", TypeCount, "", dimsAnd("schema"), "Outputs that were checked to be JSON, each counted 1/p times as in llm.eval.weighted."},
	countJSONInvalid: {"llm.json_invalid", TypeCount, "", dimsAnd("schema"), "Outputs that were not valid JSON as they stood, each counted 1/p times as in llm.eval.weighted."},
	countToolCalls: {
		"llm.tool_calls", TypeCount, "", dimsAnd("tool"),
		"Tool calls, each counted 1/p times as in llm.requests. tool is a name that the event's tools list, or of which a call has succeeded; any other one may be the model's invention and becomes other.",
	},
	countToolFailures: {"llm.tool_failures", TypeCount, "", dimsAnd("tool"), "Tool calls whose status says that they failed, each counted 1/p times; tool as in llm.tool_calls."},
	countRequests: {
		"llm.requests", TypeCount, "request", dimsAnd(),
		"Requests, each counted 1/p times, where p is the probability with which its event was evaluated at all: an unbiased estimate for all requests that an evaluator may see. 1/p is rounded up or down at random, once an event. Only with request_metrics.",
	},
	countRequestErrors:   {"llm.errors", TypeCount, "error", dimsAnd(), "Requests with status error, or that timed out, counted 1/p times. Only with request_metrics."},
	countRequestTimeouts: {"llm.timeouts", TypeCount, "error", dimsAnd(), "Requests whose status or error_type says that they timed out, counted 1/p times; they are in llm.errors too. Only with request_metrics."},
	countRetries:         {"llm.retries", TypeCount, "", dimsAnd(), "Attempts after the first, counted 1/p times. Only with request_metrics."},
	countInputTokens:     {"llm.input_tokens", TypeCount, "token", dimsAnd(), "Tokens of the prompts, counted 1/p times. Only with request_metrics."},
	countOutputTokens:    {"llm.output_tokens", TypeCount, "token", dimsAnd(), "Tokens of the answers, counted 1/p times. Only with request_metrics."},
	countCost:            {"llm.cost_microusd", TypeCount, "microdollar", dimsAnd(), "Estimated cost in millionths of a US dollar, counted 1/p times: its sum is the spend. Only with request_metrics."},
	countTasks: {
		"llm.tasks", TypeCount, "", dimsAnd("completed"),
		"Statements of task_completed, by requests and by feedback, counted 1/p times; completed is true or false. An application states it once: in the event of the request, or in feedback.",
	},
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
		"eval.run spans, by their relation to the original span (child, link, none; only with Datadog) and where its ids came from (headers, fields, none). reason says why there is none, or which id was not used: absent, zero (no span was active), trace_malformed, span_malformed, span_missing, differs (another trace than the one that counts); empty when all ids agree.",
	},
	countJudgeTokens: {"evalworker.judge.tokens", TypeCount, "token", []string{"eval", "model", "kind"}, "Tokens that judges used; kind is input or output."},
	countJudgeErrors: {"evalworker.judge.errors", TypeCount, "error", []string{"eval", "model", "reason"}, "Model calls of judges that failed: timeout, rate_limited, quota, unavailable, local (a fault of this machine; the call is made again), auth, bad_request, refused, content_filter, truncated, unparsable, redaction, canceled, internal. While a circuit breaker is open no call is made; the verdicts that it costs are in llm.eval.count with outcome error."},
	countDropped: {
		"evalworker.dropped", TypeCount, "",
		[]string{"sink", "reason"},
		"What could not be delivered: reports (sink reports), values (values), payloads, metrics and events of releases (dogstatsd), traces (traces), evaluations (llmobs), gauges of which there are too many (prometheus). For sink consumer, what was skipped in Kafka: lost_to_retention counts events that were deleted unread, control_record markers of transactions, offset_out_of_range partitions that were created again.",
	},
	countCases:   {"evalworker.cases", TypeCount, "", []string{"eval"}, "Failures newly recorded as cases. eval is several when a report has more failures than were new."},
	countReloads: {"evalworker.reloads", TypeCount, "", []string{"outcome"}, "Reloads of the configuration; outcome is applied or refused. A refused one leaves the old in place."},
	countTagsOverflowed: {
		"evalworker.tags_overflowed", TypeCount, "",
		[]string{"tag"},
		"Values of a tag that were recorded as other, because the tag has max_tag_values others that are in use: once an event for a tag of dims, else once a metric.",
	},
	countSeriesOverflowed: {
		"evalworker.series_overflowed", TypeCount, "",
		[]string{"metric"},
		"What was recorded with tags other, because the metric has max_series series that are in use. Sums over the metric stay exact.",
	},
}

var gauges = [numGauges]Metric{
	gaugeLag:            {"evalworker.lag", TypeGauge, "message", []string{tagPartition}, "Messages between the committed offset and the end of the partition, as Kafka's own tools count them. One slow event holds it up. Not sent while it is not known: the partition cannot be read, or no broker has said for 30 seconds where it ends."},
	gaugeUnfinished:     {"evalworker.unfinished", TypeGauge, "message", []string{tagPartition}, "Messages of the partition that are not finished: not read yet, or in flight. One slow event counts as one. Not sent while it is not known, as for evalworker.lag."},
	gaugeOldestAge:      {"evalworker.oldest_age_seconds", TypeGauge, "second", []string{tagPartition}, "Age of the oldest message of the partition that is not finished, by the time of its record: the lag in seconds. 0 when all are finished, or when the publisher's clock is ahead. While the partition cannot be read it grows: from when it was last read to its end, or from when the worker took it over, if it has never read it. Not sent by a worker that is not in the group."},
	gaugeUnaccounted:    {"evalworker.unaccounted", TypeGauge, "event", nil, "Events that were consumed and have no end while nothing is in flight. Anything but 0 is a fault of this program: docs/architecture.md says what to do."},
	gaugeInflight:       {"evalworker.inflight", TypeGauge, "event", nil, "Events in flight."},
	gaugeQueue:          {"evalworker.queue", TypeGauge, "", nil, "Reports that wait to be sent."},
	gaugeStoreDown:      {"evalworker.store_down", TypeGauge, "", nil, "1 while the store takes nothing and failing events wait for it, else 0."},
	gaugeKafkaDown:      {"evalworker.kafka_down", TypeGauge, "", nil, "1 while Kafka cannot be reached, takes no commits or does not let the worker in, else 0."},
	gaugePartitionsDown: {"evalworker.partitions_down", TypeGauge, "", nil, "The worker's partitions that cannot be read: without a leader, or damaged. Of those evalworker.lag and evalworker.unfinished are not sent, and evalworker.oldest_age_seconds grows; the others are read."},
	gaugeSamplerSkewed:  {"evalworker.sampler_skewed", TypeGauge, "", nil, "Pairs of an evaluator and a rule whose kept share is not explained by their rate, or whose events have too few ids. /statusz and the log say which, why, and what mends it."},
	gaugeJudgesHeld:     {"evalworker.judges_held", TypeGauge, "", nil, "Evaluations that wait for a model that is down, with judges.when_down: wait. The events in flight wait with them, and reading stops when all are taken; /statusz names the model and what is wrong."},
	gaugeConfigRefused:  {"evalworker.config_refused", TypeGauge, "", nil, "1 while the configuration on disk is not what runs, because it was refused, else 0. The log and /statusz say why."},
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
	distributionCost:         {"llm.estimated_cost_usd", TypeDistribution, "dollar", dimsAnd(), "Estimated cost of an evaluated request, as it was sampled; llm.cost_microusd has the spend. Only with request_metrics."},
	distributionEventAge:     {"evalworker.event_age_seconds", TypeDistribution, "second", nil, "Time from the end of the request to the end of its evaluation."},
	distributionJudgeLatency: {"evalworker.judge.latency_ms", TypeDistribution, "millisecond", []string{"eval", "model"}, "Time of one model call of a judge."},
	distributionJudgeCost:    {"evalworker.judge.cost_usd", TypeDistribution, "dollar", []string{"eval", "model"}, "Cost of one model call of a judge, when known; its sum is the spend."},
}

// bounds are the upper bounds of the buckets that distributions have in Prometheus.
var bounds = [numDistributions][]float64{
	distributionScore:        {0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99},
	distributionTopScore:     {0, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 3, 10, 30}, // similarities, or scores without an upper end
	distributionHitCount:     {0, 1, 2, 3, 5, 10, 20, 50, 100},
	distributionLatency:      {100, 250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 120_000},
	distributionFirstToken:   {50, 100, 200, 400, 800, 1500, 3000, 6000, 15_000, 60_000},
	distributionCost:         {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3},
	distributionEventAge:     {1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600},
	distributionJudgeLatency: {100, 250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 120_000},
	distributionJudgeCost:    {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3},
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
otherwise ` + "`env`" + ` is the event's environment, and ` + "`datadog.env`" + ` for events that have none and for metrics without dims.

Tag values are lower case, at most 200 bytes, of letters and digits of any script and ` + "`_ . / - :`" + `. Values of a tag and
series of a metric are [bounded](#bounds); more become ` + "`other`" + `.

Distributions send every value, so sums are exact. Enable percentiles in Datadog for those that need them.

**1/p**: an event is evaluated when its hash is below the largest of its evaluators' rates, so p is that rate, times the probability with which
it was published. Counts of requests as they were sampled would overstate errors where a rule keeps them. Rates of verdicts are those of
` + "`llm.eval.weighted`" + `. Requests that no evaluator may see (condition or rate 0) are in no count.

**Prometheus** has the same metrics on ` + "`/metrics`" + ` of the health server: dots are underscores, counts end in ` + "`_total`" + `, distributions are
histograms, ` + "`llm.eval.<name>`" + ` is ` + "`llm_eval_score{eval=\"<name>\"}`" + `, and labels are the tags, empty when not known. ` + "`target_info`" + ` has
service, version and env of the worker. Beside them are ` + "`go_*` and `process_*`" + ` of Prometheus' library.

| metric | type | unit | tags | meaning |
|---|---|---|---|---|
`)
	metrics := Metrics()
	slices.SortStableFunc(metrics, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, cmp.Or(m.Unit, "-"), tagsDoc(m.Tags), strings.ReplaceAll(m.Help, "|", "\\|"))
	}
	b.WriteString("\nBuckets of the histograms in Prometheus, besides `+Inf`:\n\n| histogram | upper bounds |\n|---|---|\n")
	for i := range distributions {
		fmt.Fprintf(&b, "| %s | %s |\n", prometheusName(&distributions[i]), strings.Trim(fmt.Sprint(bounds[i]), "[]"))
	}
	b.WriteString(boundsDoc())
	return b.Bytes()
}

// boundsDoc says what bounds values of tags and series.
func boundsDoc() string {
	return `
## Bounds

**Values of a tag.** A tag has ` + "`datadog.max_tag_values`" + ` places (200). A value that has one keeps its name, others are recorded
as ` + "`other`" + `.

- A place becomes free when its value was not used for ` + fmt.Sprint(forgetAfter/3600) + ` hours.
- When none is free, a value takes the one that was not used for longest, if that is ` + fmt.Sprint(idleAfter/60) + ` minutes.
- When all were used since, a value that is new takes it all the same, so a version that is being released has a name. There is a budget for
  that: as many an hour as there are places, half of them at once. The value that lost its place gets one again when one is idle.
- For ` + fmt.Sprint(idleAfter/60) + ` minutes after a value had to become ` + "`other`" + `, a new one gets an idle place with its second event, not its first. So an id in
  every ` + "`prompt_version`" + ` uses up the budget and no more.

So names follow from the last hours: workers that see the same events name the same values, whenever they were started, as long as no more are
in use than there are places. Tags whose values are evalworker's own, such as ` + "`outcome`" + `, keep all of them.

**Series of a metric.** A metric has ` + "`datadog.max_series`" + ` combinations of tags at a time (2,000), in DogStatsD as in Prometheus; all
` + "`llm.eval.<name>`" + ` are one metric here, and a gauge may have ` + fmt.Sprint(maxOfOurs) + `.

- Three quarters are for combinations of all tags.
- When they are in use, a further combination is recorded with ` + "`other`" + ` in all tags but ` + codeList(vitalKeys()) + `
  and evalworker's own. The last quarter is for these.
- When that is in use too, it is recorded with ` + "`other`" + ` in all tags but evalworker's own.

Nothing is left out: **sums over a metric are exact**. Combinations that were not used for ` + fmt.Sprint(idleAfter/60) + ` minutes go when a value of theirs
has lost its place, and when there is no room.

What became ` + "`other`" + ` is in ` + "`evalworker.tags_overflowed` and `evalworker.series_overflowed`" + ` and on ` + "`/statusz`" + `.
The log says so once an hour a tag or metric.

**When a series goes**, it gets no more points in Datadog; DogStatsD's client keeps nothing beyond the two seconds between two packets. Datadog bills a
series for the hours in which it has points. Where places change hands as fast as they may, that is up to nine times ` + "`max_tag_values`" + ` names and
seven times ` + "`max_series`" + ` in an hour. In Prometheus a series has not changed for longer than the five minutes for which Prometheus looks back, so its
last value has been read when it goes. The sum of a counter over one page may therefore fall; that of its rates does not. One that comes back starts at 0,
as counters do when a worker restarts; what it has at its first scrape is no increase for Prometheus, as with any new series.
`
}

// vitalKeys are the tags that applications fill and that keep their values longest.
func vitalKeys() []string {
	return slices.DeleteFunc(dimsAnd(tagEval), func(key string) bool { return !isVital(key) })
}

func tagsDoc(keys []string) string {
	if m := (Metric{Tags: keys}); m.hasDims() {
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
