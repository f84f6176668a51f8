package event

import "github.com/evalworker/evalworker/internal/base/jsonscan"

// enrich brings what providers give into the fields that the event does not have.
func (d *decoder) enrich(e *Event) {
	g := &d.provided
	if len(g.members) == 0 && g.response == 0 && (!e.lacksFacts() || !mayHaveFacts(e.Output.raw)) {
		return
	}
	c := enrichment{d: d, e: e}
	c.usages()
	c.finishes()
	c.request()
	c.spread()
	c.responses()
	c.latencies()
	c.apply()
	for i := range g.members {
		if m := &g.members[i]; (m.kind == memberSpread || m.kind == memberSetting) && string(m.value) != "null" {
			d.unknown("", m.name, c.adviceOn(m))
		}
	}
}

// lacksFacts reports whether a response could say something that the event does not.
func (e *Event) lacksFacts() bool {
	return e.InputTokens == nil || e.OutputTokens == nil || e.TotalTokens == nil || e.Model == "" || e.FinishReason == ""
}

// enrichment fills in one event. Of a fact that several members state the first counts
// when they agree; when they do not, the field is left out.
type enrichment struct {
	d *decoder
	e *Event

	counts       [3]statement[int64] // input, output, total
	model        statement[string]
	requestModel string // the model that the request names; what answered counts before
	finish       statement[string]
	latency      statement[float64]
	first        statement[float64]
}

// statement is what members state about one field.
type statement[T comparable] struct {
	value T
	at    string // the first of them
	other string // one that contradicts it
	known bool
	bad   bool // a member has no value that can be read
}

func (s *statement[T]) add(v T, at string) {
	switch {
	case !s.known:
		s.value, s.at, s.known = v, at, true
	case s.value != v && s.other == "":
		s.other = at
	}
}

// members calls do with each member of a kind.
func (c *enrichment) members(kind memberKind, do func(m *providerMember)) {
	for i := range c.d.provided.members {
		if m := &c.d.provided.members[i]; m.kind == kind {
			do(m)
		}
	}
}

// badCount warns of a count that is none.
func (c *enrichment) badCount(prefix string) func(name string, value []byte) {
	return func(name string, value []byte) {
		c.d.warn(Warning{Field: prefix + shortName(name), Problem: "a JSON " + jsonKind(value), want: "want a number of tokens"})
		c.d.ignored.add(c.d.tables.named("usage"))
	}
}

// add takes the counts of one place.
func (c *enrichment) add(u *usage, at string) {
	for i, n := range [...]count{u.input, u.output, u.total} {
		if n.known {
			c.counts[i].add(n.n, at)
		}
	}
}

func (c *enrichment) usages() {
	var alone usage
	var total *providerMember
	c.members(memberUsage, func(m *providerMember) {
		if string(foldPlain(make([]byte, 0, maxMember), m.name)) == "totalusage" {
			total = m
			return
		}
		c.usage(m)
	})
	c.members(memberCount, func(m *providerMember) {
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

func (c *enrichment) usage(m *providerMember) {
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
func (d *decoder) kindAt(m *providerMember) string {
	if m.value == nil && d.data[m.start] != '{' && d.data[m.start] != '[' {
		return "number that is not finite"
	}
	return jsonKind(d.data[m.start:])
}

func (c *enrichment) finishes() {
	c.members(memberFinish, func(m *providerMember) {
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
func (c *enrichment) finishReason(s, at string) {
	switch {
	case s == "":
	case c.finish.known && NormalFinish(s) == NormalFinish(c.finish.value):
	default:
		c.finish.add(s, at)
	}
}

// request reads the body of the request.
func (c *enrichment) request() {
	c.members(memberRequest, func(m *providerMember) {
		body := m.value
		if inner, ok := fieldNamed(body, "body"); ok { // as a log of HTTP has it
			body = inner
		}
		in := newContentIf(body)
		if _, ok := in.Turns(); !ok {
			m.kind = memberSpread // the application's own
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
		if s := f.text(fieldModel); isModelName(s) {
			c.requestModel = s
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

// responses reads what whole responses say beside the answer.
func (c *enrichment) responses() {
	c.members(memberResponse, func(m *providerMember) {
		if c.e.Output.IsZero() {
			c.e.Output = newContentIf(m.value)
		}
		c.response(m.value, shortName(string(m.name)))
	})
	if at := c.d.provided.response; at > 0 && !c.isResponse() {
		scan := jsonscan.New(c.d.data, at-1)
		t, _ := scan.Next()
		scan.Skip(t)
		if scan.Flaw() == jsonscan.FlawNone {
			c.response(c.d.data[at-1:scan.Pos()], "response")
		} else { // the event is JSON but for this
			c.d.warn(notFinite("response"))
		}
	}
	c.response(c.e.Output.raw, "output")
}

// response reads a response that the event holds beside its output, or as its output.
func (c *enrichment) response(raw []byte, at string) {
	isOutput := at == "output"
	if isOutput && !mayHaveFacts(raw) && !c.isResponse() {
		return
	}
	content := c.e.Output
	if !isOutput {
		content = newContentIf(raw)
	}
	finish, isResponse := content.response()
	if isOutput && !isResponse {
		return
	}
	f, ok := factsOf(raw, c.badCount(at+"."))
	if f.model != "" && (ok || !isOutput || c.isResponse()) {
		c.model.add(f.model, at+".model")
	}
	if !ok {
		return
	}
	c.add(&f.usage, at+".usage")
	if f.latencyMS != nil {
		c.latency.add(*f.latencyMS, at+".metrics")
	}
	if isResponse {
		c.finishReason(finish, at)
	}
}

// apply fills in the fields that the event does not have.
func (c *enrichment) apply() {
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
		name      string
		own       **float64
		statement *statement[float64]
	}{{"llm_latency_ms", &e.LatencyMS, &c.latency}, {"first_token_latency_ms", &e.FirstTokenLatencyMS, &c.first}} {
		if *field.own == nil && settle(d, field.statement, field.name) {
			*field.own = keep(&d.numbers, field.statement.value)
		}
	}
	if !c.model.known {
		c.model.value, c.model.known = c.requestModel, c.requestModel != ""
	}
	if e.Model == "" && settle(d, &c.model, "model") {
		e.Model = c.model.value
	}
	if e.FinishReason == "" && settle(d, &c.finish, "finish_reason") {
		e.FinishReason = c.finish.value
	}
}

// settle reports whether a field has one value, and names it when it has several.
func settle[T comparable](d *decoder, s *statement[T], field string) bool {
	if s.other != "" {
		d.warn(Warning{Field: field, Problem: s.at + " and " + s.other + " differ", want: "write " + field})
	}
	if s.other != "" || s.bad && !s.known {
		d.ignored.add(d.tables.named(field))
	}
	return s.known && s.other == ""
}
