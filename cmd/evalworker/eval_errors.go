package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/judges/model"
)

// errorFlags are the options about evaluations that fail.
type errorFlags struct {
	most percent
	wait time.Duration
}

func (f *errorFlags) add(cmd *cobra.Command) {
	f.most = summary.DefaultMaxErrors
	cmd.Flags().Var(&f.most, "max-errors", "exit 1 when more of an evaluator's verdicts are errors")
	cmd.Flags().DurationVar(&f.wait, "wait", 2*time.Minute, "wait so long for a model that is down or limits calls; 0: do not wait")
}

func (f *errorFlags) check(faults *fault.List) {
	if f.wait < 0 || f.wait > 24*time.Hour {
		faults.Add("--wait", fmt.Sprintf("%v is out of range", f.wait), "want a duration from 0 to 24h")
	}
}

// patience returns how the batch waits for its models. The time that a judge has for
// one evaluation grows by the wait, or it would end the wait.
func (f *errorFlags) patience(cfg *config.Config, stderr io.Writer, bar cli.Progress) *model.Patience {
	for i := range cfg.Evaluators {
		if e := &cfg.Evaluators[i]; e.Judge() && e.Timeout > 0 {
			e.Timeout += f.wait
		}
	}
	return &model.Patience{Wait: f.wait, Waiting: func(w model.Waiting) {
		bar.Clear()
		fmt.Fprintf(stderr, "waiting for model %s (%s) since %s; gives up after %s\n", w.Model, w.Reason, w.For.Round(time.Second), w.Limit)
	}}
}

// tables returns the summary's tables with the bound of the flags.
func (f *errorFlags) tables(sum *summary.Summary) summary.Tables {
	t := sum.Tables()
	t.MaxErrors = float64(f.most)
	return t
}

// judge returns an error that says which evaluators failed too often, why, and what to
// mend; nil when none did.
func (f *errorFlags) judge(sum *summary.Summary, cfg *config.Config) error {
	var lines []string
	for _, e := range f.tables(sum).Failing() {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(e.Reasons)) {
			parts = append(parts, fmt.Sprintf("%d %s", e.Reasons[reason], reason))
		}
		line := fmt.Sprintf("%s: %d of %d verdicts are errors (%s), more than %s", e.Eval, e.Errors, e.Verdicts, strings.Join(parts, ", "), f.most.String())
		if mend := mendOf(commonest(e.Reasons), modelOf(cfg, e.Eval)); mend != "" {
			line += "; " + mend
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\nevalworker: "))
}

// commonest returns the reason that most errors have. A breaker is open because of
// another reason.
func commonest(reasons map[string]int64) eval.Reason {
	best, most := eval.ReasonBreakerOpen, int64(0)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if n := reasons[reason]; n > most && reason != string(eval.ReasonBreakerOpen) {
			best, most = eval.Reason(reason), n
		}
	}
	return best
}

// modelOf returns the key of the model that a judge asks; empty for a validator.
func modelOf(cfg *config.Config, evaluator string) string {
	for _, e := range cfg.Evaluators {
		if e.Name == evaluator && e.Judge() {
			return "models." + e.JudgeConfig().Model
		}
	}
	return ""
}

// mendOf returns what to do about a reason of a judge's errors.
func mendOf(reason eval.Reason, key string) string {
	if key == "" {
		return ""
	}
	switch reason {
	case eval.ReasonAuth:
		return "the server refused the key: check " + key + ".api_key, " + key + ".key_file or OPENAI_API_KEY"
	case eval.ReasonQuota:
		return "the account's quota is used up: add credit, or name another model in " + key
	case eval.ReasonBadRequest:
		return "the server refused the request, for example because it has no such model: check " + key + ".model and " + key + ".base_url"
	case eval.ReasonUnavailable, eval.ReasonBreakerOpen:
		return "the server cannot be reached or is down: check that it runs and " + key + ".base_url, or wait longer with --wait"
	case eval.ReasonRateLimited:
		return "the server limits calls: lower " + key + ".requests_per_minute, or wait longer with --wait"
	case eval.ReasonTimeout:
		return "answers take too long: raise " + key + ".timeout, or lower " + key + ".concurrency"
	case eval.ReasonTruncated:
		return "answers are cut off: raise " + key + ".max_tokens"
	case eval.ReasonUnparsable:
		return "the model does not keep to the answer format: name another model in " + key + ", or set its format"
	}
	return ""
}

// placed puts the configuration file before faults of the configuration that were
// found when its parts were built, such as a key that is missing.
func placed(err error, file string) error {
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		return err
	}
	for i := range faults {
		if faults[i].File == "" && file != "" {
			faults[i].File = file
		}
	}
	return faults
}

// percent is a share that is written in percent, such as 1 or 0.5%.
type percent float64

// Set parses the value.
func (p *percent) Set(s string) error {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return errors.New("want a percentage from 0 to 100, such as 1%")
	}
	*p = percent(n / 100)
	return nil
}

// String returns the value, such as 1%.
func (p *percent) String() string { return strconv.FormatFloat(100*float64(*p), 'g', 4, 64) + "%" }

// Type names the value in the help.
func (*percent) Type() string { return "percent" }
