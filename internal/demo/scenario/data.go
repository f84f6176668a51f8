package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// scenarioFile is one file of data/scenarios.
type scenarioFile struct {
	Description string     `json:"description"`
	Versions    []*version `json:"versions"`
}

// version is one prompt version. All rates are in [0,1]; those of one table add up
// to one.
type version struct {
	Version     string             `json:"version"`
	Share       float64            `json:"share"`        // of the requests
	InvalidJSON float64            `json:"invalid_json"` // of the answers
	Defects     map[string]float64 `json:"defects"`      // kinds of invalid JSON
	Answers     map[string]float64 `json:"answers"`      // kinds of answer

	defects, answers chooser[string]
}

// world is data/world.json, which all scenarios share.
type world struct {
	Service            string            `json:"service"`
	Environment        string            `json:"environment"`
	Feature            string            `json:"feature"`
	PromptName         string            `json:"prompt_name"`
	Schema             string            `json:"schema"`
	Index              string            `json:"index"`
	Interval           string            `json:"interval"` // mean time between two requests
	SystemPromptTokens int64             `json:"system_prompt_tokens"`
	TokensPerSecond    float64           `json:"tokens_per_second"`
	Models             []*model          `json:"models"`
	Tenants            []*tenant         `json:"tenants"`
	Rates              rates             `json:"rates"`
	ErrorTypes         []string          `json:"error_types"`
	Names              []string          `json:"names"`
	Greetings          []string          `json:"greetings"`
	Closings           []string          `json:"closings"`
	Tools              []*tool           `json:"tools"`
	Answers            map[string]answer `json:"answers"`
	Judge              judge             `json:"judge"`
}

type model struct {
	Provider  string  `json:"provider"`
	Model     string  `json:"model"`
	Share     float64 `json:"share"`
	InputUSD  float64 `json:"input_usd_per_million"`
	OutputUSD float64 `json:"output_usd_per_million"`
}

type tenant struct {
	ID    string  `json:"id"`
	Tier  string  `json:"tier"`
	Share float64 `json:"share"`
}

// rates are shares of requests unless stated otherwise.
type rates struct {
	ProviderError    float64 `json:"provider_error"`
	ToolCallError    float64 `json:"tool_call_error"`         // of tool calls
	ToolBadArguments float64 `json:"tool_call_bad_arguments"` // of tool calls
	PersonalData     float64 `json:"personal_data"`
	ContinuedSession float64 `json:"continued_session"`
	CacheHit         float64 `json:"cache_hit"`
	Rated            float64 `json:"rated"`
	TaskReported     float64 `json:"task_reported"`
	GoodRatedDown    float64 `json:"good_rated_down"` // of the rated good answers
	BadRatedDown     float64 `json:"bad_rated_down"`  // of the other rated answers
	Feedback         float64 `json:"feedback"`        // requests followed by a feedback event, if enabled
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Arguments   json.RawMessage `json:"arguments"` // with slots
	Result      json.RawMessage `json:"result"`    // with slots

	offer json.RawMessage // the list of tools in a request with this tool
}

// answer is a kind of answer, with the aspects that it fails and the reason.
type answer struct {
	Fails  []string `json:"fails"`
	Reason string   `json:"reason"`
	// InventedCitation is the share of these answers that cite a passage that was
	// not retrieved.
	InventedCitation float64  `json:"invented_citation"`
	Texts            []string `json:"texts"` // for any ticket; empty: the tickets have their own
}

// judge configures how often the scripted judge errs and which aspect a criterion
// is about.
type judge struct {
	Noise       float64             `json:"noise"`        // share of inverted verdicts
	CannotJudge float64             `json:"cannot_judge"` // share of cannot_judge
	Aspects     map[string][]string `json:"aspects"`      // aspect to parts of criterion ids that name it
}

// ticket is a customer's question with its labelled answers.
type ticket struct {
	ID         string   `json:"id"`
	Tool       string   `json:"tool"`
	Questions  []string `json:"questions"` // with slots
	Chunks     []chunk  `json:"chunks"`
	Good       string   `json:"good"`
	Wrong      string   `json:"wrong"`
	Unfaithful string   `json:"unfaithful"`

	category string // name of the file
	tool     *tool
}

type chunk struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

func (t *ticket) answer(kind string) string {
	return map[string]string{"good": t.Good, "wrong": t.Wrong, "unfaithful": t.Unfaithful}[kind]
}

// readFile decodes one file; unknown fields are an error.
func readFile(name string, into any) error {
	b, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read scenario: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("read scenario %s: %w", name, err)
	}
	return nil
}

func readTickets() ([]ticket, error) {
	const dir = "data/tickets"
	entries, _ := fs.ReadDir(files, dir) // the folder is part of the program
	var all []ticket
	for _, e := range entries {
		var some []ticket
		if err := readFile(path.Join(dir, e.Name()), &some); err != nil {
			return nil, err
		}
		for i := range some {
			some[i].category = strings.TrimSuffix(e.Name(), ".json")
		}
		all = append(all, some...)
	}
	return all, nil
}
