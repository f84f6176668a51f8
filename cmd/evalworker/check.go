package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/fault"
)

func newCheckCommand(g *globals) *cobra.Command {
	var quiet, asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with the configuration, or print what is in effect",
		Long: `Check the configuration together with the rubrics, schemas and conditions that it
names, without a broker, a model or a key.

Everything that is wrong is printed to standard error, one fault a line:
FILE:LINE:COLUMN: what is wrong; what was expected. The exit code is then 2.
When nothing is wrong, the configuration that is in effect is printed, with the
environment and all defaults; keys are shown as [REDACTED]. What is no fault, but
will keep a worker from running here or is hardly meant, is a warning on standard
error.`,
		Example: `  evalworker check
  evalworker check --quiet --config deploy/evalworker.yaml
  evalworker check --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := g.loadComplete()
			if faults, bad := errors.AsType[fault.List](err); bad && asJSON {
				return printFaults(json.NewEncoder(g.stdout), faults)
			}
			if err == nil && !asJSON && !quiet {
				printWarnings(g, cfg)
			}
			if err != nil || quiet || asJSON {
				return err
			}
			return cfg.Print(g.stdout)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing when nothing is wrong, warnings neither")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print faults to standard output, one JSON object a line, and nothing when there are none")
	return cmd
}

// printWarnings prints, on standard error, what the configuration allows but what will
// keep a worker from running here, or is probably a mistake.
func printWarnings(g *globals, cfg *config.Config) {
	if w := cfg.Kafka.Warning(); w != "" {
		fmt.Fprintf(g.stderr, "warning: kafka.sasl: %s\n", w)
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
