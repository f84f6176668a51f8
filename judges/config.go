package judges

import (
	"time"

	"github.com/evalworker/evalworker/internal/secret"
)

// Config is one judge as a person writes it.
type Config struct {
	Name string `yaml:"-"` // filled in by the owner of the list

	Rubric string `yaml:"rubric"` // built-in name, or a file's name in the rubric folder
	Model  string `yaml:"model"`  // name of an entry of models; defaults to "default"
	Policy string `yaml:"policy"` // text of the policy, for rubrics that need one
}

// ModelConfig is one model behind an OpenAI-compatible endpoint.
type ModelConfig struct {
	Model   string        `yaml:"model"`    // model (or Azure deployment) name
	BaseURL string        `yaml:"base_url"` // defaults to OPENAI_BASE_URL, else OpenAI's
	APIKey  secret.String `yaml:"api_key"`  // defaults to OPENAI_API_KEY
	KeyFile string        `yaml:"key_file"` // file that holds the key; wins over APIKey
	API     string        `yaml:"api"`      // openai (default), azure, azure_ad
	// APIVersion is Azure's api-version.
	APIVersion string `yaml:"api_version"`

	Temperature *float32 `yaml:"temperature"` // defaults to 0; omit sends none
	MaxTokens   int      `yaml:"max_tokens"`  // bound of one answer
	Seed        *int     `yaml:"seed"`
	Format      string   `yaml:"format"` // first rung: json_schema (default), json_object, fenced_json

	Concurrency       int           `yaml:"concurrency"`         // calls in flight
	RequestsPerMinute float64       `yaml:"requests_per_minute"` // 0: no limit
	Timeout           time.Duration `yaml:"timeout"`             // of one call
	MaxAttempts       int           `yaml:"max_attempts"`        // calls for one answer, the first included
	RetryBudget       float64       `yaml:"retry_budget"`        // retries as a share of calls, in [0,1]
	MaxInputChars     int           `yaml:"max_input_chars"`     // of each field of content; longer is cut and marked
}
