package scenario

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// reply is the agent's answer before it is encoded.
type reply struct {
	Answer     string   `json:"answer"`
	Category   string   `json:"category"`
	Confidence float64  `json:"confidence"`
	Citations  []string `json:"citations"`
	NeedsHuman bool     `json:"needs_human"`

	body string // the part of Answer that the judge recognises
}

// reply draws an answer of a kind to a ticket.
func (g *generator) reply(t *ticket, kind string, fill *strings.Replacer) reply {
	r, w := g.r, &g.s.world
	body := t.answer(kind)
	if body == "" {
		body = oneOf(r, w.Answers[kind].Texts)
	}
	p := reply{
		Answer:     fill.Replace(oneOf(r, w.Greetings)) + "\n\n" + body + "\n\n" + fill.Replace(oneOf(r, w.Closings)),
		Category:   t.category,
		Confidence: math.Round(100*(0.62+0.36*r.Float64())) / 100,
		Citations:  make([]string, 0, len(t.Chunks)),
		NeedsHuman: chance(r, 0.1),
		body:       body,
	}
	for _, c := range t.Chunks {
		p.Citations = append(p.Citations, c.ID)
	}
	if chance(r, w.Answers[kind].InventedCitation) {
		p.Citations = append(p.Citations, fmt.Sprintf("kb-ext-%02d", r.IntN(100)))
	}
	return p
}

// json encodes the reply as its schema demands.
func (p reply) json() string {
	b, _ := json.Marshal(p) // strings and a finite number always marshal
	return string(b)
}

// withDefect encodes the reply with a defect and returns the finish reason.
func (p reply) withDefect(r *rand.Rand, defect string) (text, finish string) {
	text = p.json()
	switch defect {
	case "truncated":
		// Cut after the answer's body, which the judge has to recognise.
		from := strings.Index(text, p.body) + len(p.body)
		return text[:from+r.IntN(len(text)-from)], "length"
	case "wrapped":
		if chance(r, 0.5) {
			return "```json\n" + text + "\n```", "stop"
		}
		return "Sure! Here is the reply to the customer:\n\n" + text + "\n\nLet me know if you want another tone.", "stop"
	case "wrong_field":
		return strings.Replace(text, `"answer":`, `"reply_text":`, 1), "stop"
	default: // wrong_type
		from := strings.Index(text, `"confidence":`) + len(`"confidence":`)
		to := from + strings.IndexByte(text[from:], ',')
		return text[:from] + `"high"` + text[to:], "stop"
	}
}

func (t *tool) definition() any {
	return map[string]any{"type": "function", "function": map[string]any{
		"name": t.Name, "description": t.Description, "parameters": t.Parameters,
	}}
}

// call draws one call of a tool. A few have arguments that violate the tool's
// schema, and a few fail.
func (g *generator) call(t *tool, fill *strings.Replacer) event.ToolCall {
	r, rates := g.r, &g.s.world.Rates
	c := event.ToolCall{
		Name: t.Name, Status: "success",
		Arguments:  event.JSON(json.RawMessage(fill.Replace(string(t.Arguments)))),
		Result:     event.JSON(json.RawMessage(fill.Replace(string(t.Result)))),
		LatencyMS:  new(tenth(40 + 180*r.Float64())),
		RetryCount: new(int64(0)),
	}
	if chance(r, rates.ToolBadArguments) {
		c.Arguments = event.JSON(json.RawMessage(`{"id":0}`))
	}
	if chance(r, rates.ToolCallError) {
		c.Status, c.Result = "error", event.JSON(json.RawMessage(`{"error":"upstream timed out"}`))
		c.RetryCount = new(int64(1))
	}
	return c
}

// retrieve draws the passages for a question: the ticket's own, and one or two of
// other tickets with much lower scores. A ticket without passages gets none.
func (g *generator) retrieve(t *ticket, question string) *event.Retrieval {
	r := g.r
	got := &event.Retrieval{
		Index: g.s.world.Index, Strategy: "hybrid", Query: question,
		LatencyMS: new(tenth(12 + 40*r.Float64())),
	}
	score := 0.78 + 0.2*r.Float64()
	add := func(c chunk) {
		got.Chunks = append(got.Chunks, event.Chunk{ID: event.ID(c.ID), Text: c.Text, Score: new(thousandth(score))})
		score *= 0.9
	}
	if len(t.Chunks) > 0 {
		for _, c := range t.Chunks {
			add(c)
		}
		score *= 0.6
		for range 1 + r.IntN(2) {
			o := oneOf(r, g.s.tickets)
			if o.ID == t.ID || len(o.Chunks) == 0 {
				continue
			}
			c := o.Chunks[0]
			if !slices.ContainsFunc(got.Chunks, func(x event.Chunk) bool { return string(x.ID) == c.ID }) {
				add(c)
			}
		}
		got.TopScore = got.Chunks[0].Score
	}
	got.HitCount = new(int64(len(got.Chunks)))
	return got
}

// measure adds tokens, times and cost. A token counts as four characters; prices are
// the scenario's own.
func (g *generator) measure(e *event.Event, m *model, output string) {
	r, w := g.r, &g.s.world
	chars := len(e.Input.Raw())
	for _, c := range e.Retrieval.Chunks {
		chars += len(c.Text)
	}
	in, out := w.SystemPromptTokens+int64(chars/4), int64(len(output)/4)
	first := 420 * math.Exp(0.35*r.NormFloat64())
	total := first + 1000*float64(out)/w.TokensPerSecond*math.Exp(0.15*r.NormFloat64())
	cost := (float64(in)*m.InputUSD + float64(out)*m.OutputUSD) / 1e6
	switch {
	case *e.CacheHit:
		first, cost = 15+10*r.Float64(), 0
		total = first + 5
	case e.Status != "success":
		e.LatencyMS = new(tenth(3 * first))
		return // some requests have no token counts
	}
	e.InputTokens, e.OutputTokens, e.TotalTokens = &in, &out, new(in+out)
	e.EstimatedCostUSD = new(math.Round(cost*1e6) / 1e6)
	e.FirstTokenLatencyMS, e.LatencyMS = new(tenth(first)), new(tenth(total))
}

func tenth(x float64) float64      { return math.Round(10*x) / 10 }
func thousandth(x float64) float64 { return math.Round(1000*x) / 1000 }
