package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo"
)

func newDemoCommand(g *globals) *cobra.Command {
	cfg := demo.DefaultConfig()
	var asJSON, keep, verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole loop in one process, on embedded parts",
		Long: `Run the whole loop in one process: an embedded broker, simulated traffic of a
support agent with three prompt versions, a worker, and a store. It needs no
Docker, no key and no agent. It prints what it found by prompt version, which
version got worse, and where the cases lie that it kept as a dataset.

Without OPENAI_API_KEY or OPENAI_BASE_URL a script answers in place of a model,
out of the scenario's own knowledge. It exits with 1 when the accounting does not
add up, the dataset cannot be read, or the scenario disagrees with the finding.
That a broken version is found is expected of 1000 events and more.`,
		Example: `  evalworker demo
  evalworker demo --scenario healthy --seed 3
  evalworker demo --events 500 --keep --kafka-port 9092`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), g, cfg, asJSON, keep, verbose)
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Events, "events", cfg.Events, "events to publish")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "the same seed gives the same events and the same counts")
	f.DurationVar(&cfg.Duration, "duration", 0, "spread the events over this time (default: as fast as it goes)")
	cli.Choice(cmd, &cfg.Scenario, "scenario", "", demo.Scenarios(), "scenario to play")
	f.StringVar(&cfg.Dir, "dir", "", "folder for configuration, store and dataset, empty or not there yet (default: a new temporary one)")
	f.IntVar(&cfg.Port, "kafka-port", 0, "port of the embedded broker on 127.0.0.1 (default: a free one)")
	f.IntVar(&cfg.HealthPort, "health-port", 0, "port of the worker's health server on 127.0.0.1 (default: a free one)")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	f.BoolVar(&keep, "keep", false, "stay up afterwards, and print what to try from another terminal")
	f.BoolVarP(&verbose, "verbose", "v", false, "show the worker's log")
	cli.CompleteFolders(cmd, "dir")
	return cmd
}

// errDemo ends a demo with problems, which have been printed.
var errDemo = errors.New("the demo did not do what it promises")

func runDemo(ctx context.Context, g *globals, cfg demo.Config, asJSON, keep, verbose bool) (err error) {
	log := slog.New(slog.DiscardHandler)
	if verbose {
		log = slog.New(slog.NewTextHandler(g.stderr, nil))
	}
	if err := flagFaults(cfg.Validate()).Err(); err != nil {
		return err
	}
	bar := cli.NewProgress(g.stderr, int64(cfg.Events), "events", false)
	d, err := demo.Start(ctx, cfg, demo.Deps{Log: log, Version: cli.ReadBuild().Version, Getenv: g.getenv, Progress: func(done int) { bar.Set(int64(done)) }})
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "listen" {
		const mend = "%w; set %s to another port, or leave it out for a free one"
		addr, _ := op.Addr.(*net.TCPAddr)
		switch addr.AddrPort().Port() {
		case 0: // any that is free
		case uint16(cfg.Port):
			return fmt.Errorf(mend, err, "--kafka-port")
		case uint16(cfg.HealthPort):
			return fmt.Errorf("start health server: "+mend, op, "--health-port")
		}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if d.Addresses().Judge == "" {
		fmt.Fprintln(g.stderr, "OPENAI_API_KEY or OPENAI_BASE_URL is set: a model judges, which may cost money. Unset both for a scripted judge.")
	}
	r, err := d.Play(ctx)
	bar.Finish()
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(g.stdout).Encode(r)
	} else {
		r.Color = cli.Color(g.stdout, g.getenv)
		err = printDemo(g.stdout, r, d.Addresses().Config)
	}
	if err != nil {
		return err
	}
	if keep {
		// With --json, standard output holds the object alone.
		out := g.stdout
		if asJSON {
			out = g.stderr
		}
		if _, err := io.WriteString(out, invitation(d.Addresses())); err != nil {
			return err
		}
		if err := d.Stay(ctx); err != nil {
			return err
		}
	}
	if len(r.Problems) > 0 {
		return errDemo
	}
	return nil
}

// printDemo prints what happened, what was found and what to do next.
func printDemo(w io.Writer, r *demo.Result, config string) error {
	judged := "judge: " + r.Judge
	if r.Judge == "scripted" {
		judged = "scripted judge, no model"
	}
	var b strings.Builder
	e := r.Events
	fmt.Fprintf(&b, "A support agent answered %s (scenario %s, seed %d). A worker read them from Kafka,\nchecked the answers and had a sample of them judged, in %s; %s.\n\n",
		cli.Plural(int(e.Consumed), "request"), r.Scenario, r.Seed, r.Took.Round(100*time.Millisecond), judged)
	if err := r.Print(&b); err != nil {
		return err
	}
	if r.Scenario == demo.DefaultConfig().Scenario && e.Consumed < demo.MinEvents && len(r.Regressions) == 0 {
		fmt.Fprintf(&b, "\none prompt version is broken in this scenario: %d requests are too few to see it, --events %d or more show it\n", e.Consumed, demo.MinEvents)
	}
	fmt.Fprintf(&b, "\ndataset: %s with %s, kept as %s (one a question), in %s\n",
		cli.Plural(r.Dataset.Occurrences, "failure"), cli.Plural(r.Dataset.Causes, "cause"), cli.Plural(r.Dataset.Cases, "case"), r.Dataset.Path)
	sign := "="
	if !e.Settled() {
		sign = "is not"
	}
	fmt.Fprintf(&b, "accounting: %d consumed %s %d unwanted + %d sampled out + %d evaluated + %d dead-lettered\n", e.Consumed, sign, e.Unwanted, e.SampledOut, e.Evaluated, e.DeadLettered)
	for _, l := range r.DeadLetters {
		fmt.Fprintf(&b, "dead letters: %d from an old client (%s)\n", l.Count, l.Error)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "PROBLEM: %s\n", p)
	}
	fmt.Fprintf(&b, "next: %s datasets list --config %s\n", shellCommand("evalworker"), cli.Quote(config))
	_, err := io.WriteString(w, b.String())
	return err
}

// invitation explains how to reach a demo that stays up.
func invitation(a demo.Addresses) string {
	tool := shellCommand("evalworker")
	where := ""
	if strings.HasPrefix(tool, "go run ./") {
		if dir, err := os.Getwd(); err == nil {
			where = " in " + dir
		}
	}
	return fmt.Sprintf(`
The demo stays up: Kafka on %s, health on http://%s, files in %s.
Try from another terminal%s:

  %s simulate --brokers %s --events 500 --rate 100
  curl -s http://%s/statusz
  %s dlq list --config %s
  %s datasets list --config %s

Ctrl-C ends it.
`, a.Broker, a.Health, a.Dir, where, shellCommand("emitter"), a.Broker, a.Health, tool, cli.Quote(a.Config), tool, cli.Quote(a.Config))
}
