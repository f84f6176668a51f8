package scenario

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// reply is the agent's answer before it is encoded.
type reply struct {
	Answer     string   `json:"answer"`
	Category   string   `json:"category"`
	Confidence float64  `json:"confidence"`
	Citations  []string `json:"citations"`
	NeedsHuman bool     `json:"needs_human"`

	body string // the part of Answer by which the judge recognises it
}

// reply draws an answer of a kind to a ticket.
func (g *generator) reply(t *ticket, kind string, fill *strings.Replacer) reply {
	r, w := g.r, &g.s.world
	body := t.answer(kind)
	if body == "" {
		body = oneOf(r, g.s.bodies[kind])
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
	b, err := json.Marshal(p)
	if err != nil { // strings and a finite number always marshal
		return ""
	}
	return string(b)
}

// withDefect encodes the reply with a defect and returns the finish reason.
func (p reply) withDefect(r *rand.Rand, defect string) (text, finish string) {
	text = p.json()
	switch defect {
	case "truncated":
		// The cut is after the answer's body, by which the judge knows its worth.
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
