package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter/mskiam"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/kafka/deadletter"
)

func newDLQCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, and publish them again once their cause is mended",
		Long: `Look at dead letters, and publish them again once their cause is mended. A message
that can never be processed is put aside in a topic of its own, by default the
topic's name with .dead appended, with the reason in its headers.

An evaluation that failed is no dead letter: it is a verdict with the outcome error.`,
		Example: `  evalworker dlq list --since 24h
  evalworker dlq show 0:12
  evalworker dlq redrive --reason panic --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, sub := range []*cobra.Command{newDLQListCommand(g), newDLQShowCommand(g), newDLQRedriveCommand(g)} {
		work := sub.RunE
		sub.RunE = func(cmd *cobra.Command, args []string) error { return explainUnreached(g, work(cmd, args)) }
		cmd.AddCommand(sub)
	}
	return cmd
}

// explainUnreached adds to the error of an unreached broker that there is no
// configuration, if that is so.
func explainUnreached(g *globals, err error) error {
	_, unreached := errors.AsType[net.Error](err)
	if !unreached || g.file() != "" {
		return err
	}
	cfg, fault := g.load()
	if fault != nil || !slices.Equal(cfg.Kafka.Brokers, config.Default().Kafka.Brokers) {
		return err
	}
	return fmt.Errorf("%w; there is no %s here, so the default broker was asked: name a configuration with --config, or set KAFKA_BROKERS", err, config.FileName)
}

// openQueue opens the dead letters of the configuration.
func openQueue(g *globals) (*deadletter.Queue, *config.Config, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, nil, err
	}
	kafka := cfg.Kafka
	kafka.SASL.Sign = mskiam.New().Sign // looks for an AWS identity only when Kafka needs one
	q, err := deadletter.Open(kafka)
	return q, cfg, err
}

// letterFlags are the flags that choose dead letters.
type letterFlags struct {
	reason         eval.Reason
	evaluator, key string
	period         period
	limit          limit
}

func (f *letterFlags) add(cmd *cobra.Command, g *globals) {
	cli.Choice(cmd, &f.reason, "reason", "", eval.PermanentReasons(), "only letters that died of this")
	cmd.Flags().StringVar(&f.evaluator, "evaluator", "", "only letters on which this evaluator would have been run, by their headers; letters without an envelope in the headers are left out")
	cmd.Flags().StringVar(&f.key, "key", "", "only letters with this key: a trace id, or a request id where there is none; its beginning and an ellipsis (… or ...), as list prints it, will do")
	f.period.add(cmd, "died", "died")
	cmd.Flags().Var(&f.limit, "limit", "at most so many letters (default: all)")
	cli.CompleteFlag(cmd, "evaluator", completeEvaluators(g))
}

// filter reads the flags and the ids. The error is of type fault.List.
func (f *letterFlags) filter(ids []string, now time.Time) (deadletter.Filter, error) {
	out := deadletter.Filter{Reason: f.reason, Key: f.key, Limit: f.limit.most}
	var faults fault.List
	if prefix, ok := cutEllipsis(f.key); ok {
		out.Prefix = prefix
		if prefix == "" {
			faults.Add("--key", fmt.Sprintf("%q is the beginning of every key", f.key), "want a key, or some of its first characters and an ellipsis")
		}
	}
	for _, s := range ids {
		id, err := deadletter.ParseID(s)
		if err != nil {
			faults.Add("", err.Error(), wantLetter)
			continue
		}
		out.IDs = append(out.IDs, id)
	}
	out.Since, out.Until = f.period.parse(&faults, now)
	f.limit.check(&faults)
	return out, faults.Err()
}

// cutEllipsis returns the key without the ellipsis at its end, and reports whether it
// had one.
func cutEllipsis(key string) (prefix string, ok bool) {
	for _, ellipsis := range []string{"…", "..."} {
		if prefix, ok = strings.CutSuffix(key, ellipsis); ok {
			return prefix, true
		}
	}
	return "", false
}

// matchEvaluator makes a filter choose the letters on which --evaluator would have been
// run, according to the configuration. The error is of type fault.List.
func (f *letterFlags) matchEvaluator(filter *deadletter.Filter, cfg *config.Config) error {
	if f.evaluator == "" {
		return nil
	}
	var names []string
	for _, e := range cfg.Evaluators {
		names = append(names, e.Name)
	}
	if !slices.Contains(names, f.evaluator) {
		return fault.List{{
			Path: "--evaluator", Problem: fmt.Sprintf("unknown evaluator %q", f.evaluator),
			Expected: fault.Suggest(f.evaluator, names, "the configuration has none; name one with --config"),
		}}
	}
	s, err := cfg.Sampler()
	if err != nil {
		return err
	}
	filter.Match = func(l *deadletter.Letter) bool {
		env, ok := event.EnvelopeFromHeaders(l.Headers) // the value may be none that can be read
		if !ok || env.Kind != event.KindRequestCompleted {
			return false
		}
		plan := s.Decide(&env)
		return slices.ContainsFunc(plan.Picks, func(p eval.Pick) bool { return p.Name == f.evaluator })
	}
	return nil
}

const wantLetter = "want PARTITION:OFFSET, as evalworker dlq list prints it"

// printEmpty prints the error of a topic without letters, which is not a failure.
func printEmpty(g *globals, err error) error {
	_, err = fmt.Fprintln(g.stderr, err)
	return err
}

// letterProgress returns a bar, and a function that sets its position and its total,
// which is not known at first.
func letterProgress(g *globals, what string) (bar cli.Progress, step func(done, total int64)) {
	bar = cli.NewProgress(g.stderr, 1, what, false)
	var known int64
	return bar, func(done, total int64) {
		if total != known {
			bar.SetTotal(total)
			known = total
		}
		bar.Set(done)
	}
}
