package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/judges"
)

// reply is what a completion says. The client library would refuse a whole reply for
// the type of a member that nobody reads, so it is read here, below the library.
type reply struct {
	model   string
	text    string // without thinking that the server sends apart
	refusal string
	finish  event.FinishReason
	thought bool // the model thought before it answered
	usage   tokens
}

var (
	errNoCompletion = errors.New("reply is not a completion")
	errNoChoice     = errors.New("reply without a choice")
	errInside       = errors.New("reply holds an error")
)

// rawReply has no types, because servers differ in those that do not matter.
type rawReply struct {
	Model   json.RawMessage   `json:"model"`
	Error   json.RawMessage   `json:"error"`
	Choices []json.RawMessage `json:"choices"`
	Usage   json.RawMessage   `json:"usage"`
}

type rawChoice struct {
	Error        json.RawMessage `json:"error"`
	FinishReason json.RawMessage `json:"finish_reason"`
	Message      json.RawMessage `json:"message"`
}

type rawMessage struct {
	Content   json.RawMessage `json:"content"`
	Refusal   json.RawMessage `json:"refusal"`
	Reasoning json.RawMessage `json:"reasoning"`
	Thinking  json.RawMessage `json:"reasoning_content"`
}

// readReply reads the body of a success. An error inside of it is returned as its own
// body with errInside.
func readReply(body []byte) (*reply, []byte, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	var raw rawReply
	if json.Unmarshal(body, &raw) != nil {
		return nil, body, errNoCompletion
	}
	if says(raw.Error) {
		return nil, body, errInside
	}
	var choice rawChoice
	if len(raw.Choices) == 0 || json.Unmarshal(raw.Choices[0], &choice) != nil {
		return nil, body, errNoChoice
	}
	if says(choice.Error) {
		return nil, slices.Concat([]byte(`{"error":`), choice.Error, []byte(`}`)), errInside
	}
	r := &reply{finish: event.NormalFinish(text(choice.FinishReason)), model: text(raw.Model), usage: readUsage(raw.Usage)}
	if r.finish == event.FinishError {
		return nil, nil, errInside
	}
	var message rawMessage
	if json.Unmarshal(choice.Message, &message) != nil {
		return nil, body, errNoChoice
	}
	r.thought = says(message.Reasoning) || says(message.Thinking)
	r.refusal = text(message.Refusal)
	r.readContent(message.Content)
	// Some servers send nothing of the thinking, but nothing else takes tokens.
	if judges.Unwrap(r.text) == "" && (r.text != "" || r.finish == event.FinishLength) {
		r.thought = true
	}
	return r, body, nil
}

// readContent reads a message's content: a string, a list of parts, one part, or the
// answer itself as an object.
func (r *reply) readContent(content json.RawMessage) {
	var parts []json.RawMessage
	switch {
	case !says(content):
	case content[0] == '[' && json.Unmarshal(content, &parts) == nil:
		for _, part := range parts {
			r.readPart(part)
		}
	default:
		r.readPart(content)
	}
}

// readPart adds a part of the content. Thinking is not part of the answer, nor is a part
// of an unknown type.
func (r *reply) readPart(part json.RawMessage) {
	if len(part) == 0 || part[0] != '{' {
		r.text += text(part)
		return
	}
	var p struct {
		Type    json.RawMessage `json:"type"`
		Text    json.RawMessage `json:"text"`
		Refusal json.RawMessage `json:"refusal"`
	}
	_ = json.Unmarshal(part, &p) // an object always fits
	switch kind := text(p.Type); {
	case kind == "" && p.Text == nil:
		r.text += string(part)
	case kind == "" || kind == "text" || kind == "output_text":
		var value struct {
			Value json.RawMessage `json:"value"`
		}
		if json.Unmarshal(p.Text, &value) == nil && value.Value != nil {
			p.Text = value.Value
		}
		r.text += text(p.Text)
	case kind == "refusal":
		r.refusal += text(p.Refusal)
	case strings.Contains(kind, "think") || strings.Contains(kind, "reason"):
		r.thought = true
	}
}

// says reports whether a member is there and holds anything.
func says(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "{}", "[]", "false":
		return false
	}
	return true
}

// text returns a JSON string, or "".
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // another type is no text
	return s
}

// tokens is what a call used. Nothing is known when a count is impossible: a wrong sum
// of costs is worse than a missing one.
type tokens struct {
	input   int64 // cached and written ones included
	cached  int64 // of input, read from the server's cache
	written int64 // of input, written to the server's cache
	output  int64 // thinking included
}

// maxCount is far above what any model takes or writes in one call.
const maxCount = 100_000_000

// readUsage reads the counts in the dialects of OpenAI, Anthropic, DeepSeek and
// Gemini.
func readUsage(raw json.RawMessage) tokens {
	var u struct {
		Prompt     json.RawMessage `json:"prompt_tokens"`
		Completion json.RawMessage `json:"completion_tokens"`
		Total      json.RawMessage `json:"total_tokens"`
		Input      json.RawMessage `json:"input_tokens"`
		Output     json.RawMessage `json:"output_tokens"`
		CacheHit   json.RawMessage `json:"prompt_cache_hit_tokens"`
		CacheRead  json.RawMessage `json:"cache_read_input_tokens"`
		CacheWrite json.RawMessage `json:"cache_creation_input_tokens"`

		PromptDetails     json.RawMessage `json:"prompt_tokens_details"`
		InputDetails      json.RawMessage `json:"input_tokens_details"`
		CompletionDetails json.RawMessage `json:"completion_tokens_details"`
		OutputDetails     json.RawMessage `json:"output_tokens_details"`
	}
	if json.Unmarshal(raw, &u) != nil {
		return tokens{}
	}
	type inputDetails struct {
		Cached  json.RawMessage `json:"cached_tokens"`
		Written json.RawMessage `json:"cache_write_tokens"`
		Created json.RawMessage `json:"cache_creation_tokens"`
	}
	var prompt, input inputDetails
	var completion, output struct {
		Reasoning json.RawMessage `json:"reasoning_tokens"`
	}
	_ = json.Unmarshal(u.PromptDetails, &prompt)         // details of another type are none,
	_ = json.Unmarshal(u.InputDetails, &input)           // as are missing ones
	_ = json.Unmarshal(u.CompletionDetails, &completion) //
	_ = json.Unmarshal(u.OutputDetails, &output)         //

	possible := true
	most := func(counts ...json.RawMessage) (n int64) {
		for _, c := range counts {
			one, ok := readCount(c)
			possible = possible && ok
			n = max(n, one)
		}
		return n
	}
	t := tokens{input: most(u.Prompt, u.Input), output: most(u.Completion, u.Output)}
	t.cached = most(prompt.Cached, input.Cached, u.CacheHit)
	t.written = most(prompt.Written, prompt.Created, input.Written, input.Created)
	read, created := most(u.CacheRead), most(u.CacheWrite)
	total, thinking := most(u.Total), most(completion.Reasoning, output.Reasoning)
	if !possible {
		return tokens{}
	}
	// Anthropic counts the cache beside its input; proxies in front of it add it or do
	// not, which the total tells.
	apart := !says(u.Prompt) || read+created > t.input || total > 0 && total == t.input+read+created+t.output
	if apart && t.cached == 0 {
		t.input += read + created
	}
	t.cached, t.written = max(t.cached, read), max(t.written, created)
	// Gemini and others count thinking in the total alone.
	switch {
	case total > t.input+t.output:
		t.output = total - t.input
	case thinking > t.output:
		t.output += thinking
	}
	t.cached = min(t.cached, t.input)
	t.written = min(t.written, t.input-t.cached)
	return t
}

// readCount reads a count that may be written as a float or a string. It reports
// whether the count is possible; a missing one is 0.
func readCount(raw json.RawMessage) (int64, bool) {
	if !says(raw) {
		return 0, true
	}
	s := string(raw)
	if s[0] == '"' {
		s = text(raw)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n <= maxCount) {
		return 0, false
	}
	return int64(math.Round(n)), true
}
