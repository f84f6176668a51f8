package model

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/judges"
)

// Config is one model behind an OpenAI-compatible endpoint.
type Config struct {
	Model   string        `yaml:"model" doc:"Name of the model, or of the Azure deployment."`
	BaseURL string        `yaml:"base_url" doc:"Address of the server; empty: OPENAI_BASE_URL, else OpenAI's."`
	APIKey  secret.String `yaml:"api_key" doc:"Key; empty: OPENAI_API_KEY. A file (key_file) is the better place."`
	KeyFile string        `yaml:"key_file" doc:"File that holds the key, relative to this file; wins over api_key."`
	API     string        `yaml:"api" doc:"Kind of server: openai, azure or azure_ad."`
	// APIVersion is Azure's api-version.
	APIVersion string `yaml:"api_version" doc:"Azure's api-version."`

	// Temperature defaults to 0; null sends none. A reasoning model gets none.
	Temperature *float32 `yaml:"temperature" doc:"Temperature, 0 to 2; null sends none."`
	// Reasoning says whether the model thinks before it answers; null: known by its
	// name, else learned from the server's first refusal.
	Reasoning *bool  `yaml:"reasoning" doc:"Whether the model thinks before it answers; empty: known by its name, or learned. One that does gets 8192 tokens more and no temperature."`
	Effort    string `yaml:"reasoning_effort" doc:"How much a reasoning model thinks: none, minimal, low, medium, high, xhigh or max; empty: the server's default. What a server does not take is left out."`
	// MaxTokens bounds one answer. A reasoning model gets 8192 more to think with.
	MaxTokens int    `yaml:"max_tokens" doc:"Tokens of one answer, at most."`
	Seed      *int   `yaml:"seed" doc:"Seed that is sent with each call; null sends none."`
	Format    string `yaml:"format" doc:"Strictest form of answer to ask for: json_schema, json_object or fenced_json."`

	Concurrency       int           `yaml:"concurrency" doc:"Calls in flight at once."`
	RequestsPerMinute float64       `yaml:"requests_per_minute" doc:"Calls begun in a minute, at most; 0: no limit."`
	Timeout           time.Duration `yaml:"timeout" doc:"Time for one call."`
	ConnectTimeout    time.Duration `yaml:"connect_timeout" doc:"Time to resolve the server's name and connect, and again for the TLS handshake; of several addresses the next is tried after 250ms."`
	MaxAttempts       int           `yaml:"max_attempts" doc:"Calls for one answer, the first included."`
	RetryBudget       float64       `yaml:"retry_budget" doc:"Retries as a share of calls, 0 to 1."`
	MaxInputChars     int           `yaml:"max_input_chars" doc:"Characters of each field of content that the model is shown; longer fields are cut and marked."`

	// Price wins over the price table; null: the table's price, if it has one.
	Price *Price `yaml:"price" doc:"What the model costs, in US dollars for a million tokens; empty: the built-in price list."`
}

// Kinds of API.
const (
	apiOpenAI  = "openai"
	apiAzure   = "azure"
	apiAzureAD = "azure_ad"
)

// DefaultConfig returns a small OpenAI model with conservative limits.
func DefaultConfig() Config {
	return Config{
		Model:             "gpt-6-luna",
		API:               apiOpenAI,
		APIVersion:        "2024-10-21", // the first stable version with json_schema
		Temperature:       new(float32(0)),
		MaxTokens:         2048,
		Format:            judges.FormatSchema,
		Concurrency:       64,
		RequestsPerMinute: 500,
		Timeout:           30 * time.Second,
		ConnectTimeout:    5 * time.Second,
		MaxAttempts:       3,
		RetryBudget:       0.1,
		MaxInputChars:     judges.DefaultMaxInputChars,
	}
}

// Validate returns all faults of c.
func (c Config) Validate() fault.List {
	var fs fault.List
	checkRange := func(path string, n, low, high int) {
		if n < low || n > high {
			fs.Add(path, "out of range", "want "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
		}
	}
	if c.Model == "" {
		fs.Add("model", "missing", "name a model, such as gpt-6-luna, or an Azure deployment")
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		fs.Add("base_url", "is not the URL of a server", "want its URL, for example https://api.openai.com/v1")
	}
	switch c.API {
	case apiOpenAI:
	case apiAzure, apiAzureAD:
		if c.BaseURL == "" {
			fs.Add("base_url", "missing", "an Azure resource has its own, such as https://NAME.openai.azure.com")
		}
		if c.APIVersion == "" {
			fs.Add("api_version", "missing", "Azure demands one, such as 2024-10-21")
		}
	default:
		fs.Add("api", "unknown", "want openai, azure or azure_ad")
	}
	if t := c.Temperature; t != nil && !(*t >= 0 && *t <= 2) {
		fs.Add("temperature", "out of range", "want 0 to 2, or null to send none")
	}
	if c.Effort != "" && !slices.Contains(efforts(), c.Effort) {
		fs.Add("reasoning_effort", "unknown", strings.Join(efforts(), ", ")+", or none at all")
	}
	checkRange("max_tokens", c.MaxTokens, 64, 128<<10)
	switch c.Format {
	case judges.FormatSchema, judges.FormatObject, judges.FormatFenced:
	default:
		fs.Add("format", "unknown", "want json_schema, json_object or fenced_json")
	}
	checkRange("concurrency", c.Concurrency, 1, 10_000)
	if !(c.RequestsPerMinute >= 0 && c.RequestsPerMinute <= 1e7) {
		fs.Add("requests_per_minute", "out of range", "want 0 (no limit) to 10000000")
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 30*time.Minute {
		fs.Add("timeout", "out of range", "want 100ms to 30m, for one call")
	}
	if c.ConnectTimeout < 100*time.Millisecond || c.ConnectTimeout > time.Minute {
		fs.Add("connect_timeout", "out of range", "want 100ms to 1m, to connect to the server")
	}
	checkRange("max_attempts", c.MaxAttempts, 1, 20)
	if !(c.RetryBudget >= 0 && c.RetryBudget <= 1) {
		fs.Add("retry_budget", "out of range", "want a share of calls, 0 (no retries) to 1")
	}
	checkRange("max_input_chars", c.MaxInputChars, 1000, 4<<20)
	if c.Price != nil {
		fs.Under("price", c.Price.Validate())
	}
	return fs
}

// efforts returns the values of reasoning_effort, with which a server may differ.
func efforts() []string {
	return []string{effortNone, "minimal", "low", "medium", "high", "xhigh", "max"}
}

// effortNone is the effort of a reasoning model that answers at once.
const effortNone = "none"

// fingerprint names everything that an answer depends on. Limits and addresses are
// left out: the same model behind a gateway is the same model.
func (c Config) fingerprint() string {
	s := newSettings(c)
	temperature, seed := "none", "none"
	if s.temperature != nil {
		temperature = fmt.Sprint(*s.temperature)
	}
	if s.seed != nil {
		seed = strconv.Itoa(*s.seed)
	}
	return fmt.Sprintf("model=%s temperature=%s effort=%s max_tokens=%d seed=%s format=%s",
		c.Model, temperature, cmp.Or(c.Effort, "default"), s.maxTokens(c.MaxTokens), seed, c.Format)
}
