package app

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/telemetry"
)

// Status is the worker's state, as /statusz prints it.
type Status struct {
	Version   string               `json:"version"`
	Started   time.Time            `json:"started"`
	Events    Accounting           `json:"events"`
	Policy    PolicyStatus         `json:"policy"`
	Consumer  consumer.Status      `json:"consumer"`
	Store     StoreStatus          `json:"store"`
	Models    []policy.ModelStatus `json:"models"` // of the current revision's judges, by name
	Telemetry telemetry.Stats      `json:"telemetry"`
}

// PolicyStatus is the revision in use.
type PolicyStatus struct {
	Revision   string           `json:"revision"`
	Evaluators []string         `json:"evaluators"`
	Effective  policy.Effective `json:"effective"`
	Skewed     []sampler.Skew   `json:"skewed,omitempty"` // rates whose sample cannot be trusted
	Reloads    Reloads          `json:"reloads"`
}

// StoreStatus says whether failing requests can be kept.
type StoreStatus struct {
	URL       string    `json:"url"`
	DownSince time.Time `json:"down_since,omitzero"`
	Error     string    `json:"error,omitempty"`
	// Version is that of the tables when the worker opened them; 0: it has not yet. A
	// newer worker may have changed them since.
	Version   int             `json:"version,omitempty"`
	Retention RetentionStatus `json:"retention"`
}

// Status returns the worker's state.
func (a *App) Status() Status {
	p := a.pipeline.Policy()
	downSince, downErr := a.storeDown()
	s := Status{
		Version:  a.version,
		Started:  a.started,
		Events:   a.counts.snapshot(),
		Policy:   PolicyStatus{Revision: p.Revision(), Effective: p.Effective(), Skewed: a.skews.now(), Reloads: a.reloads.snapshot()},
		Consumer: a.consumer.Status(),
		Store: StoreStatus{
			URL: a.cfg.Store.Separated().URL, DownSince: downSince, Version: int(a.tables.Load()), Retention: a.retention.snapshot(a.cfg.Store.Keep),
		},
		Models:    a.builder.Models(),
		Telemetry: a.telemetry.Stats(),
	}
	if downErr != nil {
		s.Store.Error = downErr.Error()
	}
	for _, e := range p.Evaluators {
		s.Policy.Evaluators = append(s.Policy.Evaluators, e.Name())
	}
	return s
}

// checks are the conditions of readiness.
func (a *App) checks() []serve.Check {
	return []serve.Check{
		{Name: "worker", Ready: func() error {
			if a.stopping.Load() {
				return errors.New("stopping: events in flight are finished, no more are fetched")
			}
			return nil
		}},
		{Name: "kafka", Ready: func() error {
			switch s := a.consumer.Status(); {
			case s.Refused != "":
				return fmt.Errorf("not let in since %s: %s", s.RefusedSince.Format(time.RFC3339), s.Refused)
			case !s.Joined && s.Error == "":
				return fmt.Errorf("not a member of the consumer group since %s", s.NotJoinedSince.Format(time.RFC3339))
			case !s.Joined:
				return fmt.Errorf("not a member of the consumer group since %s: %s", s.NotJoinedSince.Format(time.RFC3339), s.Error)
			case s.Stalled != "":
				return fmt.Errorf("stalled since %s: %s", s.StalledSince.Format(time.RFC3339), s.Stalled)
			}
			return nil
		}},
		{Name: "store", Ready: func() error {
			since, err := a.storeDown()
			if since.IsZero() {
				return nil
			}
			return fmt.Errorf("down since %s: %w", since.Format(time.RFC3339), err)
		}},
		// A worker that waits for a model is ready: its siblings wait too, and an
		// orchestrator that replaced them would mend nothing.
		{Name: "models", Ready: func() error { return nil }, Note: func() string { return heldNote(a.builder.Models()) }},
		// A worker goes on with what it has, so it is ready; the fault is for a person.
		{Name: "configuration", Ready: func() error { return nil }, Note: func() string {
			r := a.reloads.snapshot()
			if r.Error == "" {
				return ""
			}
			return fmt.Sprintf("the new one of %s is refused, the old one stays in use: %s", r.Last.Format(time.RFC3339), strings.ReplaceAll(r.Error, "\n", "; "))
		}},
	}
}

// heldNote says for which models events wait, since when, and what to mend; empty when for
// none. Numbers that change while they wait are on /statusz alone.
func heldNote(models []policy.ModelStatus) string {
	var held []string
	for _, m := range models {
		if m.Held == 0 {
			continue
		}
		why := m.Error
		if m.Reason == eval.ReasonTimeout {
			why = "no answer in time" // each call has waited for another time
		}
		held = append(held, fmt.Sprintf("%s is down since %s, and events wait for it, which holds intake once kafka.max_in_flight of them do: %s; mend %s",
			m.Name, m.FailingSince.Format(time.RFC3339), why, m.Mend))
	}
	return strings.Join(held, "; ")
}
