package judges

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func newJudge(tb testing.TB, r *Rubric, m Model) *Judge {
	tb.Helper()
	j, err := New(Config{Name: "test", Guideline: "Never promise a date."}, r, m)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answers []string
		change  func(*event.Event)
		want    eval.Verdict
		err     eval.Reason
		calls   int
	}{
		"pass": {
			answers: []string{bothPass}, calls: 1,
			want: eval.Verdict{Outcome: eval.OutcomePass, Score: 1, Explanation: "accurate: fits\ncomplete: all there", Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomePass, Reason: "fits"}, {ID: "complete", Outcome: eval.OutcomePass, Reason: "all there"},
			}},
		},
		"fail names the criterion": {
			answers: []string{answer("complete", "", "no price", "fail", "accurate", "", "fits", "pass")}, calls: 1,
			want: eval.Verdict{Outcome: eval.OutcomeFail, Score: 0.5, Reason: "not met: complete", Explanation: "accurate: fits\ncomplete: no price", Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomePass, Reason: "fits"}, {ID: "complete", Outcome: eval.OutcomeFail, Reason: "no price"},
			}},
		},
		"fail with a quote from the data": {
			answers: []string{answer("accurate", "“takes two  to FOUR days”", "wrong", "fail", "complete", "", "", "pass")}, calls: 1,
			want: eval.Verdict{Outcome: eval.OutcomeFail, Score: 0.5, Reason: "not met: accurate", Explanation: "accurate: wrong", Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomeFail, Evidence: "“takes two  to FOUR days”", Reason: "wrong"}, {ID: "complete", Outcome: eval.OutcomePass},
			}},
		},
		"fail with a made-up quote": {
			answers: []string{answer("accurate", "it takes nine weeks at least", "wrong", "fail", "complete", "", "", "pass")}, calls: 1,
			want: eval.Verdict{Outcome: eval.OutcomeCannotJudge, Reason: "undecided: accurate", Explanation: "accurate: wrong", Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomeCannotJudge, Evidence: "it takes nine weeks at least", Reason: "wrong"}, {ID: "complete", Outcome: eval.OutcomePass},
			}},
		},
		"nothing applies": {
			answers: []string{answer("accurate", "", "", "not_applicable", "complete", "", "", "not_applicable")}, calls: 1,
			want: eval.Verdict{Outcome: eval.OutcomeNotApplicable, Reason: "no criterion applies", Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomeNotApplicable}, {ID: "complete", Outcome: eval.OutcomeNotApplicable},
			}},
		},
		"second answer counts": {
			answers: []string{"It passes.", bothPass}, calls: 2,
			want: eval.Verdict{Outcome: eval.OutcomePass, Score: 1, Explanation: "accurate: fits\ncomplete: all there", Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomePass, Reason: "fits"}, {ID: "complete", Outcome: eval.OutcomePass, Reason: "all there"},
			}},
		},
		"no third answer":  {answers: []string{"It passes.", "It passes.", bothPass}, calls: 2, err: eval.ReasonUnparsable},
		"empty answer":     {answers: []string{"", ""}, calls: 2, err: eval.ReasonUnparsable},
		"missing output":   {change: func(e *event.Event) { e.Output = event.Content{} }, want: eval.NotApplicable("output")},
		"missing input":    {change: func(e *event.Event) { e.Input = event.Content{} }, want: eval.NotApplicable("input")},
		"empty output":     {change: func(e *event.Event) { e.Output = event.Text("") }, want: eval.Verdict{Outcome: eval.OutcomeFail, Label: LabelNoSubstance, Reason: "no substance"}},
		"output of dashes": {change: func(e *event.Event) { e.Output = event.Text("--- :") }, want: eval.Verdict{Outcome: eval.OutcomeFail, Label: LabelNoSubstance, Reason: "no substance"}},
		"only tool calls": {
			change: func(e *event.Event) { e.Output, e.ToolCalls = event.Text(""), []event.ToolCall{{Name: "lookup"}} },
			want:   eval.NotApplicable("output"),
		},
		"long output": {
			change:  func(e *event.Event) { e.Output = event.Text(strings.Repeat("Two to four days. ", 10_000)) },
			answers: []string{answer("accurate", "", "", "pass", "complete", "", "", "pass")}, calls: 1,
			want: eval.Verdict{Outcome: eval.OutcomePass, Score: 1, Label: LabelTruncated, Criteria: []eval.Criterion{
				{ID: "accurate", Outcome: eval.OutcomePass}, {ID: "complete", Outcome: eval.OutcomePass},
			}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			j := newJudge(t, rubric(t, twoCriteria), ModelFunc(func(ctx context.Context, r Request) (Answer, error) {
				calls++
				return says(tt.answers[calls-1])(ctx, r)
			}))
			e := newEvent()
			if tt.change != nil {
				tt.change(e)
			}
			got, err := j.Evaluate(t.Context(), e)
			if eval.ReasonOf(err) != tt.err || calls != tt.calls {
				t.Fatalf("err = %v after %d calls; want %q after %d", err, calls, tt.err, tt.calls)
			}
			if (got.Usage == nil) != (calls == 0) || got.Usage != nil && got.Usage.Calls != calls {
				t.Errorf("usage = %+v; want %d calls", got.Usage, calls)
			}
			got.Usage = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// A step that only calls tools has no answer yet; a refusal is an answer.
func TestStepsOfAgents(t *testing.T) {
	t.Parallel()
	noAnswer, none := eval.NotApplicable("output"), eval.Verdict{Outcome: eval.OutcomeFail, Label: LabelNoSubstance, Reason: reasonNoSubstance}
	for name, tt := range map[string]struct {
		output string
		want   eval.Verdict
	}{
		"calls":                {`{"role":"assistant","content":null,"tool_calls":[{"id":"c1"}]}`, noAnswer},
		"calls, content empty": {`{"role":"assistant","content":"","tool_calls":[{"id":"c1"}]}`, noAnswer},
		"calls, parts":         {`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"lookup","input":{}}]}`, noAnswer},
		"calls, in a chat":     {`[{"role":"assistant","content":null,"tool_calls":[{"id":"c1"}]}]`, noAnswer},
		"null calls":           {`{"role":"assistant","content":null,"tool_calls":null}`, none},
		"another's, empty":     {`{"role":"pirate","content":""}`, eval.Verdict{Outcome: eval.OutcomePass, Score: 1}},
		"reasoning only":       {`"<think>The order is late."`, none},
		"withheld":             {`{"candidates":[{"finishReason":"SAFETY"}]}`, noAnswer},
		"not readable":         {`{"object":"response","output":[{"type":"hologram"}]}`, eval.Verdict{Outcome: eval.OutcomeCannotJudge, Reason: "output is a response with items of unknown types only"}},
		"refusal":              {`{"role":"assistant","content":null,"refusal":"I can not help with that."}`, eval.Verdict{Outcome: eval.OutcomePass, Score: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var shown string
			j := newJudge(t, rubric(t, twoCriteria), ModelFunc(func(ctx context.Context, r Request) (Answer, error) {
				shown = r.User
				return says(bothPass)(ctx, r)
			}))
			e := newEvent()
			e.Output = event.JSON([]byte(tt.output))
			got, err := j.Evaluate(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != tt.want.Outcome || got.Label != tt.want.Label || shown == "" && got.Reason != tt.want.Reason {
				t.Errorf("%s %q (%s); want %s %q (%s)", got.Outcome, got.Label, got.Reason, tt.want.Outcome, tt.want.Label, tt.want.Reason)
			}
			if asked := tt.want.Outcome == eval.OutcomePass; asked != strings.Contains(shown, `"output":"`) {
				t.Errorf("the model is shown %q", shown)
			}
		})
	}
}

// TestSecondQuestion: the second question says what was wrong, has another nonce, and
// repeats nothing of the answer.
func TestSecondQuestion(t *testing.T) {
	t.Parallel()
	var asked []Request
	j := newJudge(t, rubric(t, twoCriteria), ModelFunc(func(_ context.Context, r Request) (Answer, error) {
		asked = append(asked, r)
		return Answer{Text: answer("accurate", "", "a secret word", "maybe", "complete", "", "", "pass")}, nil
	}))
	_, err := j.Evaluate(t.Context(), newEvent())
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "maybe") {
		t.Errorf("err = %v; want one without the answer's words", err)
	}
	if len(asked) != 2 || asked[0].System != asked[1].System {
		t.Fatalf("%d questions; want 2 under one system message", len(asked))
	}
	type message struct {
		Nonce      string          `json:"nonce"`
		Correction string          `json:"correction"`
		Data       json.RawMessage `json:"data"`
	}
	var first, second message
	if err := errors.Join(json.Unmarshal([]byte(asked[0].User), &first), json.Unmarshal([]byte(asked[1].User), &second)); err != nil {
		t.Fatal(err)
	}
	if first.Correction != "" || !strings.Contains(second.Correction, `the "verdict" of accurate is none of`) {
		t.Errorf("corrections = %q, %q", first.Correction, second.Correction)
	}
	if first.Nonce == second.Nonce || !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(first.Nonce) {
		t.Errorf("nonces = %q, %q", first.Nonce, second.Nonce)
	}
	if strings.Contains(asked[1].User, "secret") || strings.Contains(asked[1].User, "maybe") {
		t.Errorf("the answer is repeated: %s", asked[1].User)
	}
	if diff := cmp.Diff(string(first.Data), string(second.Data)); diff != "" {
		t.Errorf("data changed:\n%s", diff)
	}
}

func TestErrorsOfTheModel(t *testing.T) {
	t.Parallel()
	j := newJudge(t, rubric(t, twoCriteria), ModelFunc(func(context.Context, Request) (Answer, error) {
		return Answer{Text: bothPass, Usage: eval.Usage{Calls: 3, InputTokens: 70}}, eval.WithReason(eval.ReasonTruncated, errors.New("cut off"))
	}))
	v, err := j.Evaluate(t.Context(), newEvent())
	if eval.ReasonOf(err) != eval.ReasonTruncated || eval.IsPermanent(err) {
		t.Errorf("err = %v; want truncated, not permanent", err)
	}
	if v.Outcome != eval.OutcomeError || v.Usage == nil || v.Usage.InputTokens != 70 {
		t.Errorf("verdict = %+v; want an error that keeps what was paid", v)
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	const criteria = "\ncriteria: [{id: a, question: Is it?}]\n"
	pass := answer("a", "", "", "pass")
	full := func(e *event.Event) {
		e.Expected, e.Tools = event.Text("Four."), event.JSON([]byte(`[{"name":"lookup"}]`))
		e.Retrieval = &event.Retrieval{Chunks: []event.Chunk{{ID: "c1", Text: "Two to four."}}}
		e.ToolCalls = []event.ToolCall{{Name: "lookup"}}
	}
	tests := map[string]struct {
		yaml   string
		change func(*event.Event)
		want   string // field that is missing; empty: judged
	}{
		"expected":          {"needs: [expected]", nil, "expected"},
		"chunks":            {"needs: [chunks]", nil, "retrieval.chunks"},
		"empty chunks":      {"needs: [chunks]", func(e *event.Event) { e.Retrieval = &event.Retrieval{Chunks: []event.Chunk{{ID: "c"}}} }, "retrieval.chunks"},
		"tool calls":        {"needs: [tool_calls]", nil, "tool_calls"},
		"tools":             {"needs: [tools]", nil, "tools"},
		"all there":         {"needs: [input, output, expected, chunks, tool_calls, tools, guideline]", full, ""},
		"none of several":   {"needs: [output]\nneeds_one_of: [expected, chunks]", nil, "expected, retrieval.chunks"},
		"one of several":    {"needs: [output]\nneeds_one_of: [expected, chunks]", func(e *event.Event) { e.Expected = event.Text("Four.") }, ""},
		"optional, missing": {"needs: [output]\noptional: [expected]", nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJudge(t, rubric(t, tt.yaml+criteria), says(pass))
			e := newEvent()
			if tt.change != nil {
				tt.change(e)
			}
			v, err := j.Evaluate(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && v.Outcome != eval.OutcomePass:
				t.Errorf("verdict = %+v; want a pass", v)
			case tt.want != "" && !cmp.Equal(v, eval.NotApplicable(tt.want)):
				t.Errorf("verdict = %+v; want missing %s", v, tt.want)
			}
		})
	}
}

func TestNewWantsAllItNeeds(t *testing.T) {
	t.Parallel()
	guideline := rubric(t, "needs: [output, guideline]\ncriteria: [{id: a, question: Is it?}]")
	tests := map[string]struct {
		cfg    Config
		rubric *Rubric
		model  Model
	}{
		"no rubric":      {Config{Name: "x"}, nil, says("")},
		"no model":       {Config{Name: "x"}, guideline, nil},
		"no name":        {Config{Guideline: "p"}, guideline, says("")},
		"no guideline":   {Config{Name: "x", Guideline: " "}, guideline, says("")},
		"invalid rubric": {Config{Name: "x"}, &Rubric{}, says("")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(tt.cfg, tt.rubric, tt.model); err == nil {
				t.Error("no error")
			}
		})
	}
}

// describedModel is a model of which only the description matters.
type describedModel struct {
	ModelFunc
	Description
}

func (d describedModel) Describe() Description { return d.Description }

func TestVersion(t *testing.T) {
	t.Parallel()
	base := func() (Config, *Rubric, Model) {
		return Config{Name: "a"}, rubric(t, twoCriteria), describedModel{Description: Description{"gpt", 1000}}
	}
	version := func(change func(*Config, *Rubric, *Model)) string {
		cfg, r, m := base()
		change(&cfg, r, &m)
		j, err := New(cfg, r, m)
		if err != nil {
			t.Fatal(err)
		}
		return j.Version()
	}
	same := version(func(*Config, *Rubric, *Model) {})
	if again := version(func(c *Config, _ *Rubric, _ *Model) { c.Name = "b" }); again != same || len(same) != 12 {
		t.Errorf("versions %s and %s of one judge under two names; want 12 equal digits", same, again)
	}
	for name, change := range map[string]func(*Config, *Rubric, *Model){
		"guideline":   func(c *Config, _ *Rubric, _ *Model) { c.Guideline = "p" },
		"question":    func(_ *Config, r *Rubric, _ *Model) { r.Criteria[0].Question += " Really?" },
		"weight":      func(_ *Config, r *Rubric, _ *Model) { r.Criteria[0].Weight = new(2.0) },
		"aggregation": func(_ *Config, r *Rubric, _ *Model) { r.Aggregation = aggregateAny },
		"evidence":    func(_ *Config, r *Rubric, _ *Model) { r.Criteria[1].Evidence.Pass = sourceAny },
		"model":       func(_ *Config, _ *Rubric, m *Model) { *m = describedModel{Description: Description{"other", 1000}} },
		"cut":         func(_ *Config, _ *Rubric, m *Model) { *m = describedModel{Description: Description{"gpt", 2000}} },
	} {
		if version(change) == same {
			t.Errorf("another %s has the same version", name)
		}
	}
}

func TestLongReasonsAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 5000)
	j := newJudge(t, rubric(t, twoCriteria), says(answer("accurate", long, long, "pass", "complete", "", "", "pass")))
	v, err := j.Evaluate(t.Context(), newEvent())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{v.Criteria[0].Evidence, v.Criteria[0].Reason, v.Explanation} {
		if n := len([]rune(s)); n > maxReason+20 {
			t.Errorf("%d characters are kept; want about %d", n, maxReason)
		}
	}
}
