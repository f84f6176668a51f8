package event

import (
	"bytes"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// providerMembers are the members of an event that are not its own fields and have the names
// of providers. They are read when the whole event has been, because its own fields count
// before.
type providerMembers struct {
	members  []providerMember
	response int // place of a response beside the output, counted from 1
}

// providerMember is a member of an event that providers have.
type providerMember struct {
	name  []byte // as published
	kind  memberKind
	field field  // of a response or a request
	value []byte // nil when it is not JSON, because of a NaN
	start int
}

type memberKind uint8

const (
	memberNone     memberKind = iota
	memberUsage               // counts of tokens
	memberRequest             // the body of the request
	memberResponse            // the whole response
	memberFinish              // why the model stopped
	memberLatency             // the time to the answer
	memberFirst               // the time to the first token
	memberCount               // a count of tokens by itself
	memberSpread              // a member of a response or request that is spread into the event
	memberSetting             // a setting, if there is such a response
)

// maxProviderMembers bounds the members of one event that are kept.
const maxProviderMembers = 64

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

// takeProviderMember keeps a member that providers have, and reports whether it is one.
func (d *decoder) takeProviderMember(name []byte, value jsonscan.Token) bool {
	var buf [maxMember]byte
	folded := foldPlain(buf[:0], name)
	if isSetting(folded) {
		d.skip(value)
		return true
	}
	m := providerMember{name: name, field: fieldOf(string(folded)), start: value.Start}
	if m.kind = memberKindOf(folded, m.field); m.kind == memberNone || len(d.provided.members) == maxProviderMembers {
		return false
	}
	m.value = d.value(value)
	if m.value == nil && m.kind != memberUsage && m.kind != memberFinish && m.kind != memberLatency && m.kind != memberFirst {
		d.warn(notFinite(shortName(string(name))))
		return true
	}
	d.provided.members = append(d.provided.members, m)
	return true
}

// notFinite warns of a member that is not JSON.
func notFinite(name string) Warning {
	return Warning{Field: name, Problem: "not JSON, because a number in it is not finite", want: "write null in its place"}
}

func memberKindOf(folded []byte, f field) memberKind {
	if latencyUnit(folded) != unitNone {
		if bytes.HasPrefix(folded, []byte("ttft")) || bytes.HasPrefix(folded, []byte("timetofirst")) {
			return memberFirst
		}
		return memberLatency
	}
	switch string(folded) {
	case "usage", "usagemetadata", "tokenusage", "totalusage":
		return memberUsage
	case "request", "requestbody":
		return memberRequest
	case "responsebody", "rawresponse":
		return memberResponse
	}
	if isCount(folded) {
		return memberCount
	}
	switch f {
	case fieldOther:
		if maySet(folded) {
			return memberSetting
		}
		return memberNone
	case fieldFinishReason, fieldStopReason, fieldDoneReason:
		return memberFinish
	}
	return memberSpread
}

// isSetting reports whether a folded name is that of a setting of a request, or of an
// id or a mark that providers add: published as it is, and of no use to an evaluation.
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
