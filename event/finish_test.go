package event_test

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

func TestFinish(t *testing.T) {
	t.Parallel()
	for want, reasons := range map[event.FinishReason]string{
		event.FinishStop:          "stop STOP end_turn endTurn stop_sequence COMPLETE FinishReason.STOP FINISH_REASON_STOP eos_token FINISH",
		event.FinishLength:        "length max_tokens MAX_TOKENS max_output_tokens max_completion_tokens FinishReason.MAX_TOKENS model_length model_context_window_exceeded",
		event.FinishToolCalls:     "tool_calls tool-calls toolCalls tool_use function_call TOOL_CALL",
		event.FinishContentFilter: "content_filter content-filter content_filtered SAFETY RECITATION PROHIBITED_CONTENT SPII BLOCKLIST guardrail_intervened ERROR_TOXIC",
		event.FinishRefusal:       "refusal",
		event.FinishError:         "error MALFORMED_FUNCTION_CALL network_error insufficient_system_resource",
		"":                        "unknown FINISH_REASON_UNSPECIFIED nan NA None null",
		event.FinishOther:         "OTHER pause_turn LANGUAGE " + strings.Repeat("stop", 100),
	} {
		for reason := range strings.FieldsSeq(reasons) {
			if got := event.NormalFinish(reason); got != want {
				t.Errorf("%.40s is %q; want %q", reason, got, want)
			}
			e := decode(t, `"finish_reason":"`+reason+`"`)
			if e.Finish() != want || e.FinishReason != reason {
				t.Errorf("%.40s: %q; want %q beside the provider's word", reason, e.Finish(), want)
			}
		}
	}
	for fields, want := range map[string]event.FinishReason{
		`"output":"x"`: "",
		`"finish_reason":"stop","output":{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"length"}]}`: event.FinishStop,
		`"output":{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"length"}]}`:                        event.FinishLength,
		`"output":{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":2}]}`:                                       event.FinishLength,
		`"output":{"text":"x","finishReason":{"unified":"tool-calls","raw":"tool_use"}}`:                                        event.FinishToolCalls,
		`"output":{"type":"ai","content":"x","response_metadata":{"stop_reason":"end_turn"}}`:                                   event.FinishStop,
	} {
		if got := decode(t, fields).Finish(); got != want {
			t.Errorf("%s: %q; want %q", fields, got, want)
		}
	}
}

// TestMarkedRefusals: the provider's word that it refuses or withholds an answer is a
// refusal, with or without text.
func TestMarkedRefusals(t *testing.T) {
	t.Parallel()
	for _, fields := range []string{
		`"finish_reason":"content_filter"`,
		`"finish_reason":"SAFETY","output":""`,
		`"finish_reason":"refusal","output":{"role":"assistant","content":[]}`,
		`"finish_reason":"content_filter","output":{"error":{"message":"Filtered","type":"x","param":null,"code":"400"}}`,
		`"output":{"error":{"message":"Filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{}}}`,
		`"output":{"promptFeedback":{"blockReason":"OTHER"}}`,
		`"output":{"candidates":[{"content":{"parts":[{"text":"The first step"}],"role":"model"},"finishReason":"SAFETY"}]}`,
		`"output":[{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"No."}]}]`,
	} {
		if a := decode(t, fields).Answer(); !a.Refusal || a.Unread != "" {
			t.Errorf("%s: %+v; want a refusal", fields, a)
		}
	}
}
