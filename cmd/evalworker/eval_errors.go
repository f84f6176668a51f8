package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/summary"
	"github.com/evalworker/evalworker/judges/model"
)

// errorFlags are the options about evaluations that fail.
type errorFlags struct {
	most     percent
	patience time.Duration
}

func (f *errorFlags) add(cmd *cobra.Command) {
	f.most = summary.DefaultMaxErrors
	cmd.Flags().Var(&f.most, "max-errors", "exit 1 when more of an evaluator's verdicts are errors")
	cmd.Flags().DurationVar(&f.patience, "patience", time.Minute, "give a model up when no call has succeeded for so long; 0: never wait")
}

// maxPatience is the longest --patience.
const maxPatience = 24 * time.Hour

func (f *errorFlags) check(faults *fault.List) {
	if f.patience < 0 || f.patience > maxPatience {
		faults.Add("--patience", fmt.Sprintf("%v is out of range", f.patience), "want a duration from 0 to 24h")
	}
}

// outages are the models that were given up. It is safe for concurrent use.
type outages struct {
	mu    sync.Mutex
	texts []string // guarded by mu
}

func (o *outages) add(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.texts = append(o.texts, text)
}

func (o *outages) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.texts)
}

// liftTimeouts leaves the time of a judge's evaluation to the patience and to the timeout
// of each call: waiting for a model would use up the evaluation's own.
func liftTimeouts(cfg *config.Config, patience time.Duration) {
	if patience == 0 {
		return
	}
	for i := range cfg.Evaluators {
		if e := &cfg.Evaluators[i]; e.Judge() && e.Timeout > 0 {
			e.Timeout += maxPatience
		}
	}
}

// modelPatience returns how the run waits for its models.
func (f *errorFlags) modelPatience(p *evalProgress, o *outages) *model.Patience {
	return &model.Patience{Wait: f.patience, Waiting: p.wait, Answering: p.resume, GaveUp: func(g model.GaveUp) {
		why := "calls are turned away"
		if g.For > 0 {
			why = "no call has succeeded for " + g.For.Round(100*time.Millisecond).String()
		}
		text := fmt.Sprintf("gave up on model %s at %s: %s; the last error: %v", g.Model, g.URL, why, g.Err)
		o.add(text)
		p.giveUp(g.Model, text)
	}}
}

// problems says which evaluators failed too often, why, and what to mend.
func (f *errorFlags) problems(tables summary.Tables, cfg *config.Config) []string {
	var lines []string
	for _, e := range tables.Failing() {
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
	return lines
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

// mendOf returns what to do about a reason of a judge's errors; empty for a validator, and
// for reasons that only messages have.
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
		return "the server cannot be reached or is down: check that it runs and " + key + ".base_url, or wait longer with --patience"
	case eval.ReasonRateLimited:
		return "the server limits calls: lower " + key + ".requests_per_minute, or wait longer with --patience"
	case eval.ReasonTimeout:
		return "answers take too long: raise " + key + ".timeout, or lower " + key + ".concurrency"
	case eval.ReasonTruncated:
		return "answers are cut off: raise " + key + ".max_tokens"
	case eval.ReasonUnparsable:
		return "the model does not keep to the answer format: name another model in " + key + ", or set its format"
	case eval.ReasonLocal:
		return "this machine could not make the calls, or was paused meanwhile: raise its limit of open files (ulimit -n), or lower " + key + ".concurrency"
	case eval.ReasonRefused, eval.ReasonContentFilter:
		return "the model or its provider does not judge such content: name another model in " + key
	case eval.ReasonRedaction:
		return "content that cannot be redacted is not shown to a model: look at these requests by their ids"
	case eval.ReasonCanceled:
		return "the run was stopped before their answers came: run it again"
	case eval.ReasonInternal, eval.ReasonPanic:
		return "a fault of this program: report it with the errors above"
	}
	return ""
}

// percent is a share that is written in percent, such as 1 or 0.5%.
type percent float64

// Set parses the value.
func (p *percent) Set(s string) error {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return cli.Want("a percentage from 0 to 100, such as 1%")
	}
	*p = percent(n / 100)
	return nil
}

// String returns the value, such as 1%.
func (p *percent) String() string { return strconv.FormatFloat(100*float64(*p), 'g', 4, 64) + "%" }

// Type names the value in the help.
func (*percent) Type() string { return "percent" }
