package summary

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// promptEval is an evaluator on a prompt.
type promptEval struct{ prompt, eval string }

// events are those of a prompt on which an evaluator found nothing to evaluate.
type events struct {
	count    int64
	versions map[string]bool // of the prompt
}

// onlyNothing returns the evaluators that found nothing to evaluate in any event of a prompt:
// all their verdicts on it are not_applicable.
func (t Tables) onlyNothing() map[promptEval]events {
	out := map[promptEval]events{}
	something := map[promptEval]bool{}
	for _, v := range t.PromptVersions {
		for name, e := range v.Evals {
			in := promptEval{v.PromptName, name}
			if e.Pass+e.Fail+e.Error+e.CannotJudge > 0 {
				something[in] = true
			}
			seen := out[in]
			if seen.versions == nil {
				seen.versions = map[string]bool{}
			}
			seen.versions[v.PromptVersion] = true
			seen.count += e.NotApplicable
			out[in] = seen
		}
	}
	maps.DeleteFunc(out, func(in promptEval, _ events) bool { return something[in] })
	return out
}

// withSomething returns the versions without the evaluators that found nothing to evaluate
// in any event of the prompt: rows of dashes tell less than one line.
func (t Tables) withSomething() (out []Version) {
	nothing := t.onlyNothing()
	for _, v := range t.PromptVersions {
		v.Evals = maps.Clone(v.Evals)
		maps.DeleteFunc(v.Evals, func(name string, _ Eval) bool {
			_, is := nothing[promptEval{v.PromptName, name}]
			return is
		})
		if len(v.Evals) > 0 {
			out = append(out, v)
		}
	}
	return out
}

// nothing names the evaluators that found nothing to evaluate, in a line a prompt.
func (t Tables) nothing(b *strings.Builder) {
	evaluators := map[string][]string{} // by prompt
	least, most := map[string]int64{}, map[string]int64{}
	for in, seen := range t.onlyNothing() {
		if evaluators[in.prompt] == nil {
			least[in.prompt] = seen.count
		}
		evaluators[in.prompt] = append(evaluators[in.prompt], in.eval)
		least[in.prompt], most[in.prompt] = min(least[in.prompt], seen.count), max(most[in.prompt], seen.count)
	}
	prompts := slices.Sorted(maps.Keys(evaluators))
	for _, prompt := range prompts[:min(len(prompts), maxNothing)] {
		count := shortCount(most[prompt])
		if least[prompt] < most[prompt] { // they were sampled at different rates
			count = shortCount(least[prompt]) + " to " + count
		}
		slices.Sort(evaluators[prompt])
		events := "events"
		if most[prompt] == 1 {
			events = "event"
		}
		paragraph(b, fmt.Sprintf("%snothing to evaluate for %s in %s %s (n/a)", prefix(prompt), strings.Join(evaluators[prompt], ", "), count, events), "    ")
	}
	if more := len(prompts) - maxNothing; more > 0 {
		fmt.Fprintf(b, "and %d more prompts with nothing to evaluate for some evaluators\n", more)
	}
}

// maxNothing bounds the prompts that are named for it.
const maxNothing = 10
