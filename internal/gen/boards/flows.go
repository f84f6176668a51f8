package boards

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// tagOrder names every tag of the simulation, in the order in which they are hashed.
var tagOrder = []string{
	"env", "service", "feature", "prompt_name", "prompt_version", "provider", "model", "eval", "outcome", "schema", "tool", "index",
	"completed", "partition", "reason", "kind", "sink", "mode", "source", "field",
}

// flows returns the series of a metric. One that is not simulated yet is an error, so
// that no graph of the pictures is empty by mistake.
func (w world) flows(metric string) ([]flow, error) {
	var out []flow
	switch {
	case strings.HasPrefix(metric, "evalworker."):
		out = w.worker(strings.TrimPrefix(metric, "evalworker."))
	case metric == "llm.eval.weighted" || metric == "llm.eval.count":
		out = w.verdicts(metric == "llm.eval.weighted")
	default:
		for _, c := range w.cells {
			out = append(out, c.flows(strings.TrimPrefix(metric, "llm."))...)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("metric %s is not simulated: add it to flows.go in internal/gen/boards", metric)
	}
	return out, nil
}

// flows returns the series of a request metric in one cell.
func (c cell) flows(metric string) []flow {
	support := c.feature == "support_agent"
	times := func(factor float64) func(time.Time) float64 {
		return func(t time.Time) float64 { return factor * c.requests(t) }
	}
	constant := func(v float64) func(time.Time) float64 { return func(time.Time) float64 { return v } }
	failing := func(t time.Time) float64 { return c.requests(t) * (0.012 + 0.16*c.slow(t)) }
	timing := func(t time.Time) float64 { return c.requests(t) * (0.004 + 0.11*c.slow(t)) }
	sent, received := c.tokens()
	switch metric {
	case "requests":
		return []flow{{tags: c.tags(), rate: c.requests}}
	case "errors":
		return []flow{{tags: c.tags(), rate: failing}}
	case "timeouts":
		return []flow{{tags: c.tags(), rate: timing}}
	case "retries":
		return []flow{{tags: c.tags(), rate: func(t time.Time) float64 { return c.requests(t) * (0.02 + 0.3*c.slow(t)) }}}
	case "input_tokens":
		return []flow{{tags: c.tags(), rate: times(sent), each: sent}}
	case "output_tokens":
		return []flow{{tags: c.tags(), rate: times(received), each: received}}
	case "cost_microusd":
		return []flow{{tags: c.tags(), rate: times(c.cost() * 1e6), each: c.cost() * 1e6}}
	case "latency_ms":
		base := 500 + received*map[string]float64{"anthropic": 9, "openai": 6.5}[c.provider]
		return []flow{{tags: c.tags(), rate: c.requests, spread: 0.45, middle: func(t time.Time) float64 { return base * (1 + 2.4*c.slow(t)) }}}
	case "first_token_latency_ms":
		base := map[string]float64{"anthropic": 520, "openai": 340}[c.provider]
		return []flow{{tags: c.tags(), rate: c.requests, spread: 0.4, middle: func(t time.Time) float64 { return base * (1 + 3*c.slow(t)) }}}
	case "tasks":
		done := c.either(0.66, 0.9)
		return []flow{
			{tags: c.tags("completed", "true"), rate: times(0.6 * done)},
			{tags: c.tags("completed", "false"), rate: times(0.6 * (1 - done))},
		}
	case "retrieval.top_score":
		if c.feature != "ticket_summary" {
			return []flow{{tags: c.tags("index", "support-kb"), rate: c.requests, spread: 0.1, middle: constant(0.84), most: 1}}
		}
	case "retrieval.hit_count":
		if c.feature != "ticket_summary" {
			return []flow{{tags: c.tags("index", "support-kb"), rate: c.requests, spread: 0.3, middle: constant(3.6)}}
		}
	case "json_checked":
		if support {
			return []flow{{tags: c.tags("schema", "support_reply"), rate: c.requests}}
		}
	case "json_invalid":
		if support {
			return []flow{{tags: c.tags("schema", "support_reply"), rate: times(c.either(0.068, 0.011))}}
		}
	case "tool_calls", "tool_failures":
		var out []flow
		for _, t := range tools {
			share := t.share
			if metric == "tool_failures" {
				share *= c.either(t.bad, t.fails)
			}
			if support {
				out = append(out, flow{tags: c.tags("tool", t.name), rate: times(share)})
			}
		}
		return out
	default:
		for _, e := range evaluators {
			if metric == "eval."+e.name {
				return []flow{{tags: c.tags(), rate: times(e.applies * e.sampled), spread: 0.05, middle: constant(c.either(e.bad+0.08, e.pass)), most: 1}}
			}
		}
	}
	return nil
}

// tools of the simulation: the calls a request, and the share that fails, of the bad
// version too.
var tools = []struct {
	name              string
	share, fails, bad float64
}{{"lookup_order", 0.3, 0.02, 0.02}, {"track_shipment", 0.2, 0.035, 0.04}, {"lookup_payment", 0.1, 0.015, 0.09}}

// evaluators of the simulation: the share of requests that each applies to, with which
// probability these are sampled, how many pass, of the bad version too, how many are
// undecided, and whether it asks a model.
var evaluators = []struct {
	name                                string
	applies, sampled, pass, bad, unsure float64
	judge, support                      bool
}{
	{"reply_format", 1, 1, 0.989, 0.932, 0, false, true},
	{"tool_calls", 0.6, 1, 0.981, 0.953, 0, false, true},
	{"refusal", 1, 1, 0.985, 0.955, 0.004, false, false},
	{"correctness", 1, 0.1, 0.955, 0.81, 0.03, true, false},
	{"faithfulness", 0.9, 0.1, 0.968, 0.862, 0.05, true, false},
	{"answer_relevance", 1, 0.1, 0.972, 0.925, 0.02, true, false},
	{"safety", 1, 0.1, 0.998, 0.994, 0.01, true, false},
	{"user_feedback", 0.08, 1, 0.87, 0.66, 0.05, false, false},
}

// verdicts returns the series of verdicts, as they were sampled or weighted.
func (w world) verdicts(weighted bool) []flow {
	var out []flow
	for _, e := range evaluators {
		for _, c := range w.cells {
			if e.support && c.feature != "support_agent" {
				continue
			}
			failed := func(t time.Time) float64 {
				if e.judge {
					return 0.002 + 0.35*during(t)
				}
				return 0
			}
			pass := c.either(e.bad, e.pass)
			for _, o := range []struct {
				outcome string
				share   func(time.Time) float64
			}{
				{"pass", func(t time.Time) float64 { return pass * (1 - e.unsure) * (1 - failed(t)) }},
				{"fail", func(t time.Time) float64 { return (1 - pass) * (1 - e.unsure) * (1 - failed(t)) }},
				{"cannot_judge", func(t time.Time) float64 { return e.unsure * (1 - failed(t)) }},
				{"error", failed},
			} {
				each, factor := 1/e.sampled, e.applies
				if !weighted {
					each, factor = 1, e.applies*e.sampled
				}
				out = append(out, flow{
					tags: c.tags("eval", e.name, "outcome", o.outcome), each: each,
					rate: func(t time.Time) float64 { return factor * o.share(t) * c.requests(t) },
				})
			}
		}
	}
	return out
}

// judgeModel is what the simulated judges ask.
const judgeModel = "gpt-6-luna"

// worker returns the series of a metric of the workers themselves.
func (w world) worker(metric string) []flow {
	all := func(t time.Time) float64 { return requestsPerMinute * daily(t) }
	times := func(factor float64) func(time.Time) float64 {
		return func(t time.Time) float64 { return factor * all(t) }
	}
	one := func(rate func(time.Time) float64, tags ...string) flow { return flow{tags: own(tags...), rate: rate} }
	gauge := func(v func(time.Time) float64, tags ...string) flow { return flow{tags: own(tags...), middle: v} }
	zero := func(time.Time) float64 { return 0 }
	// behind is for how many seconds the workers have fallen behind.
	behind := func(t time.Time) float64 {
		if t.Before(outage) {
			return 0
		}
		if t.Before(outageEnd) {
			return t.Sub(outage).Seconds() * 0.3
		}
		return math.Max(0, outageEnd.Sub(outage).Seconds()*0.3-t.Sub(outageEnd).Seconds()*0.8)
	}
	// away is 1 for the half hour in which the Datadog agent does not answer.
	away := func(t time.Time) float64 {
		if from := firstDay.Add(11 * time.Hour); t.Before(from) || !t.Before(from.Add(30*time.Minute)) {
			return 0
		}
		return 1
	}
	var out []flow
	switch metric {
	case "events":
		return []flow{
			one(times(0.9), "outcome", "evaluated"), one(times(0.06), "outcome", "sampled_out"), one(times(0.04), "outcome", "unwanted"),
			one(func(t time.Time) float64 { return 0.2 * ramp(t, release3) }, "outcome", "dead_lettered", "reason", "not_json"),
			one(times(0.0002), "outcome", "dead_lettered", "reason", "too_large"),
		}
	case "event_age_seconds":
		return []flow{{tags: own(), rate: all, spread: 0.5, middle: func(t time.Time) float64 { return 3 + behind(t) }}}
	case "lag", "unfinished", "oldest_age_seconds":
		for p := range 6 {
			skew := 0.8 + 0.07*float64(p)
			out = append(out, gauge(func(t time.Time) float64 {
				wave := 1 + 0.3*math.Sin(float64(t.Unix()/900)*(1.1+0.37*float64(p)))
				switch metric {
				case "oldest_age_seconds":
					return wave*2 + skew*behind(t)
				case "lag":
					return wave*14 + skew*behind(t)*all(t)/60/6
				}
				return wave*5 + skew*behind(t)*all(t)/60/6
			}, "partition", strconv.Itoa(p)))
		}
	case "inflight":
		return []flow{gauge(func(t time.Time) float64 {
			if behind(t) > 0 {
				return 256
			}
			return math.Round(all(t)/60*6 + 3*math.Sin(float64(t.Unix())))
		})}
	case "queue":
		return []flow{gauge(func(t time.Time) float64 { return math.Round(2 + 2*daily(t) + 1000*away(t)) })}
	case "kafka_down", "store_down", "judges_held", "partitions_down", "unaccounted", "sampler_skewed":
		return []flow{gauge(zero)}
	case "config_refused":
		return []flow{gauge(func(t time.Time) float64 {
			if !t.Before(firstDay.Add(9*time.Hour)) && t.Before(firstDay.Add(9*time.Hour+40*time.Minute)) {
				return 1
			}
			return 0
		})}
	case "reloads":
		at := func(hour, minute int) func(time.Time) float64 {
			from := firstDay.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
			return func(t time.Time) float64 {
				if t.Before(from) || !t.Before(from.Add(30*time.Minute)) {
					return 0
				}
				return 0.1
			}
		}
		return []flow{one(at(9, 30), "outcome", "applied"), one(at(9, 0), "outcome", "refused"), one(at(16, 0), "outcome", "applied")}
	case "dropped":
		return []flow{
			one(func(t time.Time) float64 { return 40 * away(t) }, "sink", "reports", "reason", "queue_full"),
			one(times(0.0001), "sink", "values", "reason", "not_finite"),
			one(times(0.002), "sink", "consumer", "reason", "control_record"),
		}
	case "fields_ignored":
		return []flow{one(times(0.002), "field", "input_tokens"), one(times(0.004), "field", "retrieval.chunks.score")}
	case "links":
		return []flow{
			one(times(0.78), "mode", "child", "source", "headers"), one(times(0.12), "mode", "link", "source", "fields", "reason", "absent"),
			one(times(0.01), "mode", "none", "source", "none", "reason", "zero"),
		}
	default:
		return judges(metric, all)
	}
	return out
}

// judges returns the series of a metric of the judges' model calls.
func judges(metric string, all func(time.Time) float64) []flow {
	var out []flow
	for _, e := range evaluators {
		calls := func(t time.Time) float64 { return e.applies * e.sampled * all(t) }
		tags := func(more ...string) map[string]string {
			return own(append(more, "eval", e.name, "model", judgeModel)...)
		}
		if !e.judge {
			if metric == "cases" {
				out = append(out, flow{tags: own("eval", e.name), rate: func(t time.Time) float64 { return 0.0004 * all(t) * (1 + 4*ramp(t, release3)) }})
			}
			continue
		}
		switch metric {
		case "cases":
			out = append(out, flow{tags: own("eval", e.name), rate: func(t time.Time) float64 { return 0.0008 * all(t) * (1 + 5*ramp(t, release3)) }})
		case "judge.latency_ms":
			out = append(out, flow{tags: tags(), rate: calls, spread: 0.4, middle: func(t time.Time) float64 { return 1400 * (1 + 3*during(t)) }})
		case "judge.errors":
			out = append(out,
				flow{tags: tags("reason", "timeout"), rate: func(t time.Time) float64 { return calls(t) * (0.002 + 0.3*during(t)) }},
				flow{tags: tags("reason", "unparsable"), rate: func(t time.Time) float64 { return calls(t) * 0.001 }})
		case "judge.tokens":
			out = append(out,
				flow{tags: tags("kind", "input"), each: 1500, rate: func(t time.Time) float64 { return 1500 * calls(t) }},
				flow{tags: tags("kind", "output"), each: 180, rate: func(t time.Time) float64 { return 180 * calls(t) }})
		case "judge.cost_usd":
			out = append(out, flow{tags: tags(), rate: calls, spread: 0.2, middle: func(time.Time) float64 { return 1500*0.1e-6 + 180*0.5e-6 }})
		}
	}
	return out
}

// own returns the tags of a metric that is the worker's.
func own(tags ...string) map[string]string {
	out := map[string]string{"env": "prod", "service": "evalworker"}
	for i := 0; i < len(tags); i += 2 {
		out[tags[i]] = tags[i+1]
	}
	return out
}
