package model

import "strings"

// thinking is what a reasoning model may use beside its answer, in tokens.
const thinkingTokens = 8192

// capability is what a family of models takes.
type capability struct {
	temperature      bool // takes a temperature
	completionTokens bool // bounds its answer by max_completion_tokens
}

// families are known by how a name begins; the first that matches counts. The
// client library refuses max_tokens for the same names before it calls anybody.
var families = []struct {
	prefix string
	capability
}{
	{"gpt-5-chat", capability{temperature: true, completionTokens: true}},
	{"gpt-5", capability{completionTokens: true}},
	{"gpt-6", capability{completionTokens: true}},
	{"o1", capability{completionTokens: true}},
	{"o3", capability{completionTokens: true}},
	{"o4", capability{completionTokens: true}},
}

// capabilityOf tells what a model takes. A vendor's prefix, such as openai/ or
// ft:, is no part of the family's name.
func capabilityOf(model string) capability {
	name := model[strings.LastIndexByte(model, '/')+1:]
	name = strings.TrimPrefix(name, "ft:")
	for _, f := range families {
		if strings.HasPrefix(name, f.prefix) {
			return f.capability
		}
	}
	return capability{temperature: true}
}

// reasons reports whether the model thinks before it answers, inside the bound
// of its answer.
func (c capability) reasons() bool { return c.completionTokens && !c.temperature }
