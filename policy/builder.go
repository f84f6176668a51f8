package app

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"

	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/judges"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/validators"
)

// suites builds a suite from each revision of the configuration. A model whose
// settings did not change lives on over revisions, because its limits, its
// breaker and what it has learned about its server are worth keeping.
type suites struct {
	observe func(judges.Call)
	log     *slog.Logger
	mu      sync.Mutex
	models  map[string]builtModel // the builder's; guarded by mu where others look
}

type builtModel struct {
	cfg   judges.ModelConfig
	model *judges.Endpoint
}

// build is called by one goroutine at a time: New, then the watcher's.
func (s *suites) build(cfg *config.Config) (*pipeline.Suite, error) {
	schemas, faults := validators.LoadSchemas(cfg.SchemaDir())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	rubrics, faults := judges.LoadRubrics(cfg.RubricDir())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	models := map[string]builtModel{}
	suite := &pipeline.Suite{}
	for _, e := range cfg.Evaluators {
		entry := pipeline.Entry{Timeout: e.Timeout}
		var err error
		if e.Judge() {
			jc := e.JudgeConfig()
			var model *judges.Endpoint
			if model, err = s.model(jc.Model, cfg, models); err == nil {
				entry.Evaluator, err = judges.New(jc, rubrics[jc.Rubric], model)
			}
		} else {
			entry.Evaluator, err = validators.New(e.ValidatorConfig(), schemas)
		}
		if err != nil {
			return nil, fmt.Errorf("evaluator %s: %w", e.Name, err)
		}
		suite.Evaluators = append(suite.Evaluators, entry)
	}
	var err error
	if suite.Sampler, err = sampler.New(cfg.Sampling, cfg.Sampled()); err != nil {
		return nil, err
	}
	for name, old := range s.models {
		if models[name].model != old.model {
			old.model.Close() // events in flight may still use it: this only lets go of idle connections
		}
	}
	s.mu.Lock()
	s.models = models
	s.mu.Unlock()
	return suite, nil
}

// conditions say how the models of the present revision fare, by name.
func (s *suites) conditions() []Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Model, 0, len(s.models))
	for name, m := range s.models {
		out = append(out, Model{Name: name, Model: m.cfg.Model, Condition: m.model.Condition()})
	}
	slices.SortFunc(out, func(a, b Model) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// close lets go of the models' connections.
func (s *suites) close() {
	for _, m := range s.models {
		m.model.Close()
	}
}

// model gives the model of that name: from this revision's models so far, else
// the last revision's when its settings are the same, else a new one.
func (s *suites) model(name string, cfg *config.Config, models map[string]builtModel) (*judges.Endpoint, error) {
	if m, ok := models[name]; ok {
		return m.model, nil
	}
	mc := cfg.Models[name]
	if old, ok := s.models[name]; ok && reflect.DeepEqual(old.cfg, mc) {
		models[name] = old
		return old.model, nil
	}
	model, err := judges.NewModel(mc, judges.ModelDeps{Log: s.log, Observe: s.observe})
	if faults, ok := errors.AsType[fault.List](err); ok {
		var named fault.List
		named.Under("models."+name, faults)
		return nil, named
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	models[name] = builtModel{mc, model}
	return model, nil
}
