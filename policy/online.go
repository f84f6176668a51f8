package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/judges/model"
)

// ModelCheck is what the server of a model said when it was asked.
type ModelCheck struct {
	Name   string // in the configuration
	Model  string // on its server
	Server string // host

	Listing model.Listing
	Format  string       // answer format of the verdict; empty: there was none
	Usage   eval.Usage   // of the verdict
	Costs   []JudgeCost  // of the judges that ask this model, in the order of the configuration
	Fault   *fault.Fault // why no judge can work with the model; nil: they can
}

// JudgeCost is what one verdict of a judge would cost, estimated from its prompt, an
// event of EventBytes, and what the model used for its verdict in the check.
type JudgeCost struct {
	Judge        string
	InputTokens  int64
	OutputTokens int64
	NanoUSD      int64 // billionths of a US dollar
	Known        bool  // the model has a price
}

// EventBytes is the content of the event for which costs are estimated.
const EventBytes = 4000

// CheckModels asks the server of each model that a judge uses, one after the other: for
// its list of models, and for one verdict. getenv reads OPENAI_BASE_URL and
// OPENAI_API_KEY.
func CheckModels(ctx context.Context, c *Config, getenv func(string) string) ([]ModelCheck, error) {
	rubrics, faults := judges.LoadRubrics(c.RubricDir())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	var out []ModelCheck
	for _, e := range c.Evaluators {
		if !e.Judge() || slices.ContainsFunc(out, func(m ModelCheck) bool { return m.Name == e.JudgeConfig().Model }) {
			continue
		}
		check, err := c.checkModel(ctx, e.JudgeConfig().Model, rubrics, getenv)
		if err != nil {
			return nil, err
		}
		out = append(out, check)
		if err := ctx.Err(); err != nil {
			return out, err
		}
	}
	return out, nil
}

// checkModel asks one server.
func (c *Config) checkModel(ctx context.Context, name string, rubrics map[string]*judges.Rubric, getenv func(string) string) (ModelCheck, error) {
	cfg := c.Models[name]
	check := ModelCheck{Name: name, Model: cfg.Model}
	cfg.MaxAttempts, cfg.RequestsPerMinute = 1, 0 // a person waits
	m, err := model.New(cfg, model.Deps{Entry: "models." + name, Getenv: getenv})
	if faults, ok := errors.AsType[fault.List](err); ok && len(faults) > 0 {
		check.fail(faults[0])
		return check, nil
	}
	if err != nil {
		return check, fmt.Errorf("model %s: %w", name, err)
	}
	defer m.Close()
	check.Server = m.Server()
	check.Listing = m.Listing(ctx)
	probe, err := judges.New(judges.Config{Name: "check"}, probeRubric(), m)
	if err != nil {
		return check, err
	}
	v, err := probe.Evaluate(ctx, probeEvent())
	if v.Usage != nil {
		check.Usage = *v.Usage
	}
	if err != nil {
		f := model.FaultOf(err)
		if near := fault.Nearest(cfg.Model, check.Listing.Names); f.Path == "model" && check.Listing.Known && !check.Listing.Found && near != "" {
			f.Expected = `did you mean "` + near + `"?`
		}
		check.fail(f)
		return check, nil
	}
	check.Format = check.Usage.Format
	for _, e := range c.Evaluators {
		if e.Judge() && e.JudgeConfig().Model == name {
			j, err := judges.New(e.JudgeConfig(), rubrics[e.JudgeConfig().Rubric], m)
			if err != nil {
				return check, err
			}
			check.Costs = append(check.Costs, estimate(j, probe, check.Usage, m))
		}
	}
	return check, nil
}

// fail records why no judge can work, with its place in the configuration.
func (m *ModelCheck) fail(f fault.Fault) {
	f.Path = "models." + m.Name + "." + f.Path
	m.Fault = &f
}

// Expires returns the day on which the server stops serving the model, if it says one.
func (m *ModelCheck) Expires() (time.Time, bool) { return m.Listing.Until, !m.Listing.Until.IsZero() }

// bytesPerToken is what a token of English takes when the server does not say how many
// it counted.
const bytesPerToken = 4

// estimate returns what a verdict of j costs, by the tokens that the probe's verdict
// used.
func estimate(j, probe *judges.Judge, used eval.Usage, m *model.Endpoint) JudgeCost {
	size, probed := j.PromptSize(), probe.PromptSize()
	perByte, perCriterion := 1.0/bytesPerToken, 100.0
	if used.Calls == 1 && used.InputTokens > 0 && used.OutputTokens > 0 {
		perByte = float64(used.InputTokens) / float64(probed.Bytes)
		perCriterion = float64(used.OutputTokens) / float64(probed.Criteria)
	}
	c := JudgeCost{
		Judge:        j.Name(),
		InputTokens:  int64(perByte * float64(size.Bytes+EventBytes)),
		OutputTokens: int64(perCriterion * float64(size.Criteria)),
	}
	c.NanoUSD, c.Known = m.Cost(c.InputTokens, c.OutputTokens)
	return c
}

// probeRubric is a small rubric: what is asked does not matter, but that it is answered
// in the form of every judge.
func probeRubric() *judges.Rubric {
	return &judges.Rubric{
		Name: "check", Needs: []string{"input", "output"}, Aggregation: "all", NoSubstance: eval.OutcomeFail.String(),
		Criteria: []judges.Criterion{{ID: "names_a_colour", Question: "Does the answer name a colour?"}},
	}
}

func probeEvent() *event.Event {
	return &event.Event{Input: event.Text("What colour is the sky?"), Output: event.Text("The sky is blue.")}
}
