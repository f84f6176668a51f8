package judges

import "github.com/evalworker/evalworker/internal/config/fault"

// Config is one judge as a person writes it.
type Config struct {
	Name string `yaml:"-"` // filled in by the owner of the list

	Rubric    string `yaml:"rubric"`    // built-in name, or a file's name in the rubric folder
	Model     string `yaml:"model"`     // name of an entry of models; defaults to "default"
	Guideline string `yaml:"guideline"` // text of the guideline, for rubrics that need one
}

// maxGuideline bounds the text of a guideline, in bytes: it is part of every prompt.
const maxGuideline = 64 << 10

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
	if len(c.Guideline) > maxGuideline {
		fs.Add("guideline", "too long", "at most 64 KB: it is sent with every call")
	}
	return fs
}
