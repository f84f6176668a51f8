package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/scenario"
)

// simulateCommand is one run of the command simulate.
type simulateCommand struct {
	target target

	scenario string
	seed     uint64
	rate     float64
	events   int
	duration time.Duration
	start    string
	feedback bool
	stdout   bool
	schemas  string
}

func newSimulate() *cobra.Command {
	s := &simulateCommand{scenario: "regressed"}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Publish the events of a simulated support agent",
		Long: `simulate plays a scenario: customers ask a support agent, whose prompt exists in
several versions. In "regressed", one of them breaks the reply format and answers
worse; in "healthy", all are alike.

The same scenario, seed, rate and start give the same events. Events carry the time
at which they would have happened, from --start on: now, or with --stdout the
morning of 1 June 2026. Times between events are drawn; --rate is their mean.`,
		Example: `  emitter simulate --stdout --events 3
  emitter simulate --scenario regressed --rate 100 --duration 1m
  emitter simulate --stdout --events 1000 --schemas schemas > events.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.target.flags(cmd)
	f := cmd.Flags()
	cli.Choice(cmd, &s.scenario, "scenario", "s", scenario.Names(), "scenario to play")
	f.Uint64Var(&s.seed, "seed", 1, "seed of everything that is drawn")
	f.Float64VarP(&s.rate, "rate", "r", 50, "events a second; 0 publishes as fast as it goes, and so does --stdout unless --rate is given")
	f.IntVarP(&s.events, "events", "n", 2000, "events to publish; 0 goes on until interrupted, and so does --duration until its end")
	f.DurationVarP(&s.duration, "duration", "d", 0, "simulated time to play")
	f.StringVar(&s.start, "start", "", "`TIME` of the first event, such as 2026-06-01T09:00:00Z (default: now; with --stdout the time above)")
	f.BoolVar(&s.feedback, "feedback", false, "add events with the users' feedback on some of the requests")
	f.BoolVar(&s.stdout, "stdout", false, "print the events, one a line, instead of publishing them")
	f.StringVar(&s.schemas, "schemas", "", "write the JSON Schemas of the outputs into this `FOLDER`")
	cli.CompleteFolders(cmd, "schemas")
	return cmd
}

func (s *simulateCommand) run(cmd *cobra.Command) error {
	world, err := scenario.Load(s.scenario)
	if err != nil {
		return err
	}
	switch {
	case s.rate < 0 || s.rate > 1e6:
		return fmt.Errorf("--rate %g: want events a second between 0 and 1000000", s.rate)
	case s.events < 0:
		return fmt.Errorf("--events %d: want a number above zero, or 0 for no limit", s.events)
	case s.duration < 0:
		return fmt.Errorf("--duration %v: want a duration above zero", s.duration)
	}
	if s.duration > 0 && !cmd.Flags().Changed("events") {
		s.events = 0
	}
	paced := s.rate > 0 && (!s.stdout || cmd.Flags().Changed("rate"))
	opts := scenario.Options{Feedback: s.feedback}
	if s.rate > 0 {
		opts.Interval = time.Duration(float64(time.Second) / s.rate)
	}
	if opts.Start, err = s.startTime(); err != nil {
		return err
	}
	if err := s.writeSchemas(world); err != nil {
		return &failure{err}
	}
	if s.stdout {
		return s.print(cmd, world, opts, paced)
	}
	return s.publish(cmd, world, opts, paced)
}

// startTime returns the time of the first event.
func (s *simulateCommand) startTime() (time.Time, error) {
	switch {
	case s.start != "":
		t, err := time.Parse(time.RFC3339, s.start)
		if err != nil {
			return time.Time{}, fmt.Errorf("--start %q: want a time in RFC 3339, for example 2026-06-01T09:00:00Z", s.start)
		}
		return t, nil
	case s.stdout:
		return time.Date(2026, time.June, 1, 9, 0, 0, 0, time.UTC), nil
	}
	return time.Now().UTC().Truncate(time.Millisecond), nil
}

func (s *simulateCommand) writeSchemas(world *scenario.Scenario) error {
	if s.schemas == "" {
		return nil
	}
	if err := os.MkdirAll(s.schemas, 0o755); err != nil {
		return fmt.Errorf("write schemas: %w", err)
	}
	for name, schema := range world.Schemas() {
		if err := os.WriteFile(filepath.Join(s.schemas, name+".json"), schema, 0o644); err != nil {
			return fmt.Errorf("write schemas: %w", err)
		}
	}
	return nil
}

// play calls each with the scenario's events, at their times if paced. It returns the
// error of each or of ctx.
func (s *simulateCommand) play(ctx context.Context, world *scenario.Scenario, opts scenario.Options, paced bool, each func(event.Event) error) error {
	n, began := 0, time.Now()
	for e := range world.Events(s.seed, opts) {
		if s.events > 0 && n == s.events {
			break
		}
		at := e.OccurredAt.Sub(opts.Start)
		if s.duration > 0 && at > s.duration && e.Kind != event.KindUserFeedback {
			break
		}
		// Feedback comes minutes after its request, when the run may be over.
		if paced && e.Kind != event.KindUserFeedback && !backoff.Wait(ctx, time.Until(began.Add(at))) || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := each(e); err != nil {
			return err
		}
		n++
	}
	return nil
}

// print writes the events to standard output.
func (s *simulateCommand) print(cmd *cobra.Command, world *scenario.Scenario, opts scenario.Options, paced bool) error {
	out := bufio.NewWriter(cmd.OutOrStdout())
	enc := json.NewEncoder(out)
	err := s.play(cmd.Context(), world, opts, paced, func(e event.Event) error {
		if err := enc.Encode(&e); err != nil {
			return fmt.Errorf("print events: %w", err)
		}
		if paced {
			return out.Flush()
		}
		return nil
	})
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("print events: %w", flushErr)
	}
	return s.result(cmd.Context(), err)
}

// publish writes the events to Kafka.
func (s *simulateCommand) publish(cmd *cobra.Command, world *scenario.Scenario, opts scenario.Options, paced bool) error {
	em, err := s.target.open(cmd)
	if err != nil {
		return err
	}
	total := int64(-1)
	if s.events > 0 {
		total = int64(s.events)
	}
	bar := cli.NewProgress(cmd.ErrOrStderr(), total, s.scenario, false)
	err = s.play(cmd.Context(), world, opts, paced, func(e event.Event) error {
		defer bar.Add(1)
		return s.emit(cmd.Context(), em, e)
	})
	bar.Clear()
	unsent := s.target.finish(cmd.Context(), em, cmd.ErrOrStderr())
	if _, printErr := fmt.Fprintf(cmd.OutOrStdout(), "sent %s of scenario %s to %s\n", cli.Plural(int(em.Stats().Sent), "event"), s.scenario, s.target.topic); printErr != nil {
		return &failure{printErr}
	}
	if errors.Is(err, errNoProgress) {
		return s.target.givenUp(fmt.Sprintf("with %s sent", cli.Plural(int(em.Stats().Sent), "event")))
	}
	err = s.result(cmd.Context(), err)
	if err == nil && unsent > 0 {
		err = &failure{fmt.Errorf("%s could not be sent", cli.Plural(unsent, "event"))}
	}
	return err
}

func (s *simulateCommand) emit(ctx context.Context, em *emitter.Emitter, e event.Event) error {
	if err := s.target.submit(ctx, func(ctx context.Context) error { return em.Emit(ctx, e) }); err != nil {
		return fmt.Errorf("publish event %s: %w", e.RequestID, err)
	}
	return nil
}

// result returns the error that decides the exit code. An interrupt is the normal end
// of a run without a limit; with a limit, events are missing.
func (s *simulateCommand) result(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case interrupted(ctx, err):
		if s.events == 0 && s.duration == 0 {
			return nil
		}
		return &failure{errors.New("interrupted")}
	}
	return &failure{err}
}
