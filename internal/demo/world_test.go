package demo

import (
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/validators"
)

// world is a demo's evaluation without its broker, HTTP and store: the sampler,
// validators and judges of the demo's own configuration, and the scenario's
// judge called as a function.
type world struct {
	scenario   *scenario.Scenario
	sampler    *sampler.Sampler
	evaluators []eval.Evaluator
	// shortcuts replace the judges among the evaluators, by index; nil: the judges
	// themselves.
	shortcuts []*shortcut
}

// newWorld loads the configuration as a demo does.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	s, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{scenario: s}
	_, cfg, err := configure(t.TempDir(), s.Schemas(), settings{
		Broker: "127.0.0.1:9092", Model: scriptedModel, BaseURL: "http://127.0.0.1:1/v1", Store: "unused.db",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.build(t, cfg)
	return w
}

func (w *world) build(t *testing.T, cfg *config.Config) {
	t.Helper()
	schemas, faults := validators.LoadSchemas(cfg.SchemaDir())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	rubrics, faults := judges.LoadRubrics(cfg.RubricDir())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	model, verdicts := scripted(w.scenario), w.scenario.Verdicts()
	var sampled []sampler.Evaluator
	for _, e := range cfg.Evaluators {
		var ev eval.Evaluator
		var short *shortcut
		var err error
		if e.Judge() {
			short = &shortcut{rubrics[e.Rubric], verdicts}
			ev, err = judges.New(e.JudgeConfig(), rubrics[e.Rubric], model)
		} else {
			ev, err = validators.New(e.ValidatorConfig(), schemas)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.evaluators, w.shortcuts = append(w.evaluators, ev), append(w.shortcuts, short)
		sampled = append(sampled, sampler.Evaluator{Name: e.Name, Judge: e.Judge(), Rate: e.Rate, When: e.When})
	}
	var err error
	if w.sampler, err = sampler.New(cfg.Sampling, sampled); err != nil {
		t.Fatal(err)
	}
}

// start is when the first request of a test finished.
func start() time.Time { return time.Date(2026, time.June, 1, 9, 0, 0, 0, time.UTC) }

// play evaluates the messages of a demo and returns the report of each readable one.
func (w *world) play(t *testing.T, seed uint64, events int, each func(*eval.Report)) {
	t.Helper()
	for m, err := range messages(w.scenario, seed, events, start()) {
		if err != nil {
			t.Fatal(err)
		}
		if m.body != nil {
			continue
		}
		env := m.event.Envelope()
		r := &eval.Report{Event: &m.event, Plan: w.sampler.Decide(&env)}
		output := m.event.Output.Text()
		for _, pick := range r.Plan.Picks {
			ev := w.evaluators[pick.Evaluator]
			v, err := w.verdict(t, pick.Evaluator, &m.event, output)
			if err != nil {
				t.Fatalf("request %s, %s: %v", m.event.RequestID, ev.Name(), err)
			}
			v.Eval, v.Type, v.Probability = ev.Name(), ev.Type(), pick.Probability
			r.Verdicts = append(r.Verdicts, v)
		}
		each(r)
	}
}

func (w *world) verdict(t *testing.T, i int, e *event.Event, output string) (eval.Verdict, error) {
	if w.shortcuts != nil && w.shortcuts[i] != nil {
		o, err := w.shortcuts[i].outcome(e, output)
		return eval.Verdict{Outcome: o}, err
	}
	return w.evaluators[i].Evaluate(t.Context(), e)
}

// tables plays a whole demo.
func (w *world) tables(t *testing.T, seed uint64, events int) summary.Tables {
	t.Helper()
	sum := summary.New(summary.Config{})
	w.play(t, seed, events, sum.Report)
	return sum.Tables()
}
