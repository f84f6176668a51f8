package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/judges"
)

// scripted is the scenario's judge as a model.
func scripted(s *scenario.Scenario) judges.Model {
	script := s.Judge()
	return judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
		var schema struct {
			Properties struct {
				Criteria struct {
					Items struct {
						Properties struct {
							ID struct {
								Enum []string `json:"enum"`
							} `json:"id"`
						} `json:"properties"`
					} `json:"items"`
				} `json:"criteria"`
			} `json:"properties"`
		}
		var user struct {
			Data map[string]any `json:"data"`
		}
		if err := json.Unmarshal(r.Schema, &schema); err != nil {
			return judges.Answer{}, err
		}
		if err := json.Unmarshal([]byte(r.User), &user); err != nil {
			return judges.Answer{}, err
		}
		reply := script(modelserver.Request{Criteria: schema.Properties.Criteria.Items.Properties.ID.Enum, Data: user.Data})
		return judges.Answer{Text: reply.Content}, nil
	})
}

// shortcut is a judge without prompt and checks: it combines the script's verdicts. It
// takes a tenth of a judge's time and agrees with it on the demo's rubrics
// (TestShortcutsSayWhatJudgesSay).
type shortcut struct {
	rubric   *judges.Rubric
	verdicts func(modelserver.Request) []modelserver.Verdict
}

// outcome judges an event whose output is given as text.
func (s *shortcut) outcome(e *event.Event, output string) (eval.Outcome, error) {
	grounded := e.Retrieval != nil && len(e.Retrieval.Chunks) > 0
	if slices.Contains(s.rubric.Needs, "chunks") && !grounded ||
		len(s.rubric.NeedsOneOf) > 0 && !grounded && len(e.ToolCalls) == 0 {
		return eval.OutcomeNotApplicable, nil
	}
	r := modelserver.Request{Data: map[string]any{"output": output}}
	for _, c := range s.rubric.Criteria {
		r.Criteria = append(r.Criteria, c.ID)
	}
	o := eval.OutcomePass
	for _, v := range s.verdicts(r) {
		switch v.Verdict {
		case "fail":
			return eval.OutcomeFail, nil
		case "cannot_judge":
			o = eval.OutcomeCannotJudge
		case "pass":
		default:
			return 0, fmt.Errorf("the script says %s", v.Verdict)
		}
	}
	return o, nil
}

func TestShortcutsSayWhatJudgesSay(t *testing.T) {
	t.Parallel()
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name)
			short := w.tables(t, 3, 1200)
			w.shortcuts = nil
			judges := w.tables(t, 3, 1200)
			judges.Unsure, short.Unsure = nil, nil // shortcuts give no reasons
			if diff := cmp.Diff(judges, short); diff != "" {
				t.Errorf("tables of a demo (-judges +shortcuts):\n%s", diff)
			}
		})
	}
}

// TestJudgesSeldomGiveUp: if the script quoted the wrong input, most verdicts would be
// cannot_judge.
func TestJudgesSeldomGiveUp(t *testing.T) {
	t.Parallel()
	s, err := scenario.Load("regressed")
	if err != nil {
		t.Fatal(err)
	}
	const events = 600
	for name, rubric := range judges.BuiltIn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judge, err := judges.New(judges.Config{Name: name, Guideline: "Be polite. Promise no refunds."}, rubric, scripted(s))
			if err != nil {
				t.Fatal(err)
			}
			outcomes := map[eval.Outcome]int{}
			for m, err := range messages(s, 5, events, start()) {
				if err != nil {
					t.Fatal(err)
				}
				v, err := judge.Evaluate(t.Context(), &m.event)
				if err != nil {
					t.Fatalf("request %s: %v", m.event.RequestID, err)
				}
				outcomes[v.Outcome]++
			}
			if open := outcomes[eval.OutcomeCannotJudge]; open > events*3/100 || outcomes[eval.OutcomePass] == 0 {
				t.Errorf("%d of %d verdicts are open: %v", open, events, outcomes)
			}
		})
	}
}
