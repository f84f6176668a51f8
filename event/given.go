package event

import (
	"bytes"
	"strconv"
	"time"

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
	d.given.members = append(d.given.members, m)
	return true
}

func kindOfGiven(folded []byte, f field) givenKind {
	if unit, _ := latencyUnit(folded); unit != unitNone {
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
	case "temperature", "topp", "topk", "n", "seed", "maxtokens", "maxcompletiontokens", "maxoutputtokens", "presencepenalty", "frequencypenalty",
		"paralleltoolcalls", "toolchoice", "responseformat", "logitbias", "toplogprobs", "stopsequences", "stopsequence", "streamoptions", "reasoningeffort",
		"previousresponseid", "store", "truncation", "background", "safetyidentifier", "promptcachekey", "maxtoolcalls", "completedat", "billing", "container",
		"systemfingerprint", "servicetier", "createtime", "safetysettings", "generationconfig", "inferenceconfig", "promptfilterresults":
		return true
	}
	return false
}

type latencyScale uint8

const (
	unitNone latencyScale = iota
	unitUnknown
	unitMS
	unitSeconds
	unitMicros
	unitNanos
)

// perMS are the milliseconds of one of a unit.
var perMS = [...]float64{unitMS: 1, unitSeconds: 1000, unitMicros: 1e-3, unitNanos: 1e-6}

// latencyUnit returns the unit of a folded name that is that of a time to an answer, or to
// its first token.
func latencyUnit(folded []byte) (unit latencyScale, ok bool) {
	base := folded
	for _, stem := range [...]string{"latency", "llmlatency", "duration", "elapsed", "elapsedtime", "responsetime", "timetofirsttoken", "ttft"} {
		if rest, found := bytes.CutPrefix(base, []byte(stem)); found {
			switch string(rest) {
			case "":
				return unitUnknown, true
			case "ms", "msec", "millis", "milliseconds", "inms":
				return unitMS, true
			case "s", "sec", "secs", "seconds", "inseconds":
				return unitSeconds, true
			case "us", "micros", "microseconds":
				return unitMicros, true
			case "ns", "nanos", "nanoseconds":
				return unitNanos, true
			}
		}
	}
	return unitNone, false
}

// complete brings what providers give into the fields that the event does not have.
func (d *decoder) complete(e *Event) {
	g := &d.given
	if len(g.members) == 0 && g.response == 0 && (!e.lacksFacts() || !mayHaveFacts(e.Output.raw)) {
		return
	}
	c := completion{d: d, e: e}
	c.usages()
	c.finishes()
	c.request()
	c.spread()
	c.responses()
	c.latencies()
	c.apply()
	for i := range g.members {
		if m := &g.members[i]; m.kind == givenSpread {
			d.unknown("", m.name, c.adviceOn(m))
		}
	}
}

// lacksFacts reports whether a response could say something that the event does not.
func (e *Event) lacksFacts() bool {
	return e.InputTokens == nil || e.OutputTokens == nil || e.TotalTokens == nil || e.Model == "" || e.FinishReason == ""
}

// completion fills in one event. Of a fact that several members state the first counts
// when they agree; when they do not, the field is left out.
type completion struct {
	d *decoder
	e *Event

	counts  [3]claim[int64] // input, output, total
	model   claim[string]
	asks    string // the model that the request names; what answered counts before
	finish  claim[string]
	latency claim[float64]
	first   claim[float64]
}

// claim is what members state about one field.
type claim[T comparable] struct {
	value T
	at    string // the first of them
	other string // one that contradicts it
	known bool
	bad   bool // a member has no value that can be read
}

func (c *claim[T]) add(v T, at string) {
	switch {
	case !c.known:
		c.value, c.at, c.known = v, at, true
	case c.value != v && c.other == "":
		c.other = at
	}
}

// members calls do with each member of a kind.
func (c *completion) members(kind givenKind, do func(m *givenMember)) {
	for i := range c.d.given.members {
		if m := &c.d.given.members[i]; m.kind == kind {
			do(m)
		}
	}
}

// badCount warns of a count that is none.
func (c *completion) badCount(prefix string) func(name string, value []byte) {
	return func(name string, value []byte) {
		c.d.warn(Warning{Field: prefix + shortName(name), Problem: "a JSON " + jsonKind(value), want: "want a number of tokens"})
		c.d.ignored.add(c.d.tables.named("usage"))
	}
}

// add takes the counts of one place.
func (c *completion) add(u *usage, at string) {
	for i, n := range [...]count{u.input, u.output, u.total} {
		if n.known {
			c.counts[i].add(n.n, at)
		}
	}
}

func (c *completion) usages() {
	var alone usage
	var total *givenMember
	c.members(givenUsage, func(m *givenMember) {
		if string(foldPlain(make([]byte, 0, maxMember), m.name)) == "totalusage" {
			total = m
			return
		}
		c.usage(m)
	})
	c.members(givenCount, func(m *givenMember) {
		var buf [maxMember]byte
		if m.value != nil {
			alone.member(foldPlain(buf[:0], m.name), []byte(`"`+string(m.name)+`"`), m.value, c.badCount(""))
		}
	})
	alone.settle()
	c.add(&alone, "the counts")
	if total != nil && !c.counts[0].known && !c.counts[1].known { // of several steps, as Vercel has it
		c.usage(total)
	}
}

func (c *completion) usage(m *givenMember) {
	name := shortName(string(m.name))
	if string(m.value) == "null" {
		return
	}
	if jsonKind(m.value) != "object" {
		c.d.warn(Warning{Field: name, Problem: "a JSON " + c.d.kindAt(m), want: "want " + wantUsage})
		c.d.ignored.add(c.d.tables.named("usage"))
		return
	}
	if u, ok := readUsage(m.value, c.badCount(name+".")); ok {
		c.add(&u, name)
	}
}

const wantUsage = "an object with counts of tokens"

// kindAt names the JSON type of a member's value.
func (d *decoder) kindAt(m *givenMember) string {
	if m.value == nil && d.data[m.start] != '{' && d.data[m.start] != '[' {
		return "number that is not finite"
	}
	return jsonKind(d.data[m.start:])
}

func (c *completion) finishes() {
	c.members(givenFinish, func(m *givenMember) {
		var s string
		switch jsonKind(m.value) {
		case "string":
			s = stringOf(m.value)
		case "number":
			s = string(m.value)
		case "object":
			inner, _ := fieldNamed(m.value, "unified")
			s = stringOf(inner)
		case "null":
			return
		}
		if s == "" && string(m.value) != `""` {
			c.d.warn(Warning{Field: shortName(string(m.name)), Problem: "a JSON " + c.d.kindAt(m), want: "want a string"})
			c.finish.bad = true
		}
		c.finishReason(s, shortName(string(m.name)))
	})
}

// finishReason takes a finish reason. Words for the same reason agree.
func (c *completion) finishReason(s, at string) {
	switch {
	case s == "":
	case c.finish.known && NormalFinish(s) == NormalFinish(c.finish.value):
	default:
		c.finish.add(s, at)
	}
}

// request reads the body of the request.
func (c *completion) request() {
	c.members(givenRequest, func(m *givenMember) {
		body := m.value
		if inner, ok := fieldNamed(body, "body"); ok { // as a log of HTTP has it
			body = inner
		}
		in := newContentIf(body)
		if _, ok := in.Turns(); !ok {
			m.kind = givenSpread // the application's own
			return
		}
		if c.e.Input.IsZero() {
			c.e.Input = in
		}
		f, _ := fieldsOf(body)
		if c.e.Tools.IsZero() && hasValue(f.get(fieldTools)) {
			c.e.Tools = newContent(f.get(fieldTools))
		}
		if stream, ok := fieldNamed(body, "stream"); ok && c.e.Streaming == nil && jsonKind(stream) == "bool" {
			c.e.Streaming = new(bool)
			*c.e.Streaming = stream[0] == 't'
		}
		if s := f.text(fieldModel); s != "" {
			c.asks = s
		}
	})
}

// newContentIf returns content that is a JSON value, if it is one.
func newContentIf(value []byte) Content {
	if !hasValue(value) {
		return Content{}
	}
	return newContent(value)
}

// isAnswer reports whether a member of a response may hold the answer.
func isAnswer(f field) bool {
	switch f {
	case fieldChoices, fieldCandidates, fieldContent, fieldMessage, fieldText, fieldGeneration, fieldGenerations, fieldGeneratedText, fieldResults,
		fieldOutputText, fieldParts, fieldReplies, fieldObject, fieldPromptFeedback, fieldDone:
		return true
	}
	return false
}

// spread reads a response, or a request, whose members are members of the event.
func (c *completion) spread() {
	answers, asks := false, false
	c.members(givenSpread, func(m *givenMember) {
		answers = answers || isAnswer(m.field)
		asks = asks || m.field == fieldContents || m.field == fieldPrompt || m.field == fieldSystem || m.field == fieldInstructions
	})
	if asks {
		c.asked()
	}
	if !answers && (c.e.Output.IsZero() || !c.finish.known) {
		return
	}
	body, s, own := c.recognized()
	if s == nil {
		return
	}
	if !own && (c.e.Output.IsZero() || c.isResponse() && c.e.Output.Answer().JSON) {
		c.e.Output = newContent(body)
	}
	if f, ok := fieldsOf(body); ok && f.text(fieldObject) == "response" {
		switch c.e.Status {
		case "completed", "incomplete":
			c.e.Status = statusSuccess
		case "failed", "cancelled":
			c.e.Status = statusError
		}
	}
	answer := s.answer()
	c.finishReason(answer.FinishReason, "response")
	beside := !own && !bytes.Equal(c.e.Output.raw, body) && c.e.Output.Answer().Text != answer.Text
	c.members(givenSpread, func(m *givenMember) {
		if m.field == fieldModelVersion && c.e.Model == "" {
			if s := stringOf(m.value); s != "" {
				c.model.add(s, shortName(string(m.name)))
			}
		}
		if ms, ok := fieldNamed(m.value, "latencyms"); ok { // Bedrock's metrics
			if n, ok := milliseconds(ms, unitMS); ok {
				c.latency.add(n, shortName(string(m.name))+".latencyMs")
			}
		}
		if beside && isAnswer(m.field) {
			c.d.warn(Warning{Field: shortName(string(m.name)), Problem: "not read, because the event has another output"})
		}
		if m.field != fieldPrompt {
			m.kind = givenNone
		}
	})
}

// recognized returns the spread members as a response and what it says, and whether the
// event's own output is part of it, as of a response of OpenAI; nil when they are none.
func (c *completion) recognized() (body []byte, s *said, own bool) {
	if raw := c.e.Output.raw; jsonKind(raw) == "object" || jsonKind(raw) == "array" {
		s = &said{}
		if body = c.assembled(raw); s.readOutput(body, true) && s.unread == "" {
			return body, s, true
		}
	}
	s = &said{}
	if body = c.assembled(nil); s.readOutput(body, true) {
		return body, s, false
	}
	return nil, nil, false
}

// isResponse reports whether the output is that of the member response.
func (c *completion) isResponse() bool {
	at := c.d.given.response
	return at > 0 && len(c.e.Output.raw) > 0 && &c.e.Output.raw[0] == &c.d.data[at-1]
}

// assembled returns the spread members as the response that they were, with the event's
// own output in its place if it has one.
func (c *completion) assembled(output []byte) []byte {
	out := []byte{'{'}
	add := func(name string, value []byte) {
		if value == nil {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), name...), `":`...), value...)
	}
	if output != nil {
		add("output", output)
	}
	for i := range c.d.given.members {
		switch m := &c.d.given.members[i]; m.kind {
		case givenSpread, givenUsage, givenFinish, givenCount:
			add(string(m.name), m.value)
		}
	}
	if c.e.Model != "" {
		add("model", Text(c.e.Model).raw)
	}
	if c.e.FinishReason != "" {
		add("finish_reason", Text(c.e.FinishReason).raw)
	}
	if c.e.Status != "" && output != nil {
		add("status", Text(c.e.Status).raw)
	}
	return append(out, '}')
}

// asked reads what was asked in the members of a request: Gemini's contents, a prompt, and
// the system prompt beside messages.
func (c *completion) asked() {
	var prompt, contents, system *givenMember
	c.members(givenSpread, func(m *givenMember) {
		switch m.field {
		case fieldPrompt:
			prompt = m
		case fieldContents:
			contents = m
		case fieldSystem, fieldInstructions:
			system = m
		}
	})
	e := c.e
	switch {
	case contents != nil && e.Input.IsZero():
		body := append(append([]byte(`{"contents":`), contents.value...), '}')
		if system != nil && system.value != nil {
			body = append(append(append(body[:len(body)-1], `,"system":`...), system.value...), '}')
		}
		if in := newContent(body); contents.value != nil {
			if _, ok := in.Turns(); ok {
				e.Input, contents.kind = in, givenNone
				if system != nil {
					system.kind = givenNone
				}
			}
		}
	case prompt != nil && e.Input.IsZero():
		in := newContentIf(prompt.value)
		_, chat := in.Turns()
		if text := stringOf(prompt.value); chat || text != "" && (e.PromptName != "" || isPassage(text)) {
			e.Input, prompt.kind = in, givenNone
		}
	}
	if system == nil || system.kind == givenNone || jsonKind(e.Input.raw) != "array" || !isPassage(promptText(system.value)) {
		return
	}
	if turns, ok := e.Input.Turns(); ok && len(turns) > 0 && turns[0].Role != RoleSystem {
		body := append(append([]byte(`{"system":`), system.value...), `,"messages":`...)
		e.Input, system.kind = newContent(append(append(body, e.Input.raw...), '}')), givenNone
	}
}

// adviceOn returns what to write in place of a member that is not read.
func (c *completion) adviceOn(m *givenMember) string {
	switch {
	case m.field == fieldPrompt:
		return "write input, or prompt_name"
	case isAnswer(m.field) && c.e.Output.IsZero() && (jsonKind(m.value) == "array" || jsonKind(m.value) == "object"):
		return "write the whole response as output"
	case (m.field == fieldContent || m.field == fieldText) && c.e.Output.IsZero():
		return "write output, if it is the answer"
	case m.field == fieldContents || m.field == fieldSystem || m.field == fieldInstructions:
		return "write the whole request as input"
	}
	return ""
}

// responses reads what whole responses say beside the answer.
func (c *completion) responses() {
	c.members(givenResponse, func(m *givenMember) {
		if c.e.Output.IsZero() {
			c.e.Output = newContentIf(m.value)
		}
		c.response(m.value, shortName(string(m.name)))
	})
	if at := c.d.given.response; at > 0 && !c.isResponse() {
		scan := jsonscan.New(c.d.data, at-1)
		t, _ := scan.Next()
		scan.Skip(t)
		if scan.Flaw() == jsonscan.FlawNone {
			c.response(c.d.data[at-1:scan.Pos()], "response")
		}
	}
	c.response(c.e.Output.raw, "output")
}

func (c *completion) response(raw []byte, at string) {
	f, ok := factsOf(raw, c.badCount(at+"."))
	if f.model != "" && (ok || at != "output" || c.isResponse()) {
		c.model.add(f.model, at+".model")
	}
	if !ok {
		return
	}
	c.add(&f.usage, at+".usage")
	if f.latencyMS != nil {
		c.latency.add(*f.latencyMS, at+".metrics")
	}
	answer := c.e.Output.Answer()
	if at != "output" {
		answer = readAnswer(raw)
	}
	if !answer.JSON {
		c.finishReason(answer.FinishReason, at)
	}
}

// latencies reads times in any unit. A bare number has none.
func (c *completion) latencies() {
	for _, kind := range [...]givenKind{givenLatency, givenFirst} {
		into, own := &c.latency, "llm_latency_ms"
		if kind == givenFirst {
			into, own = &c.first, "first_token_latency_ms"
		}
		c.members(kind, func(m *givenMember) {
			var buf [maxMember]byte
			unit, _ := latencyUnit(foldPlain(buf[:0], m.name))
			ms, ok := milliseconds(m.value, unit)
			switch {
			case ok:
				into.add(ms, shortName(string(m.name)))
			case isPresent(m.value) || m.value == nil:
				problem := "a JSON " + c.d.kindAt(m)
				if unit == unitUnknown && jsonKind(m.value) == "number" {
					problem = "a number without a unit"
				}
				c.d.warn(Warning{Field: shortName(string(m.name)), Problem: problem, want: "write " + own})
				into.bad = true
			}
		})
	}
}

// milliseconds reads a time in a unit, or a text that names its own: "1.4s", "1400 ms".
func milliseconds(value []byte, unit latencyScale) (float64, bool) {
	digits := bytes.Trim(value, `" `)
	n, err := strconv.ParseFloat(string(digits), 64)
	if err == nil && unit != unitUnknown && len(digits) > 0 && digits[0] >= '0' && digits[0] <= '9' {
		return n * perMS[unit], true
	}
	if jsonKind(value) != "string" || err == nil {
		return 0, false
	}
	return namedDuration(digits)
}

// namedDuration reads a text such as 1.4s or 1400 ms, in milliseconds.
func namedDuration(text []byte) (float64, bool) {
	at, err := time.ParseDuration(string(bytes.ReplaceAll(text, []byte(" "), nil)))
	if err != nil || at < 0 {
		return 0, false
	}
	return float64(at) / float64(time.Millisecond), true
}

// apply fills in the fields that the event does not have.
func (c *completion) apply() {
	e, d := c.e, c.d
	for i, field := range [...]struct {
		name string
		own  **int64
	}{{"input_tokens", &e.InputTokens}, {"output_tokens", &e.OutputTokens}, {"total_tokens", &e.TotalTokens}} {
		if *field.own == nil && settle(d, &c.counts[i], field.name) {
			*field.own = keep(&d.integers, c.counts[i].value)
		}
	}
	for _, field := range [...]struct {
		name  string
		own   **float64
		claim *claim[float64]
	}{{"llm_latency_ms", &e.LatencyMS, &c.latency}, {"first_token_latency_ms", &e.FirstTokenLatencyMS, &c.first}} {
		if *field.own == nil && settle(d, field.claim, field.name) {
			*field.own = keep(&d.numbers, field.claim.value)
		}
	}
	if !c.model.known {
		c.model.value, c.model.known = c.asks, c.asks != ""
	}
	if e.Model == "" && settle(d, &c.model, "model") {
		e.Model = c.model.value
	}
	if e.FinishReason == "" && settle(d, &c.finish, "finish_reason") {
		e.FinishReason = c.finish.value
	}
}

// settle reports whether a field has one value, and names it when it has several.
func settle[T comparable](d *decoder, c *claim[T], field string) bool {
	if c.other != "" {
		d.warn(Warning{Field: field, Problem: c.at + " and " + c.other + " differ", want: "write " + field})
	}
	if c.other != "" || c.bad && !c.known {
		d.ignored.add(d.tables.named(field))
	}
	return c.known && c.other == ""
}

// describe fills in what the output says of the model and of how it ended, where the event
// does not: an application may publish the whole response and nothing else.
func (e *Event) describe() *Event {
	if e.Model != "" && e.FinishReason != "" || !mayHaveFacts(e.Output.raw) {
		return e
	}
	out := *e
	out.fill()
	return &out
}

// fill brings what the output says into the fields that the event does not have.
func (e *Event) fill() {
	f, ok := factsOf(e.Output.raw, func(string, []byte) {})
	if !ok {
		return
	}
	if e.Model == "" {
		e.Model = f.model
	}
	if answer := e.Output.Answer(); e.FinishReason == "" && !answer.JSON {
		e.FinishReason = answer.FinishReason
	}
	for _, field := range [...]struct {
		own **int64
		n   count
	}{{&e.InputTokens, f.input}, {&e.OutputTokens, f.output}, {&e.TotalTokens, f.total}} {
		if n := field.n.n; *field.own == nil && field.n.known {
			*field.own = &n
		}
	}
	if e.LatencyMS == nil {
		e.LatencyMS = f.latencyMS
	}
}
