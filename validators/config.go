package validators

// Config is one validator as a person writes it: the kind and the options of
// that kind. [Options] lists the options that a kind accepts.
type Config struct {
	Name string `yaml:"-"` // filled in by the owner of the list
	Type string `yaml:"-"`

	// json_schema
	Schema string `yaml:"schema" doc:"json_schema: name of a schema; without one the event's output_schema counts."`

	// contains, regex, equals, refusal
	Any           []string `yaml:"any" doc:"contains: at least one of these texts."`
	All           []string `yaml:"all" doc:"contains: every one of these texts."`
	None          []string `yaml:"none" doc:"contains: none of these texts."`
	Pattern       string   `yaml:"pattern" doc:"regex: expression in RE2 syntax that the output has to match."`
	Negate        bool     `yaml:"negate" doc:"regex: a match is the failure."`
	Value         string   `yaml:"value" doc:"equals: the wanted text; without one the event's field expected counts."`
	CaseSensitive bool     `yaml:"case_sensitive" doc:"contains, equals: distinguish upper and lower case."`
	Allowed       bool     `yaml:"allowed" doc:"refusal: count refusals but let them pass."`

	// length
	MinChars *int `yaml:"min_chars" doc:"length: characters, at least."`
	MaxChars *int `yaml:"max_chars" doc:"length: characters, at most."`
	MinWords *int `yaml:"min_words" doc:"length: words, at least."`
	MaxWords *int `yaml:"max_words" doc:"length: words, at most."`

	// pii, secrets
	Kinds        []string `yaml:"kinds" doc:"pii, secrets: kinds to look for; without any, all."`
	AllowInInput bool     `yaml:"allow_in_input" doc:"pii, secrets: what the user said may be repeated."`

	// retrieval
	MinHits     *int64   `yaml:"min_hits" doc:"retrieval: hits, at least."`
	MinTopScore *float64 `yaml:"min_top_score" doc:"retrieval: score of the best hit, at least."`

	// budget
	MaxLatencyMS           *float64 `yaml:"max_latency_ms" doc:"budget: latency of the call in milliseconds, at most."`
	MaxFirstTokenLatencyMS *float64 `yaml:"max_first_token_latency_ms" doc:"budget: latency of the first token in milliseconds, at most."`
	MaxInputTokens         *int64   `yaml:"max_input_tokens" doc:"budget: tokens of input, at most."`
	MaxOutputTokens        *int64   `yaml:"max_output_tokens" doc:"budget: tokens of output, at most."`
	MaxCostUSD             *float64 `yaml:"max_cost_usd" doc:"budget: cost of the call in US dollars, at most."`
	FinishReasons          []string `yaml:"finish_reasons" doc:"budget: allowed finish reasons, in any provider's words: stop also allows end_turn and STOP."`

	// groundedness, citations
	MinShare *float64 `yaml:"min_share" doc:"groundedness: share of the answer's content words that the retrieved text holds, at least."`
	Required bool     `yaml:"required" doc:"citations: an answer without a citation fails."`
	Format   string   `yaml:"format" doc:"citations: expression in RE2 syntax with one group around the cited id."`
}
