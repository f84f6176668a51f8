package model

import (
	"context"
	"errors"

	openai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/judges"
)

// client calls one endpoint once. It neither waits nor retries.
type client struct {
	api      *openai.Client
	model    string
	tokens   int
	settings func() (settings, int)
	price    func(model string) (Price, bool)
	keyFrom  string // setting that the key comes from, such as models.default.key_file
}

// newClient returns a client that sends its requests with d.
func newClient(cfg Config, key string, d *doer, l *parameterLearner, price func(string) (Price, bool)) *client {
	oc := openai.DefaultConfig(key)
	if cfg.API != apiOpenAI {
		oc = openai.DefaultAzureConfig(key, cfg.BaseURL)
		oc.APIVersion = cfg.APIVersion
		oc.AzureModelMapperFunc = func(model string) string { return model }
		if cfg.API == apiAzureAD {
			oc.APIType = openai.APITypeAzureAD
		}
	}
	oc.BaseURL = serverOf(cfg)
	oc.HTTPClient = d
	return &client{
		api: openai.NewClientWithConfig(oc), model: cfg.Model,
		tokens: cfg.MaxTokens, settings: l.settings, price: price,
	}
}

func (c *client) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	ctx, seen := withExchange(ctx)
	now, _ := c.settings()
	seen.members = now.members(c.tokens)
	_, err := c.api.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model: c.model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: r.System},
			{Role: openai.ChatMessageRoleUser, Content: r.User},
		},
		ResponseFormat: responseFormat(r),
	})
	a := judges.Answer{Usage: eval.Usage{Model: c.model, Calls: 1, Format: r.Format}}
	said := seen.reply
	if err != nil || said == nil {
		err = c.nameKey(classify(ctx, err, seen))
		a.Usage.CostKnown = asFailure(err).uncharged
		return a, err
	}
	c.count(&a.Usage, said)
	switch {
	case said.refusal != "" || said.finish == event.FinishRefusal:
		return a, fail(eval.ReasonRefused, failure{what: "the model refused"})
	case said.finish == event.FinishContentFilter:
		return a, fail(eval.ReasonContentFilter, failure{what: "the answer was filtered"})
	case said.finish == event.FinishLength && said.thought:
		return a, fail(eval.ReasonTruncated, failure{
			what: "the model thought until max_tokens; it needs models.NAME.reasoning: true, or more of them", parameter: paramThinking,
		})
	case said.finish == event.FinishLength:
		return a, fail(eval.ReasonTruncated, failure{what: "the answer was cut off at max_tokens"})
	}
	a.Text = said.text
	return a, nil
}

// nameKey adds the setting of the key to a failure that only another key, or more credit
// of its account, mends.
func (c *client) nameKey(err error) error {
	reason := eval.ReasonOf(err)
	if f, ok := errors.AsType[*failure](err); ok && (reason == eval.ReasonAuth || reason == eval.ReasonQuota) {
		f.mend = c.keyFrom
	}
	return err
}

// responseFormat returns the parameter of the answer format. The schema is sent as
// raw JSON: the library's own schema type sorts the keys, and then a model writes
// its verdict before its reason.
func responseFormat(r judges.Request) *openai.ChatCompletionResponseFormat {
	switch r.Format {
	case judges.FormatSchema:
		return &openai.ChatCompletionResponseFormat{
			Type: openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{
				Name: "verdicts", Schema: r.Schema, Strict: true,
			},
		}
	case judges.FormatObject:
		return &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	}
	return nil
}

// count adds what the call used. The cost stays unknown when the server does not
// report tokens.
func (c *client) count(u *eval.Usage, said *reply) {
	t := said.usage
	u.InputTokens, u.CachedTokens, u.OutputTokens = t.input, t.cached, t.output
	if t.input == 0 && t.output == 0 {
		return
	}
	p, ok := c.price(c.model)
	if !ok {
		p, ok = c.price(said.model) // an Azure deployment may have any name
	}
	if ok {
		u.CostNanoUSD, u.CostKnown = p.cost(t)
	}
}
