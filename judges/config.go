package judges

import (
	"net/url"
	"time"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/secret"
)

// Config is one judge as a person writes it.
type Config struct {
	Name string `yaml:"-"` // filled in by the owner of the list

	Rubric string `yaml:"rubric" doc:"llm_judge: name of a built-in rubric or of one in the folder."`
	Model  string `yaml:"model" doc:"llm_judge: entry of models to ask; without one, default."`
	Policy string `yaml:"policy" doc:"llm_judge: text of the policy, for rubrics that need one."`
}

// maxPolicy bounds the text of a policy, in bytes: it is part of every prompt.
const maxPolicy = 64 << 10

// DefaultConfig gives a judge that is complete but for its rubric.
func DefaultConfig() Config { return Config{Model: "default"} }

// Validate gives all faults of c. Whether the rubric and the model exist is
// known to the owner of the lists.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.Rubric == "" {
		fs.Add("rubric", "missing", "name a built-in rubric, such as correctness, or a file in the rubric folder")
	}
	if c.Model == "" {
		fs.Add("model", "empty", "name an entry of models")
	}
	if len(c.Policy) > maxPolicy {
		fs.Add("policy", "too long", "at most 64 KB: it is sent with every call")
	}
	return fs
}

// ModelConfig is one model behind an OpenAI-compatible endpoint.
type ModelConfig struct {
	Model   string        `yaml:"model" doc:"Name of the model, or of the Azure deployment."`
	BaseURL string        `yaml:"base_url" doc:"Address of the server; empty: OPENAI_BASE_URL, else OpenAI's."`
	APIKey  secret.String `yaml:"api_key" doc:"Key; empty: OPENAI_API_KEY. A file (key_file) is the better place."`
	KeyFile string        `yaml:"key_file" doc:"File that holds the key, relative to this file; wins over api_key."`
	API     string        `yaml:"api" doc:"Kind of server: openai, azure or azure_ad."`
	// APIVersion is Azure's api-version.
	APIVersion string `yaml:"api_version" doc:"Azure's api-version."`

	// Temperature defaults to 0; null sends none. A reasoning model gets none.
	Temperature *float32 `yaml:"temperature" doc:"Temperature, 0 to 2; null sends none."`
	// MaxTokens bounds one answer. A reasoning model gets 8192 more to think with.
	MaxTokens int    `yaml:"max_tokens" doc:"Tokens of one answer, at most."`
	Seed      *int   `yaml:"seed" doc:"Seed that is sent with each call; null sends none."`
	Format    string `yaml:"format" doc:"Strictest form of answer to ask for: json_schema, json_object or fenced_json."`

	Concurrency       int           `yaml:"concurrency" doc:"Calls in flight at once."`
	RequestsPerMinute float64       `yaml:"requests_per_minute" doc:"Calls begun in a minute, at most; 0: no limit."`
	Timeout           time.Duration `yaml:"timeout" doc:"Time for one call."`
	MaxAttempts       int           `yaml:"max_attempts" doc:"Calls for one answer, the first included."`
	RetryBudget       float64       `yaml:"retry_budget" doc:"Retries as a share of calls, 0 to 1."`
	MaxInputChars     int           `yaml:"max_input_chars" doc:"Characters of each field of content that the model is shown; longer is cut and marked."`

	// Price wins over the price table; null: the table's price, if it has one.
	Price *Price `yaml:"price" doc:"What the model costs, in US dollars for a million tokens; empty: the built-in price list."`
}

// Kinds of API.
const (
	apiOpenAI  = "openai"
	apiAzure   = "azure"
	apiAzureAD = "azure_ad"
)

// DefaultModelConfig gives a small model of OpenAI's, asked carefully.
func DefaultModelConfig() ModelConfig {
	return ModelConfig{
		Model:             "gpt-4o-mini",
		API:               apiOpenAI,
		APIVersion:        "2024-10-21", // the first stable one that knows json_schema
		Temperature:       new(float32(0)),
		MaxTokens:         2048,
		Format:            formatSchema,
		Concurrency:       64,
		RequestsPerMinute: 500,
		Timeout:           30 * time.Second,
		MaxAttempts:       3,
		RetryBudget:       0.1,
		MaxInputChars:     40_000,
	}
}

// Validate gives all faults of c.
func (c ModelConfig) Validate() fault.List {
	var fs fault.List
	if c.Model == "" {
		fs.Add("model", "missing", "name a model, such as gpt-4o-mini, or an Azure deployment")
	}
	if c.BaseURL != "" && !httpURL(c.BaseURL) {
		fs.Add("base_url", "is no URL of a server", "for example https://api.openai.com/v1")
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
		fs.Add("api", "unknown", "openai, azure or azure_ad")
	}
	if t := c.Temperature; t != nil && !(*t >= 0 && *t <= 2) {
		fs.Add("temperature", "out of range", "0 to 2, or null to send none")
	}
	within(&fs, "max_tokens", c.MaxTokens, 64, 128<<10)
	switch c.Format {
	case formatSchema, formatObject, formatFenced:
	default:
		fs.Add("format", "unknown", "json_schema, json_object or fenced_json")
	}
	within(&fs, "concurrency", c.Concurrency, 1, 10_000)
	if !(c.RequestsPerMinute >= 0 && c.RequestsPerMinute <= 1e7) {
		fs.Add("requests_per_minute", "out of range", "0 (no limit) to 10000000")
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 30*time.Minute {
		fs.Add("timeout", "out of range", "100ms to 30m, for one call")
	}
	within(&fs, "max_attempts", c.MaxAttempts, 1, 20)
	if !(c.RetryBudget >= 0 && c.RetryBudget <= 1) {
		fs.Add("retry_budget", "out of range", "a share of calls, 0 (no retries) to 1")
	}
	within(&fs, "max_input_chars", c.MaxInputChars, 1000, 4<<20)
	if c.Price != nil {
		fs.Under("price", c.Price.Validate())
	}
	return fs
}

func within(fs *fault.List, path string, n, low, high int) {
	if n < low || n > high {
		fs.Add(path, "out of range", itoa(low)+" to "+itoa(high))
	}
}

func httpURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
