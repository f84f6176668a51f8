package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/validators"
)

// Policy is one revision. It is immutable and safe for concurrent use.
type Policy struct {
	Sampler *sampler.Sampler
	// Evaluators are in the order of the indexes in the sampler's plans.
	Evaluators []Evaluator
	// RatingScale is that of users' numeric ratings whose events name none.
	RatingScale eval.RatingScale
	// Config is what the policy was built from. It must not be changed.
	Config *Config

	schemas map[string]string // digests by name
	rubrics map[string]*judges.Rubric
}

// Revision identifies everything that the sampler's decisions depend on.
func (p *Policy) Revision() string { return p.Sampler.Revision() }

// Evaluator is an evaluator with its time limit.
type Evaluator struct {
	eval.Evaluator
	// Timeout bounds one evaluation, retries included. 0: only the event's own bound.
	Timeout time.Duration
	// Again returns a function for one evaluation; nil: a failure is final.
	Again func() Again
}

// Again is called after each failure of an evaluation, and reports whether to evaluate
// once more. It may wait before, at most until released is closed, or ctx ends and it
// returns false.
type Again = func(ctx context.Context, released <-chan struct{}, err error) bool

// AddUsage returns what two runs of an evaluator used; nil when neither used a model.
func AddUsage(before, last *eval.Usage) *eval.Usage {
	if before == nil || last == nil {
		return cmp.Or(before, last)
	}
	sum := judges.AddUsage(*before, *last)
	return &sum
}

// Judge reports whether the evaluator calls a model.
func (e Evaluator) Judge() bool { return e.Type() == eval.TypeLLMJudge }

// Deps are a builder's dependencies.
type Deps struct {
	Log     *slog.Logger     // for the models
	Observe func(model.Call) // called after each call of a model; may be nil
	// Patience makes judges wait for their models, for a batch; nil: they do not.
	Patience *model.Patience
}

// Builder builds the policy of each revision and owns the models behind it.
type Builder struct {
	deps   Deps
	mu     sync.Mutex
	models map[string]builtModel // of the last revision; written only by Build, under mu
}

type builtModel struct {
	cfg      model.Config
	endpoint *model.Endpoint
}

// NewBuilder returns a builder without models. The caller must Close it.
func NewBuilder(deps Deps) *Builder { return &Builder{deps: deps} }

// Build builds the policy of a configuration. When it fails, the models of the
// last revision stay as they are. The configuration must not be changed afterwards.
// Build must not be called concurrently.
func (b *Builder) Build(c *Config) (*Policy, error) {
	if err := c.Missing().Err(); err != nil {
		return nil, err
	}
	schemas, faults := validators.LoadSchemas(c.SchemaDir())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	rubrics, faults := judges.LoadRubrics(c.RubricDir())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	models := map[string]builtModel{}
	config := *c
	p := &Policy{RatingScale: c.Feedback.RatingScale(), Config: &config, schemas: schemas.Digests(), rubrics: rubrics}
	for _, e := range c.Evaluators {
		built := Evaluator{Timeout: e.Timeout}
		var err error
		if e.Judge() {
			jc := e.JudgeConfig()
			var m builtModel
			if m, err = b.model(jc.Model, c, models); err == nil {
				built.Evaluator, err = judges.New(jc, rubrics[jc.Rubric], m.endpoint)
				if b.deps.Patience == nil { // which waits by itself
					built.Again = m.endpoint.Again
				}
			}
		} else {
			built.Evaluator, err = validators.New(e.ValidatorConfig(), schemas)
		}
		if err != nil {
			return nil, fmt.Errorf("evaluator %s: %w", e.Name, err)
		}
		p.Evaluators = append(p.Evaluators, built)
	}
	var err error
	if p.Sampler, err = c.Sampler(); err != nil {
		return nil, err
	}
	for name, old := range b.models {
		if models[name].endpoint != old.endpoint {
			old.endpoint.Close() // drops idle connections only: events in flight may still use it
		}
	}
	if b.deps.Patience == nil {
		for _, m := range models {
			m.endpoint.SetMaxWait(c.Judges.wait())
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.models = models
	return p, nil
}

// model returns the named model: the one already built for this revision, else the
// last revision's if its settings are the same, else a new one.
func (b *Builder) model(name string, c *Config, models map[string]builtModel) (builtModel, error) {
	if m, ok := models[name]; ok {
		return m, nil
	}
	m := builtModel{cfg: c.Models[name]}
	if old, ok := b.models[name]; ok && reflect.DeepEqual(old.cfg, m.cfg) {
		m = old
	} else {
		var err error
		m.endpoint, err = model.New(m.cfg, model.Deps{Log: b.deps.Log, Entry: "models." + name, Observe: b.deps.Observe, Patience: b.deps.Patience})
		if faults, ok := errors.AsType[fault.List](err); ok {
			var under fault.List
			under.Under("models."+name, faults)
			return m, under
		}
		if err != nil {
			return m, fmt.Errorf("model %s: %w", name, err)
		}
	}
	models[name] = m
	return m, nil
}

// ModelStatus is the state of a model of the current revision.
type ModelStatus struct {
	Name  string `json:"name"`  // in the configuration
	Model string `json:"model"` // on its server
	model.Condition
}

// Models returns the state of the current revision's models, by name. It may be
// called during Build.
func (b *Builder) Models() []ModelStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]ModelStatus, 0, len(b.models))
	for name, m := range b.models {
		out = append(out, ModelStatus{Name: name, Model: m.cfg.Model, Condition: m.endpoint.Condition()})
	}
	slices.SortFunc(out, func(a, b ModelStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Close drops the models' connections.
func (b *Builder) Close() {
	for _, m := range b.models {
		m.endpoint.Close()
	}
}
