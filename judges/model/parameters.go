package model

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// thinkingTokens is the number of tokens that a reasoning model may use besides its
// answer.
const thinkingTokens = 8192

// paramThinking stands for the room that a model needs to think in.
const paramThinking = "thinking"

// settings are the parameters of a call on which servers differ.
type settings struct {
	temperature *float32
	seed        *int
	effort      string // reasoning_effort; empty: none is sent
	bound       string // name of the parameter that bounds the answer
	thinks      bool   // the bound has to leave room for thinking
}

// newSettings returns what the configuration and the model's name say. A reasoning
// model takes no temperature.
func newSettings(cfg Config) settings {
	can := capabilityOf(cfg.Model)
	s := settings{
		temperature: cfg.Temperature, seed: cfg.Seed, effort: cfg.Effort, bound: paramMaxTokens,
		thinks: can.reasons() && cfg.Effort != effortNone,
	}
	if cfg.Reasoning != nil {
		s.thinks = *cfg.Reasoning
	}
	// Servers other than OpenAI's know the older name, all of them.
	if can.completionTokens || s.thinks && (cfg.API != apiOpenAI || cfg.BaseURL == "") {
		s.bound = paramMaxCompletionTokens
	}
	if s.thinks {
		s.temperature = nil
	}
	return s
}

// maxTokens returns the bound of an answer, with room to think.
func (s settings) maxTokens(answer int) int {
	if s.thinks {
		answer += thinkingTokens
	}
	return answer
}

// members returns the settings as JSON members, each with a comma before it.
func (s settings) members(answer int) []byte {
	var out []byte
	add := func(name string, value any) {
		b, _ := json.Marshal(value) // numbers always marshal
		out = append(append(out, `,"`+name+`":`...), b...)
	}
	add(s.bound, s.maxTokens(answer))
	if s.effort != "" {
		add(paramEffort, s.effort)
	}
	if s.temperature != nil {
		add(paramTemperature, *s.temperature)
	}
	if s.seed != nil {
		add(paramSeed, *s.seed)
	}
	return out
}

// without returns the settings after a server has refused a parameter, and false when
// there is nothing left to change.
func (s settings) without(parameter string, mayThink bool) (settings, bool) {
	switch {
	case parameter == paramTemperature && s.temperature != nil:
		s.temperature = nil
	case parameter == paramSeed && s.seed != nil:
		s.seed = nil
	case parameter == paramEffort && s.effort != "":
		s.effort = ""
	case parameter == paramMaxTokens && s.bound == paramMaxTokens:
		// Models that refuse the older name are those that think, but for a few.
		s.bound = paramMaxCompletionTokens
		if mayThink {
			s.thinks, s.temperature = true, nil
		}
	case parameter == paramMaxCompletionTokens && s.bound == paramMaxCompletionTokens:
		s.bound = paramMaxTokens
	case parameter == paramThinking && !s.thinks && mayThink:
		s.thinks = true
	default:
		return s, false
	}
	return s, true
}

// maxLessons bounds what is learned about one server: one that refuses both names of a
// parameter in turn must not be asked for ever.
const maxLessons = 6

// parameterLearner asks again when the server does not take a parameter, and leaves
// that out from then on: an Azure deployment may have any name, so a name does not tell
// what the model behind it takes.
type parameterLearner struct {
	next     judges.Model
	log      *slog.Logger
	model    string
	mayThink bool // the configuration does not say that the model does not

	mu      sync.Mutex // guards all below
	current settings
	lessons int
}

func newParameterLearner(cfg Config, log *slog.Logger) *parameterLearner {
	return &parameterLearner{
		log: log, model: cfg.Model, mayThink: cfg.Reasoning == nil || *cfg.Reasoning, current: newSettings(cfg),
	}
}

// settings returns what is sent at the moment, and the number of lessons behind it.
func (l *parameterLearner) settings() (settings, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current, l.lessons
}

// Complete asks, and asks again after each new lesson.
func (l *parameterLearner) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	var usage eval.Usage
	for {
		_, before := l.settings()
		a, err := l.next.Complete(ctx, r)
		usage = judges.AddUsage(usage, a.Usage)
		a.Usage = usage
		if parameter := asFailure(err).parameter; parameter == "" || !l.learn(ctx, parameter, before) {
			return a, err
		}
	}
}

// learn leaves out a parameter, and reports whether to ask again: something was learned
// now, or since the question was asked.
func (l *parameterLearner) learn(ctx context.Context, parameter string, before int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lessons != before {
		return true
	}
	next, changed := l.current.without(parameter, l.mayThink)
	if !changed || l.lessons == maxLessons {
		return false
	}
	l.current = next
	l.lessons++
	l.log.LogAttrs(ctx, slog.LevelInfo, "model does not take a parameter as it was sent: another form is sent from now on",
		slog.String(keyModel, l.model), slog.String(keyParameter, parameter))
	return true
}

// capability is what a family of models accepts.
type capability struct {
	temperature      bool // accepts a temperature
	completionTokens bool // bounds its answer by max_completion_tokens
}

// families are matched by prefix; the first match wins.
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

// capabilityOf returns what a model accepts. A vendor's prefix, such as openai/ or
// ft:, does not belong to the family's name.
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

// reasons reports whether the model thinks before it answers; its bound covers both.
func (c capability) reasons() bool { return c.completionTokens && !c.temperature }
