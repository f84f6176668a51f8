package model

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// rejection is what a server did not take of a request: the answer format or a
// parameter. Servers say so in many words, and some repeat the request, which names
// both; a repeated request rejects nothing.
type rejection struct {
	format    bool
	parameter string // one of the parameter constants; empty: none
}

// readRejection reads the error of a server. OpenAI's errors name what they mean in
// param. Other servers have no such member and name it somewhere in the body.
func readRejection(status int, body []byte, code, param string) rejection {
	var v any
	if json.Unmarshal(body, &v) != nil {
		v = string(body)
	}
	said := statements(v, nil)
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotImplemented, http.StatusMethodNotAllowed:
	case http.StatusInternalServerError: // of llama.cpp and vLLM: no other request of this format will do better
		return rejection{format: slices.ContainsFunc(said, grammarFailed.MatchString)}
	default:
		return rejection{}
	}
	switch code {
	case "json_validate_failed", // of Groq, when the model's answer did not fit
		"wrong_api_format", // of Cerebras
		"invalid_json_schema":
		return rejection{format: true}
	}
	if slices.Contains(parameters(), param) {
		return rejection{parameter: rejectedParameter(append(said, param+" "+code))}
	}
	if param != "" && !namesFormat.MatchString(param) {
		return rejection{}
	}
	if p := rejectedParameter(said); p != "" {
		return rejection{parameter: p}
	}
	return rejection{format: param != "" || slices.ContainsFunc(said, namesFormat.MatchString)}
}

// Expressions that name the answer format in the words of OpenAI, vLLM, SGLang, TGI,
// Ollama, llama.cpp, Groq and Gemini. Of these, failures to build a grammar are the only
// ones that some servers report as their own fault.
var (
	grammarFailed = regexp.MustCompile(`(?i)(?:pars|compil|creat|build|initiali[sz])\w*[^.]{0,40}\bgrammar|grammar[^.]{0,40}(?:error|fail|invalid|unsupported)|json.?schema[^.]{0,60}(?:conver|compil|unsupported|not supported)|xgrammar|llguidance|lm.format.enforcer`)
	namesFormat   = regexp.MustCompile(`(?i)response.?format|text\.format|json.?schema|json.?object|json.?mode|response.?schema|response.?mime.?type|grammar|guided.?(?:json|decod)|structured.?output|additional.?properties|constrained.?decoding`)
)

// Parameters that a server may not take.
const (
	paramMaxTokens           = "max_tokens"
	paramMaxCompletionTokens = "max_completion_tokens"
	paramTemperature         = "temperature"
	paramSeed                = "seed"
	paramEffort              = "reasoning_effort"
)

func parameters() []string {
	return []string{paramMaxCompletionTokens, paramMaxTokens, paramTemperature, paramSeed, paramEffort}
}

// refusesParameter matches the words in which a server does not take a parameter. A
// value that is merely too high is not a reason to leave the parameter out.
var refusesParameter = regexp.MustCompile(`(?i)unsupported|not.support|n't support|unrecogni[sz]ed|unknown|unexpected|not.permitted|not.allowed|not.accepted|extra.(?:input|field|forbidden)|extra_forbidden|deprecated|incompatible|only (?:the )?\S{1,20}(?: \(\S+\))?(?: value)? (?:is|are) (?:allowed|supported)|must be (?:strictly|greater|set to|1\b|omitted)|cannot be (?:used|set)|not available|no longer|use '?max_completion_tokens`)

// rejectedParameter returns the parameter that a statement refuses, the first that it
// names.
func rejectedParameter(said []string) string {
	for _, s := range said {
		if !refusesParameter.MatchString(s) {
			continue
		}
		first, at := "", len(s)
		for _, p := range parameters() {
			if i := strings.Index(s, p); i >= 0 && i < at {
				first, at = p, i
			}
		}
		if first != "" {
			return first
		}
	}
	return ""
}

// maxStatement bounds what is read of one statement, in bytes: the reason comes first.
const maxStatement = 600

// statements returns what the objects of an error say: the texts of one object,
// together, because pydantic names the parameter and the complaint in two members.
// Copies of the request are left out.
func statements(v any, out []string) []string {
	switch v := v.(type) {
	case string:
		return append(out, withoutEcho(v))
	case []any:
		for _, e := range v {
			out = statements(e, out)
		}
	case map[string]any:
		var own []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if echoes[name] {
				continue
			}
			switch member := v[name].(type) {
			case string:
				own = append(own, withoutEcho(member))
			case []any:
				own = append(own, plainTexts(member)...)
				out = statements(member, out)
			case map[string]any:
				out = statements(member, out)
			}
		}
		out = append(out, strings.Join(own, " "))
	}
	return out
}

// plainTexts returns the strings of a list.
func plainTexts(list []any) (out []string) {
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, withoutEcho(s))
		}
	}
	return out
}

// echoes are the members in which servers repeat the request or the model's answer.
var echoes = map[string]bool{
	"input": true, "body": true, "request": true, "request_body": true, "payload": true, "messages": true,
	"prompt": true, "failed_generation": true, "ctx": true, "url": true,
}

// echo matches the beginning of a copy of the request inside a text: the members that
// FastAPI and pydantic use for it, and those with which a request begins, quoted in
// JSON or Python, once or twice.
var echo = regexp.MustCompile(`\\*["'](?:input|body|messages|model|prompt|failed_generation)\\*["']\s*:|input_value=`)

// withoutEcho returns a text up to a copy of the request.
func withoutEcho(s string) string {
	s = s[:min(len(s), maxStatement)]
	if at := echo.FindStringIndex(s); at != nil {
		s = s[:at[0]]
	}
	return s
}
