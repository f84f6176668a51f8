package validators

import (
	"context"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func checkBudget(c Config) fault.List {
	var faults fault.List
	if c.MaxLatencyMS == nil && c.MaxFirstTokenLatencyMS == nil && c.MaxInputTokens == nil &&
		c.MaxOutputTokens == nil && c.MaxCostUSD == nil && len(c.FinishReasons) == 0 {
		faults.Add("", "budget has no bound", "set at least one of "+strings.Join(Options("budget"), ", "))
	}
	positive(&faults, "max_latency_ms", c.MaxLatencyMS)
	positive(&faults, "max_first_token_latency_ms", c.MaxFirstTokenLatencyMS)
	positive(&faults, "max_input_tokens", c.MaxInputTokens)
	positive(&faults, "max_output_tokens", c.MaxOutputTokens)
	positive(&faults, "max_cost_usd", c.MaxCostUSD)
	phrases(&faults, "finish_reasons", c.FinishReasons)
	return faults
}

// buildBudget makes a validator of what the request took. The reason of a fail
// names the bounds that were broken; the score is the share that was kept.
func buildBudget(c Config, _ *Schemas) (made, error) {
	return made{answer: func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		var l limits
		bound := func(option, field string, fact, most *float64) {
			if most != nil {
				l.atMost(option, field, fact, *most)
			}
		}
		bound("max_latency_ms", "llm_latency_ms", e.LatencyMS, c.MaxLatencyMS)
		bound("max_first_token_latency_ms", "first_token_latency_ms", e.FirstTokenLatencyMS, c.MaxFirstTokenLatencyMS)
		bound("max_input_tokens", "input_tokens", asFloat(e.InputTokens), asFloat(c.MaxInputTokens))
		bound("max_output_tokens", "output_tokens", asFloat(e.OutputTokens), asFloat(c.MaxOutputTokens))
		bound("max_cost_usd", "estimated_cost_usd", e.EstimatedCostUSD, c.MaxCostUSD)
		switch {
		case len(c.FinishReasons) == 0:
		case e.FinishReason == "":
			l.missing = append(l.missing, "finish_reason")
		default:
			l.add("finish_reasons", slices.ContainsFunc(c.FinishReasons, func(fine string) bool {
				return strings.EqualFold(fine, e.FinishReason)
			}))
		}
		return l.verdict("within", "exceeded"), nil
	}}, nil
}
