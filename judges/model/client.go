package model

import (
	"context"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// client calls one endpoint once. It neither waits nor retries.
type client struct {
	api    *openai.Client
	model  string
	can    capability
	tokens int
	seed   *int
	price  func(model string) (Price, bool)
}

// newClient returns a client that sends its requests with d.
func newClient(cfg Config, key string, d *doer, price func(string) (Price, bool)) *client {
	oc := openai.DefaultConfig(key)
	if cfg.API != apiOpenAI {
		oc = openai.DefaultAzureConfig(key, cfg.BaseURL)
		oc.APIVersion = cfg.APIVersion
		oc.AzureModelMapperFunc = func(model string) string { return model }
		if cfg.API == apiAzureAD {
			oc.APIType = openai.APITypeAzureAD
		}
	}
	if cfg.BaseURL != "" {
		oc.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	}
	oc.HTTPClient = d
	return &client{
		api: openai.NewClientWithConfig(oc), model: cfg.Model, can: capabilityOf(cfg.Model),
		tokens: cfg.MaxTokens, seed: cfg.Seed, price: price,
	}
}

func (c *client) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	ctx, seen := withExchange(ctx)
	resp, err := c.api.CreateChatCompletion(ctx, c.request(r))
	a := judges.Answer{Usage: eval.Usage{Model: c.model, Calls: 1, Format: r.Format}}
	if err != nil || len(resp.Choices) == 0 {
		err = classify(ctx, err, seen)
		a.Usage.CostKnown = asFailure(err).uncharged
		return a, err
	}
	c.count(&a.Usage, resp)
	choice := resp.Choices[0]
	switch {
	case choice.Message.Refusal != "":
		return a, fail(eval.ReasonRefused, failure{what: "the model refused"})
	case choice.FinishReason == openai.FinishReasonContentFilter:
		return a, fail(eval.ReasonContentFilter, failure{what: "the answer was filtered"})
	case choice.FinishReason == openai.FinishReasonLength:
		return a, fail(eval.ReasonTruncated, failure{what: "the answer was cut off at max_tokens"})
	}
	a.Text = choice.Message.Content
	return a, nil
}

// request returns the call's parameters except the temperature: the library leaves
// out a zero, so the doer writes it.
func (c *client) request(r judges.Request) openai.ChatCompletionRequest {
	req := openai.ChatCompletionRequest{
		Model: c.model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: r.System},
			{Role: openai.ChatMessageRoleUser, Content: r.User},
		},
		ResponseFormat: responseFormat(r),
		Seed:           c.seed,
	}
	switch {
	case c.can.reasons():
		req.MaxCompletionTokens = c.tokens + thinkingTokens
	case c.can.completionTokens:
		req.MaxCompletionTokens = c.tokens
	default:
		//nolint:staticcheck // deprecated by OpenAI, but the only name that other servers know
		req.MaxTokens = c.tokens
	}
	return req
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
func (c *client) count(u *eval.Usage, resp openai.ChatCompletionResponse) {
	u.InputTokens = int64(max(resp.Usage.PromptTokens, 0))
	u.OutputTokens = int64(max(resp.Usage.CompletionTokens, 0))
	if d := resp.Usage.PromptTokensDetails; d != nil {
		u.CachedTokens = min(int64(max(d.CachedTokens, 0)), u.InputTokens)
	}
	if u.InputTokens == 0 && u.OutputTokens == 0 {
		return
	}
	p, ok := c.price(c.model)
	if !ok {
		p, ok = c.price(resp.Model) // an Azure deployment may have any name
	}
	if ok {
		u.CostNanoUSD, u.CostKnown = p.cost(*u), true
	}
}

// thinkingTokens is the number of tokens that a reasoning model may use besides its
// answer.
const thinkingTokens = 8192

// capability is what a family of models accepts.
type capability struct {
	temperature      bool // accepts a temperature
	completionTokens bool // bounds its answer by max_completion_tokens
}

// families are matched by prefix; the first match wins. For the same names the
// client library rejects max_tokens without a call.
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
