package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/datadog"
	"github.com/evalworker/evalworker/policy"
)

func newCheckCommand(g *globals) *cobra.Command {
	var quiet, asJSON, online bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find what is wrong with the configuration, and print what is in effect",
		Long: `Check the configuration together with the rubrics, schemas and conditions that it
names, without a broker, a model or a key.

Everything that is wrong is printed to standard error, one fault a line:
FILE:LINE:COLUMN: what is wrong; what was expected. The exit code is then 2.
When nothing is wrong, the configuration that is in effect is printed, with the
environment and all defaults; keys are shown as [REDACTED]. A warning on standard
error names what is allowed and probably a mistake, and what will keep a worker from
running on this machine, such as a key that is not set.

With --online the models are asked too, and the answers are printed in place of the
configuration: does the server have the model, and until when; in which form does it
answer; what would a verdict of each judge cost. Each model gives one small verdict,
which is paid for. The exit code is 1 when a model cannot judge.`,
		Example: `  evalworker check
  evalworker check --quiet --config deploy/evalworker.yaml
  evalworker check --json
  evalworker check --online`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if online && asJSON {
				return fault.List{{Path: "--online", Problem: "does not go with --json", Expected: "want one of the two"}}
			}
			cfg, err := g.loadComplete()
			if err == nil {
				err = checkMonitors(g, cfg)
			}
			if faults, bad := errors.AsType[fault.List](err); bad && asJSON {
				return printFaults(json.NewEncoder(g.stdout), faults)
			}
			if err == nil && !asJSON && !quiet {
				printWarnings(g, cfg)
			}
			switch {
			case err == nil && online:
				return checkOnline(cmd.Context(), g, cfg, quiet)
			case err != nil || quiet || asJSON:
				return err
			}
			return cfg.Print(g.stdout)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "when nothing is wrong, print nothing: no configuration, no warnings and no answers of models")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print faults to standard output, one JSON object a line, and nothing when there are none")
	cmd.Flags().BoolVar(&online, "online", false, "ask the models too; each gives a small verdict, which is paid for")
	return cmd
}

// checkOnline asks the models of the judges and prints what their servers say.
func checkOnline(ctx context.Context, g *globals, cfg *config.Config, quiet bool) error {
	out := g.stdout
	if quiet {
		out = io.Discard
	}
	checks, err := policy.CheckModels(ctx, &cfg.Policy, g.getenv)
	if err != nil {
		return err
	}
	if len(checks) == 0 {
		fmt.Fprintln(out, "There are no judges, so no model was asked.")
	}
	broken := 0
	for _, m := range checks {
		fmt.Fprintf(out, "models.%s: %s", m.Name, m.Model)
		if m.Server != "" {
			fmt.Fprintf(out, " at %s", m.Server)
		}
		fmt.Fprintln(out)
		if m.Fault != nil {
			broken++
			m.Fault.File = g.file()
			fmt.Fprintln(out, "  a judge cannot work with it")
			fmt.Fprintln(g.stderr, m.Fault)
			continue
		}
		fmt.Fprintf(out, "  %s\n", listed(m))
		fmt.Fprintf(out, "  answers as %s: %s, %s in, %s out\n", m.Format,
			cli.Plural(m.Usage.Calls, "call"), cli.Plural(int(m.Usage.InputTokens), "token"), cli.Plural(int(m.Usage.OutputTokens), "token"))
		for _, c := range m.Costs {
			cost := "costs an unknown amount: set models." + m.Name + ".price"
			if c.Known {
				cost = fmt.Sprintf("about %.6f USD", float64(c.NanoUSD)/1e9)
			}
			fmt.Fprintf(out, "  a verdict of %s: %s (%d tokens in, %d out)\n", c.Judge, cost, c.InputTokens, c.OutputTokens)
		}
		if until, ends := m.Expires(); ends {
			fmt.Fprintf(g.stderr, "warning: models.%s: %s is served until %s: name another model before\n", m.Name, m.Model, until.Format(time.DateOnly))
		}
	}
	if broken > 0 {
		return fmt.Errorf("%s cannot judge", cli.Plural(broken, "model"))
	}
	if len(checks) > 0 {
		fmt.Fprintf(out, "Costs are estimates for events with %d bytes of content, without the server's cache.\n", policy.EventBytes)
	}
	return nil
}

// listed says whether the server's list of models holds the model.
func listed(m policy.ModelCheck) string {
	switch l := m.Listing; {
	case l.Found && !l.Until.IsZero():
		return "the server has it until " + l.Until.Format(time.DateOnly)
	case l.Found:
		return "the server has it"
	case l.Known:
		return "not among the models that the server lists, but it answers"
	}
	return "the server does not list its models"
}

// printWarnings prints, on standard error, what the configuration allows but what will
// keep a worker from running here, or is probably a mistake.
func printWarnings(g *globals, cfg *config.Config) {
	if w := cfg.Kafka.Warning(); w != "" {
		fmt.Fprintf(g.stderr, "warning: kafka.sasl: %s\n", w)
	}
	unconditional := func(e policy.EvaluatorConfig) bool { return e.When == "" }
	if cfg.Datadog.RequestMetrics && !slices.ContainsFunc(cfg.Evaluators, unconditional) {
		fmt.Fprintln(g.stderr, "warning: datadog.request_metrics counts only requests for which an evaluator's when holds, and every evaluator has one: add an evaluator without when, such as {name: substance, type: substance}")
	}
	if d := cfg.Datadog; d.Enabled && d.LLMObservability.Enabled && d.LLMObservability.Agentless && g.getenv(datadog.EnvAPIKey) == "" {
		fmt.Fprintln(g.stderr, "warning: datadog.llm_observability.agentless has no key here: set "+datadog.EnvAPIKey)
	}
	for _, e := range cfg.Evaluators {
		if !e.Judge() {
			continue
		}
		if m := cfg.Models[e.JudgeConfig().Model]; m.APIKey == "" && m.KeyFile == "" && m.BaseURL == "" && g.getenv("OPENAI_API_KEY") == "" && g.getenv("OPENAI_BASE_URL") == "" {
			fmt.Fprintf(g.stderr, "warning: judge %s has no key here: set OPENAI_API_KEY, or models.%s.key_file\n", e.Name, e.JudgeConfig().Model)
		}
	}
}

// printFaults writes faults for other programs to read.
func printFaults(out *json.Encoder, faults fault.List) error {
	out.SetEscapeHTML(false)
	for _, f := range faults {
		if err := out.Encode(f); err != nil {
			return err
		}
	}
	return errPrinted
}
