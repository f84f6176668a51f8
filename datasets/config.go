package datasets

import "time"

// Config says where cases are kept.
type Config struct {
	URL          string        `yaml:"url"`           // sqlite:FILE
	MaxExemplars int           `yaml:"max_exemplars"` // requests kept a signature
	Timeout      time.Duration `yaml:"timeout"`       // of one write
}

// RedactionConfig says what is taken out of content before a judge sees it and
// before a case is written. On by default.
type RedactionConfig struct {
	Disabled bool      `yaml:"disabled"` // nothing is redacted; for synthetic data only
	Kinds    []string  `yaml:"kinds"`    // what to look for; empty: all kinds of secrets and PII
	Keep     []string  `yaml:"keep"`     // kinds to leave alone
	Patterns []Pattern `yaml:"patterns"` // more, of your own
}

// Pattern is a custom kind of sensitive text.
type Pattern struct {
	Name    string `yaml:"name"`    // shown in place of the text: [NAME]
	Pattern string `yaml:"pattern"` // RE2
}
