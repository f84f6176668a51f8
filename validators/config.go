package validators

// Config is one validator as a person writes it: the kind and the options of
// that kind. Which options a kind takes is what [Options] answers.
type Config struct {
	Name string `yaml:"-"` // filled in by the owner of the list
	Type string `yaml:"-"`

	// json_schema
	Schema string `yaml:"schema"` // name of a schema file; empty: the event's output_schema

	// contains, regex, equals, refusal
	Any           []string `yaml:"any"`            // contains: at least one of these
	All           []string `yaml:"all"`            // contains: every one of these
	None          []string `yaml:"none"`           // contains: none of these
	Pattern       string   `yaml:"pattern"`        // regex (RE2)
	Negate        bool     `yaml:"negate"`         // regex: a match is the failure
	Value         string   `yaml:"value"`          // equals: the wanted text; empty: the event's expected
	CaseSensitive bool     `yaml:"case_sensitive"` // contains, equals
	Allowed       bool     `yaml:"allowed"`        // refusal: count refusals but let them pass

	// length
	MinChars *int `yaml:"min_chars"`
	MaxChars *int `yaml:"max_chars"`
	MinWords *int `yaml:"min_words"`
	MaxWords *int `yaml:"max_words"`

	// pii, secrets
	Kinds        []string `yaml:"kinds"`          // what to look for; empty: all kinds
	AllowInInput bool     `yaml:"allow_in_input"` // what the user said may be repeated

	// retrieval
	MinHits     *int64   `yaml:"min_hits"`
	MinTopScore *float64 `yaml:"min_top_score"`

	// budget
	MaxLatencyMS           *float64 `yaml:"max_latency_ms"`
	MaxFirstTokenLatencyMS *float64 `yaml:"max_first_token_latency_ms"`
	MaxInputTokens         *int64   `yaml:"max_input_tokens"`
	MaxOutputTokens        *int64   `yaml:"max_output_tokens"`
	MaxCostUSD             *float64 `yaml:"max_cost_usd"`
	FinishReasons          []string `yaml:"finish_reasons"` // those that are fine

	// groundedness, citations
	MinShare *float64 `yaml:"min_share"` // groundedness: share of content words found in the retrieved text
	Required bool     `yaml:"required"`  // citations: an answer without a citation fails
	Format   string   `yaml:"format"`    // citations: regex with one group around the id
}
