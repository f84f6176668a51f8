package validators

import (
	"context"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildBudget builds a validator of a request's latency, tokens, cost and finish
// reason. The reason of a fail names the bounds that were broken; the score is the
// share of bounds that were kept.
func buildBudget(b *builder) answer {
	c := b.Config
	if c.MaxLatencyMS == nil && c.MaxFirstTokenLatencyMS == nil && c.MaxInputTokens == nil &&
		c.MaxOutputTokens == nil && c.MaxCostUSD == nil && len(c.FinishReasons) == 0 {
		b.faults.Add("", "budget has no bound", "set at least one of "+strings.Join(Options("budget"), ", "))
	}
	checkPositive(b, "max_latency_ms", c.MaxLatencyMS)
	checkPositive(b, "max_first_token_latency_ms", c.MaxFirstTokenLatencyMS)
	checkPositive(b, "max_input_tokens", c.MaxInputTokens)
	checkPositive(b, "max_output_tokens", c.MaxOutputTokens)
	checkPositive(b, "max_cost_usd", c.MaxCostUSD)
	b.checkPhrases("finish_reasons", c.FinishReasons)
	return func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		var l limits
		l.atMost("max_latency_ms", "llm_latency_ms", e.LatencyMS, c.MaxLatencyMS)
		l.atMost("max_first_token_latency_ms", "first_token_latency_ms", e.FirstTokenLatencyMS, c.MaxFirstTokenLatencyMS)
		l.atMost("max_input_tokens", "input_tokens", asFloat(e.InputTokens), asFloat(c.MaxInputTokens))
		l.atMost("max_output_tokens", "output_tokens", asFloat(e.OutputTokens), asFloat(c.MaxOutputTokens))
		l.atMost("max_cost_usd", "estimated_cost_usd", e.EstimatedCostUSD, c.MaxCostUSD)
		if len(c.FinishReasons) > 0 {
			if reason := e.Answer().FinishReason; event.NormalFinish(reason) == "" {
				l.missing = append(l.missing, "finish_reason")
			} else {
				l.add("finish_reasons", slices.ContainsFunc(c.FinishReasons, func(fine string) bool { return sameFinish(fine, reason) }))
			}
		}
		return l.verdict("within", "exceeded"), nil
	}
}

// sameFinish reports whether two finish reasons mean the same, whichever provider's
// words they are.
func sameFinish(a, b string) bool {
	normal := event.NormalFinish(a)
	return strings.EqualFold(a, b) || normal == event.NormalFinish(b) && normal != event.FinishOther
}
