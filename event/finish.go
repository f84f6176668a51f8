package event

import "strings"

// FinishReason says why a model stopped, in one form for all providers.
type FinishReason string

// The reasons. The empty string is an unknown reason: none was published.
const (
	FinishStop          FinishReason = "stop"           // the answer is complete
	FinishLength        FinishReason = "length"         // a limit of tokens cut it off
	FinishToolCalls     FinishReason = "tool_calls"     // tools have to run first
	FinishContentFilter FinishReason = "content_filter" // the provider withheld it
	FinishRefusal       FinishReason = "refusal"        // the provider says that the model refused
	FinishError         FinishReason = "error"          // the provider or the model failed
	FinishOther         FinishReason = "other"          // a reason that has no normal form
)

// Refuses reports whether the provider stopped the answer because of its content.
func (r FinishReason) Refuses() bool { return r == FinishRefusal || r == FinishContentFilter }

// NormalFinish returns the normal form of a finish reason as a provider writes it:
// end_turn, STOP and COMPLETE are "stop", MAX_TOKENS is "length". Case and
// punctuation do not count. It is [FinishOther] for a reason that is not known, and
// empty for an empty one.
func NormalFinish(reason string) FinishReason {
	const longest = 64 // bytes; no reason is longer
	if len(reason) > longest {
		return FinishOther
	}
	if i := strings.LastIndexByte(reason, '.'); i >= 0 { // Python's FinishReason.STOP
		reason = reason[i+1:]
	}
	word := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, reason)
	switch strings.TrimPrefix(word, "finishreason") {
	case "", "null", "none", "nan", "na", "unspecified", // Gemini's default, and no value as languages print it
		"unknown": // Vercel's word for it
		return ""
	case "stop", "stopped", "stopsequence", "stoptoken", "endturn", "eos", "eostoken", "endoftext", "complete", "completed", "finish", "finished",
		"1": // Gemini's enumeration as a number
		return FinishStop
	case "length", "maxtokens", "maxoutputtokens", "maxcompletiontokens", "maxlength", "maxnewtokens", "modellength", "tokenlimit", "errorlimit",
		"modelcontextwindowexceeded", "contextlengthexceeded", "2":
		return FinishLength
	case "toolcalls", "toolcall", "tooluse", "functioncall", "functioncalls":
		return FinishToolCalls
	case "contentfilter", "contentfiltered", "contentblocked", "guardrailintervened", "guardrail", "safety", "blocklist", "prohibitedcontent", "spii",
		"recitation", "imagesafety", "imageprohibitedcontent", "imagerecitation", "modelarmor", "sensitive", "errortoxic", "blocked", "3", "4":
		return FinishContentFilter
	case "refusal", "refused", "refuse":
		return FinishRefusal
	case "error", "failed", "failure", "networkerror", "insufficientsystemresource", "timeout", "malformedfunctioncall", "unexpectedtoolcall", "toomanytoolcalls",
		"malformedresponse", "malformedmodeloutput", "malformedtooluse", "cancelled", "canceled", "abort", "aborted":
		return FinishError
	}
	return FinishOther
}

// Finish returns the normal form of why the model stopped: of the event's finish
// reason, or else of the one in a provider's response that was published as the
// output. It is empty when neither is known.
func (e *Event) Finish() FinishReason { return NormalFinish(e.Answer().FinishReason) }
