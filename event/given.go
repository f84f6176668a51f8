package event

import (
	"bytes"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// given is what stands in an event beside its own fields, in the names of providers. It is
// read when the whole event has been, because its own fields count before.
type given struct {
	members  []givenMember
	response int // place of a response beside the output, counted from 1
}

// givenMember is a member of an event that providers have.
type givenMember struct {
	name  []byte // as published
	kind  givenKind
	field field  // of a response or a request
	value []byte // nil when it is not JSON, because of a NaN
	start int
}

type givenKind uint8

const (
	givenNone     givenKind = iota
	givenUsage              // counts of tokens
	givenRequest            // the body of the request
	givenResponse           // the whole response
	givenFinish             // why the model stopped
	givenLatency            // the time to the answer
	givenFirst              // the time to the first token
	givenCount              // a count of tokens by itself
	givenSpread             // a member of a response or request that is spread into the event
	givenSetting            // a setting, if there is such a response
)

// maxGiven bounds the members of one event that are kept.
const maxGiven = 64

// providers returns the members of an event that providers have, with their descriptions.
// A response that is spread into the event has more of them.
func providers() map[string]string {
	return map[string]string{
		"usage":         "a provider's counts of tokens",
		"usageMetadata": "a provider's counts of tokens",
		"request":       "the body of the request: input, tools, model and streaming, where the event does not have them",
		"finishReason":  "other name of finish_reason",
		"stop_reason":   "other name of finish_reason",
		"stopReason":    "other name of finish_reason",
	}
}

// take keeps a member that providers have, and reports whether it is one.
func (d *decoder) take(name []byte, value jsonscan.Token) bool {
	var buf [maxMember]byte
	folded := foldPlain(buf[:0], name)
	if isSetting(folded) {
		d.skip(value)
		return true
	}
	m := givenMember{name: name, field: fieldOf(string(folded)), start: value.Start}
	if m.kind = kindOfGiven(folded, m.field); m.kind == givenNone || len(d.given.members) == maxGiven {
		return false
	}
	m.value = d.value(value)
	if m.value == nil && m.kind != givenUsage && m.kind != givenFinish && m.kind != givenLatency && m.kind != givenFirst {
		d.warn(notFinite(shortName(string(name))))
		return true
	}
	d.given.members = append(d.given.members, m)
	return true
}

// notFinite warns of a member that is not JSON.
func notFinite(name string) Warning {
	return Warning{Field: name, Problem: "not JSON, because a number in it is not finite", want: "write null in its place"}
}

func kindOfGiven(folded []byte, f field) givenKind {
	if latencyUnit(folded) != unitNone {
		if bytes.HasPrefix(folded, []byte("ttft")) || bytes.HasPrefix(folded, []byte("timetofirst")) {
			return givenFirst
		}
		return givenLatency
	}
	switch string(folded) {
	case "usage", "usagemetadata", "tokenusage", "totalusage":
		return givenUsage
	case "request", "requestbody":
		return givenRequest
	case "responsebody", "rawresponse":
		return givenResponse
	}
	if isCount(folded) {
		return givenCount
	}
	switch f {
	case fieldOther:
		if maySet(folded) {
			return givenSetting
		}
		return givenNone
	case fieldFinishReason, fieldStopReason, fieldDoneReason:
		return givenFinish
	}
	return givenSpread
}

// isSetting reports whether a folded name is that of a setting of a request, or of what
// providers keep books with: published as it is, and of no use to an evaluation.
func isSetting(folded []byte) bool {
	switch string(folded) {
	case "temperature", "topp", "topk", "maxtokens", "maxcompletiontokens", "maxoutputtokens", "presencepenalty", "frequencypenalty",
		"paralleltoolcalls", "toolchoice", "responseformat", "logitbias", "toplogprobs", "stopsequences", "stopsequence", "streamoptions", "reasoningeffort",
		"previousresponseid", "safetyidentifier", "promptcachekey", "maxtoolcalls", "completedat",
		"systemfingerprint", "servicetier", "createtime", "safetysettings", "generationconfig", "inferenceconfig", "promptfilterresults":
		return true
	}
	return false
}

// maySet reports whether a folded name is that of a setting, or of an application's own
// member. It is a setting in a response that is spread into the event.
func maySet(folded []byte) bool {
	switch string(folded) {
	case "n", "seed", "store", "truncation", "background", "billing", "container", "conversation", "user":
		return true
	}
	return false
}
