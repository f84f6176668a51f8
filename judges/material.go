package judges

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// material is the part of an event that a model sees, neutralised and truncated, in
// the order of the prompt: what is judged comes last.
type material struct {
	Guideline string     `json:"guideline,omitempty"`
	Input     any        `json:"input,omitempty"` // string or []turn
	Chunks    []chunk    `json:"chunks,omitempty"`
	Tools     string     `json:"tools,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
	Expected  any        `json:"expected,omitempty"`
	Output    any        `json:"output,omitempty"`

	truncated []string // names of truncated fields
}

type turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chunk struct {
	ID   string `json:"id,omitempty"`
	Text string `json:"text"`
}

type toolCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments,omitempty"`
	Status    string `json:"status,omitempty"`
	Result    string `json:"result,omitempty"`
}

// newMaterial takes the named inputs from the event. Each field keeps at most limit
// characters.
func newMaterial(e *event.Event, guideline string, inputs []string, limit int) *material {
	m := &material{}
	for _, name := range inputs {
		switch name {
		case inputGuideline:
			m.Guideline = neutralise(guideline) // written by the team, bounded by its config
		case inputInput:
			m.Input = m.content(name, e.Input, e.Input.Text, limit)
		case inputExpected:
			m.Expected = m.content(name, e.Expected, e.Expected.Reply, limit)
		case inputOutput:
			m.Output = m.content(name, e.Output, e.Output.Reply, limit)
		case inputTools:
			m.Tools = m.truncatedField(name, e.Tools.Plain(), limit)
		case inputChunks:
			m.chunks(e, limit)
		case inputToolCalls:
			m.toolCalls(e, limit)
		}
	}
	return m
}

// content returns chat messages as a list, so that one message cannot contain a
// fake one, and everything else as the text that a reader sees of it.
func (m *material) content(name string, c event.Content, text func() string, limit int) any {
	turns, ok := c.Turns()
	if !ok {
		if s := m.truncatedField(name, text(), limit); s != "" {
			return s
		}
		return nil
	}
	turns, dropped := headAndTail(turns)
	out := make([]turn, len(turns))
	texts := make([]*string, 0, len(turns))
	for i, t := range turns {
		role, _ := truncate(neutralise(t.Role), 64)
		out[i] = turn{role, neutralise(t.Content)}
		texts = append(texts, &out[i].Content)
	}
	m.markTruncated(name, truncateAll(texts, limit) || dropped)
	return out
}

func (m *material) truncatedField(name, s string, limit int) string {
	s, truncated := truncate(neutralise(s), limit)
	m.markTruncated(name, truncated)
	return s
}

func (m *material) chunks(e *event.Event, limit int) {
	if e.Retrieval == nil {
		return
	}
	list, dropped := headAndTail(e.Retrieval.Chunks)
	texts := make([]*string, 0, len(list))
	m.Chunks = make([]chunk, len(list))
	for i, c := range list {
		id, _ := truncate(neutralise(string(c.ID)), 128)
		m.Chunks[i] = chunk{id, neutralise(c.Text)}
		texts = append(texts, &m.Chunks[i].Text)
	}
	m.markTruncated(inputChunks, truncateAll(texts, limit) || dropped)
}

func (m *material) toolCalls(e *event.Event, limit int) {
	list, dropped := headAndTail(e.Calls())
	texts := make([]*string, 0, 2*len(list))
	m.ToolCalls = make([]toolCall, len(list))
	for i, c := range list {
		name, _ := truncate(neutralise(c.Name), 128)
		status, _ := truncate(neutralise(c.Status), 64)
		m.ToolCalls[i] = toolCall{name, neutralise(c.Arguments.Plain()), status, neutralise(c.Result.Text())}
		texts = append(texts, &m.ToolCalls[i].Arguments, &m.ToolCalls[i].Result)
	}
	m.markTruncated(inputToolCalls, truncateAll(texts, limit) || dropped)
}

func (m *material) markTruncated(name string, truncated bool) {
	if truncated {
		m.truncated = append(m.truncated, name)
	}
}

// message returns the user message. The nonce differs from call to call, so that
// content written beforehand cannot know it. The correction says what was wrong with
// the previous answer.
func (m *material) message(nonce, correction string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // models read < better than its escape
	err := enc.Encode(struct {
		Nonce      string    `json:"nonce"`
		Correction string    `json:"correction,omitempty"`
		Truncated  []string  `json:"truncated,omitempty"`
		Data       *material `json:"data"`
	}{nonce, correction, m.truncated, m})
	return strings.TrimSuffix(b.String(), "\n"), err
}

// passages returns the texts that a quote from the named input may come from.
func (m *material) passages(name string) []string {
	var out []string
	add := func(field string, texts ...string) {
		if name == sourceAny || name == field {
			out = append(out, texts...)
		}
	}
	add(inputGuideline, m.Guideline)
	add(inputInput, contentTexts(m.Input)...)
	for _, c := range m.Chunks {
		add(inputChunks, c.Text)
	}
	add(inputTools, m.Tools)
	for _, c := range m.ToolCalls {
		add(inputToolCalls, c.Name+" "+c.Arguments+" "+c.Status, c.Result)
	}
	add(inputExpected, contentTexts(m.Expected)...)
	add(inputOutput, contentTexts(m.Output)...)
	return out
}

// contentTexts returns the texts of a value that content returned.
func contentTexts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []turn:
		out := make([]string, len(v))
		for i, t := range v {
			out[i] = t.Content
		}
		return out
	}
	return nil
}
