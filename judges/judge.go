package judges

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Labels of a judge's verdicts.
const (
	LabelTruncated   = "truncated"    // the model saw only part of the content
	LabelNoSubstance = "no_substance" // decided without a model
)

const (
	reasonNoSubstance = "no substance"
	maxReason         = 1000     // characters of a model's reason or quote for one criterion
	maxGuideline      = 64 << 10 // in bytes; it is part of every prompt
)

// Config is the configuration of one judge.
type Config struct {
	Name string `yaml:"-"` // set by the owner of the list

	Rubric    string `yaml:"rubric" doc:"llm_judge: name of a built-in rubric or of one in the folder."`
	Model     string `yaml:"model" doc:"llm_judge: entry of models to ask; without one, default."`
	Guideline string `yaml:"guideline" doc:"llm_judge: text of the guideline, for rubrics that need one."`
}

// Validate returns all faults of c, except a rubric or model that does not exist:
// the owner of those lists checks that.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.Rubric == "" {
		fs.Add("rubric", "missing", "name a built-in rubric, such as correctness, or a file in the rubric folder")
	}
	if c.Model == "" {
		fs.Add("model", "empty", "name an entry of models")
	}
	if len(c.Guideline) > maxGuideline {
		fs.Add("guideline", "too long", "want at most 64 KB: it is sent with every call")
	}
	return fs
}

// Judge puts a rubric to a model. It is safe for concurrent use.
type Judge struct {
	name      string
	rubric    Rubric
	guideline string
	model     Model
	limit     int // characters per field
	system    string
	schema    json.RawMessage
	inputs    []string // that the model sees
	version   string
}

var _ eval.Evaluator = (*Judge)(nil)

// New returns a judge. The rubric has to be valid and must not be changed
// afterwards. If it needs a guideline, cfg must have one.
func New(cfg Config, rubric *Rubric, model Model) (*Judge, error) {
	if rubric == nil || model == nil {
		return nil, errors.New("judge: rubric and model are required")
	}
	if cfg.Name == "" {
		return nil, errors.New("judge: no name")
	}
	faults := rubric.Validate()
	if slices.Contains(rubric.Needs, inputGuideline) && strings.TrimSpace(cfg.Guideline) == "" {
		faults.Add("guideline", "missing", "rubric "+rubric.Name+" judges by a guideline: write its text here")
	}
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("judge %s: %w", cfg.Name, err)
	}
	description := Description{MaxInputChars: DefaultMaxInputChars}
	if d, ok := model.(Describer); ok {
		description = d.Describe()
	}
	j := &Judge{
		name: cfg.Name, rubric: *rubric, guideline: strings.TrimSpace(cfg.Guideline), model: model,
		limit: description.MaxInputChars, system: systemPrompt(rubric, strings.TrimSpace(cfg.Guideline)),
		schema: answerSchema(rubric.Criteria), inputs: rubric.visibleInputs(),
	}
	j.version = j.fingerprint(description)
	return j, nil
}

// Name returns the judge's name.
func (j *Judge) Name() string { return j.name }

// Type returns [eval.TypeLLMJudge].
func (j *Judge) Type() eval.Type { return eval.TypeLLMJudge }

// Version returns a hash of everything that can change a verdict: the rubric, the
// guideline, the wording of the prompt, how an answer is parsed, the schema, the
// model and its parameters.
func (j *Judge) Version() string { return j.version }

func (j *Judge) fingerprint(d Description) string {
	h := sha256.New()
	rubric, _ := json.Marshal(j.rubric) // plain data always marshals
	for _, part := range []string{promptVersion, j.system, string(rubric), string(j.schema), j.guideline, d.Fingerprint, strconv.Itoa(d.MaxInputChars)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Evaluate judges one event. A verdict that is returned with an error holds only
// the usage of the calls.
func (j *Judge) Evaluate(ctx context.Context, e *event.Event) (eval.Verdict, error) {
	if v, ok := j.withoutModel(e); ok {
		return v, nil
	}
	m := newMaterial(e, j.guideline, j.inputs, j.limit)
	answers, usage, err := j.ask(ctx, m)
	if err != nil {
		v := eval.Verdict{}
		if usage.Calls > 0 {
			v.Usage = &usage
		}
		return v, fmt.Errorf("judge %s: %w", j.name, err)
	}
	v := j.verdict(answers, m)
	v.Usage = &usage
	return v, nil
}

// withoutModel returns the verdict where none needs a model: on an event without its
// content, a missing input, or an output that says nothing.
func (j *Judge) withoutModel(e *event.Event) (eval.Verdict, bool) {
	if v, withheld := eval.Withheld(e); withheld {
		return v, true
	}
	for _, name := range j.rubric.Needs {
		if !j.has(e, name) {
			return eval.NotApplicable(eventFields(name)), true
		}
	}
	if some := j.rubric.NeedsOneOf; len(some) > 0 && !slices.ContainsFunc(some, func(name string) bool { return j.has(e, name) }) {
		return eval.NotApplicable(eventFields(some...)), true
	}
	if !slices.Contains(j.inputs, inputOutput) || e.Output.IsZero() {
		return eval.Verdict{}, false
	}
	said := e.Answer()
	switch {
	case said.Unread != "":
		return eval.Verdict{Outcome: eval.OutcomeCannotJudge, Reason: said.Unread}, true
	case said.OnlyRefuses(): // the provider withheld the answer
		return eval.NotApplicable(inputOutput), true
	case hasSubstance(neutralise(said.Text)):
		return eval.Verdict{}, false
	case said.CallsTools: // a step that only calls tools has no answer yet
		return eval.NotApplicable(inputOutput), true
	case j.rubric.NoSubstance == eval.OutcomeNotApplicable.String():
		return eval.Verdict{Outcome: eval.OutcomeNotApplicable, Label: LabelNoSubstance, Reason: reasonNoSubstance}, true
	}
	return eval.Verdict{Outcome: eval.OutcomeFail, Label: LabelNoSubstance, Reason: reasonNoSubstance}, true
}

// openers are beginnings of answers that say nothing by themselves; models have
// been seen to pass them as answers. A word that could itself be an answer is an
// opener only before a colon.
var (
	openers = []string{
		"thought process", "lets solve this problem step by step", "let us solve this problem step by step",
	}
	openersBeforeColon = []string{"solution", "answer", "explanation"}
)

// hasSubstance reports whether an output says anything: it has a letter or a digit,
// and is more than the announcement of an answer.
func hasSubstance(output string) bool {
	if !strings.ContainsFunc(output, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return false
	}
	if len(output) > 128 {
		return true
	}
	said := strings.Join(words(strings.ReplaceAll(strings.ReplaceAll(output, "'", ""), "’", "")), " ")
	if slices.Contains(openersBeforeColon, said) {
		return !strings.HasSuffix(strings.TrimRight(output, "*_#` \n"), ":")
	}
	return !slices.Contains(openers, said)
}

// has reports whether the event holds an input.
func (j *Judge) has(e *event.Event, name string) bool {
	switch name {
	case inputGuideline:
		return j.guideline != ""
	case inputInput:
		return e.Input.Text() != ""
	case inputOutput:
		return !e.Output.IsZero() // an empty string is an output without substance
	case inputExpected:
		return e.Expected.Text() != ""
	case inputChunks:
		return e.Retrieval != nil && slices.ContainsFunc(e.Retrieval.Chunks, func(c event.Chunk) bool { return c.Text != "" })
	case inputToolCalls:
		return len(e.Calls()) > 0
	case inputTools:
		return !e.Tools.IsZero()
	}
	return false
}

// eventFields returns the event's field names of inputs.
func eventFields(inputs ...string) string {
	return strings.ReplaceAll(strings.Join(inputs, ", "), inputChunks, "retrieval.chunks")
}

// newNonce returns what makes a question differ from all others: 128 random bits in
// hexadecimal. Texts of all letters have the form of some service's token or of a national
// number once in a hundred thousand, and a filter on the way to the model may take those out.
func newNonce() string {
	bits := make([]byte, 16)
	_, _ = rand.Read(bits) // it never fails
	return hex.EncodeToString(bits)
}

// ask puts the material to the model. After an answer that breaks its contract it
// asks once more and states the violation, without repeating the answer.
func (j *Judge) ask(ctx context.Context, m *material) ([]criterionVerdict, eval.Usage, error) {
	var usage eval.Usage
	correction := ""
	for {
		user := m.message(newNonce(), correction)
		a, err := j.model.Complete(ctx, Request{Eval: j.name, System: j.system, User: user, Schema: j.schema, Again: correction != ""})
		usage = AddUsage(usage, a.Usage)
		if err != nil {
			return nil, usage, err
		}
		answers, err := parseAnswer(a.Text, j.rubric.Criteria)
		switch {
		case err == nil:
			return answers, usage, nil
		case correction != "":
			return nil, usage, eval.WithReason(eval.ReasonUnparsable, fmt.Errorf("second answer: %w", err))
		}
		correction = "Your previous answer was not accepted: " + err.Error() + ". Answer again, exactly as asked."
	}
}

// verdict combines the answers on the criteria.
func (j *Judge) verdict(answers []criterionVerdict, m *material) eval.Verdict {
	outcomes := make([]eval.Outcome, len(answers))
	v := eval.Verdict{Criteria: make([]eval.Criterion, len(answers))}
	var explanation []string
	for i, c := range j.rubric.Criteria {
		a := answers[i]
		outcomes[i] = c.checkEvidence(a, m)
		v.Criteria[i] = eval.Criterion{ID: c.ID, Outcome: outcomes[i], Evidence: boundReason(a.evidence), Reason: boundReason(a.reason)}
		if a.reason != "" {
			explanation = append(explanation, c.ID+": "+v.Criteria[i].Reason)
		}
	}
	v.Outcome, v.Score, v.Reason = j.rubric.combine(outcomes)
	v.Explanation = strings.Join(explanation, "\n")
	if len(m.truncated) > 0 {
		v.Label = LabelTruncated
	}
	return v
}

// checkEvidence returns the criterion's outcome after its quote has been looked up.
// A verdict with an invented quote is worth nothing, but does not prove the
// opposite either.
func (c Criterion) checkEvidence(a criterionVerdict, m *material) eval.Outcome {
	source := map[eval.Outcome]string{eval.OutcomePass: c.Evidence.Pass, eval.OutcomeFail: c.Evidence.Fail}[a.outcome]
	if source != "" && !containsQuote(m.passages(source), a.evidence) {
		return eval.OutcomeCannotJudge
	}
	return a.outcome
}

// boundReason cuts a model's reason or quote to maxReason characters.
func boundReason(s string) string {
	if utf8.RuneCountInString(s) <= maxReason {
		return s
	}
	return s[:runeOffset(s, maxReason)] + "..."
}

// PromptSize is the size of what a judge sends besides the content of an event.
type PromptSize struct {
	Bytes    int // of the system message and the schema
	Criteria int // that are answered
}

// PromptSize returns the size of the judge's prompt, from which the cost of a verdict
// can be estimated.
func (j *Judge) PromptSize() PromptSize {
	return PromptSize{Bytes: len(j.system) + len(j.schema), Criteria: len(j.rubric.Criteria)}
}
