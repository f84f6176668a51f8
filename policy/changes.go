package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/judges/model"
)

// Bounds of the description of a change.
const (
	maxChanges   = 20  // lines; the rest is counted
	maxChange    = 400 // bytes of a line
	maxCondition = 100 // bytes of a condition
)

// Changes says in words what differs between an earlier policy and p, old and new: a line
// for each evaluator, rule, model, schema and rubric, for each key of sampling, and for the
// scale of feedback. It is empty when both decide and judge alike. Of texts that may be
// private, such as the words that an evaluator looks for, keys and addresses, it says that
// they changed and not what they are. It has at most 21 lines of at most 400 bytes.
func (p *Policy) Changes(before *Policy) []string {
	var d difference
	if p.Config != nil && before.Config != nil {
		d.sampling(before, p)
		d.evaluators(before.Effective(), p.Effective(), before.Config, p.Config)
		d.rules(before.Effective().Rules, p.Effective().Rules)
		d.changed("feedback", keys(before.Config.Feedback, p.Config.Feedback))
		d.changed("judges", keys(before.Config.Judges, p.Config.Judges))
		d.models(before.Config.Models, p.Config.Models)
		d.named("schema", before.schemas, p.schemas)
		d.named("rubric", digests(before), digests(p))
	}
	if len(d) > maxChanges {
		d = append(d[:maxChanges], fmt.Sprintf("and %d more", len(d)-maxChanges))
	}
	return d
}

// difference collects lines.
type difference []string

func (d *difference) add(text string) { *d = append(*d, clip(text, maxChange)) }

// changed adds a line about a thing with its changes; none without changes.
func (d *difference) changed(thing string, what []string) {
	if len(what) > 0 {
		d.add(thing + ": " + strings.Join(what, ", "))
	}
}

func (d *difference) sampling(before, after *Policy) {
	a, b := &before.Config.Sampling, &after.Config.Sampling
	if a.DefaultRate != b.DefaultRate {
		d.add("sampling.default_rate " + arrow(number(a.DefaultRate), number(b.DefaultRate)))
	}
	if a.Upstream != b.Upstream {
		d.add("sampling.upstream " + arrow(a.Upstream, b.Upstream))
	}
	if a.Salt != b.Salt {
		d.add("sampling.salt changed: another sample of the same size is drawn")
	}
}

func (d *difference) evaluators(before, after Effective, old, next *Config) {
	was := map[string]int{}
	for i, e := range before.Evaluators {
		was[e.Name] = i
	}
	for i, e := range after.Evaluators {
		j, ok := was[e.Name]
		if !ok {
			d.add(fmt.Sprintf("evaluator %s added: %s, rate %s%s", e.Name, e.Type, e.rate(), when(e.When)))
			continue
		}
		delete(was, e.Name)
		var what []string
		b := before.Evaluators[j]
		if b.Type != e.Type {
			what = append(what, "type "+arrow(b.Type, e.Type))
		}
		// A default rate that changed is a line of its own.
		if b.RateFrom != e.RateFrom || b.Rate != e.Rate && (e.RateFrom != "default" || b.Type != e.Type) {
			what = append(what, "rate "+arrow(b.rate(), e.rate()))
		}
		if b.When != e.When {
			what = append(what, "when "+arrow(condition(b.When), condition(e.When)))
		}
		what = append(what, keys(old.Evaluators[j], next.Evaluators[i], "type", "rate", "when")...)
		if b.Version != e.Version {
			what = append(what, "version "+arrow(b.Version, e.Version))
		}
		d.changed("evaluator "+e.Name, what)
	}
	if name := func(e EffectiveEvaluator) string { return e.Name }; reordered(before.Evaluators, after.Evaluators, name) {
		d.add("evaluators are in another order, which changes no decision")
	}
	for _, e := range before.Evaluators {
		if _, gone := was[e.Name]; gone {
			d.add(fmt.Sprintf("evaluator %s removed: %s, rate %s", e.Name, e.Type, e.rate()))
		}
	}
}

func (e EffectiveEvaluator) rate() string {
	if e.RateFrom == "default" {
		return number(e.Rate) + " (default)"
	}
	return number(e.Rate)
}

func (d *difference) rules(before, after []EffectiveRule) {
	was := map[string]EffectiveRule{}
	for _, r := range before {
		was[r.Name] = r
	}
	describe := func(r EffectiveRule) string {
		return fmt.Sprintf("rate %s%s, for %s", number(r.Rate), when(r.When), covered(r))
	}
	for _, r := range after {
		b, ok := was[r.Name]
		if !ok {
			d.add(fmt.Sprintf("rule %q added: %s", r.Name, describe(r)))
			continue
		}
		delete(was, r.Name)
		var what []string
		if b.Rate != r.Rate {
			what = append(what, "rate "+arrow(number(b.Rate), number(r.Rate)))
		}
		if b.When != r.When {
			what = append(what, "when "+arrow(condition(b.When), condition(r.When)))
		}
		if covered(b) != covered(r) {
			what = append(what, "evaluators "+arrow(covered(b), covered(r)))
		}
		d.changed(fmt.Sprintf("rule %q", r.Name), what)
	}
	if name := func(r EffectiveRule) string { return r.Name }; reordered(before, after, name) {
		d.add("rules are in another order: of equal rates, the first names the score")
	}
	for _, r := range before {
		if _, gone := was[r.Name]; gone {
			d.add(fmt.Sprintf("rule %q removed: %s", r.Name, describe(r)))
		}
	}
}

// reordered reports whether what is in both lists is in another order.
func reordered[T any](before, after []T, name func(T) string) bool {
	common := func(list, other []T) (names []string) {
		for _, v := range list {
			if slices.ContainsFunc(other, func(o T) bool { return name(o) == name(v) }) {
				names = append(names, name(v))
			}
		}
		return names
	}
	return !slices.Equal(common(before, after), common(after, before))
}

// covered names the evaluators of a rule.
func covered(r EffectiveRule) string {
	if len(r.Evaluators) == 0 {
		return "all evaluators"
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(r.Evaluators))), " and ")
}

func (d *difference) models(before, after map[string]model.Config) {
	for _, name := range union(before, after) {
		a, was := before[name]
		b, is := after[name]
		switch {
		case !was:
			d.add(fmt.Sprintf("model %s added: %s", name, b.Model))
		case !is:
			d.add(fmt.Sprintf("model %s removed: %s", name, a.Model))
		default:
			d.changed("model "+name, keys(a, b))
		}
	}
}

// named adds what differs between two sets of named texts, of which only digests are
// compared.
func (d *difference) named(kind string, before, after map[string]string) {
	for _, name := range union(before, after) {
		a, was := before[name]
		b, is := after[name]
		switch {
		case !was:
			d.add(kind + " " + name + " added")
		case !is:
			d.add(kind + " " + name + " removed")
		case a != b:
			d.add(kind + " " + name + " changed")
		}
	}
}

// digests returns the rubrics as texts that are equal when they judge alike.
func digests(p *Policy) map[string]string {
	out := map[string]string{}
	for name, r := range p.rubrics {
		text, err := json.Marshal(r)
		if err != nil {
			continue // never: a rubric has texts, numbers and lists only
		}
		out[name] = string(text)
	}
	return out
}

// union returns the keys of both, sorted.
func union[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// keys says which keys of two sections differ, except some.
func keys[T any](a, b T, except ...string) []string {
	var out []string
	for _, f := range strictyaml.Fields(reflect.TypeFor[T]()) {
		x, y := f.Of(a), f.Of(b)
		if slices.Contains(except, f.Key) || reflect.DeepEqual(x.Interface(), y.Interface()) {
			continue
		}
		if old, next := value(f.Key, x), value(f.Key, y); old != "" && next != "" {
			out = append(out, f.Key+" "+arrow(old, next))
		} else {
			out = append(out, f.Key+" changed")
		}
	}
	return out
}

// publicTexts are the keys whose texts name something and hold nothing private.
var publicTexts = []string{"model", "rubric", "schema", "api", "api_version", "format", "reasoning_effort", "when_down"}

// value returns a value of a key as people write it; empty when it is better not shown.
func value(key string, v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "unset"
		}
		v = v.Elem()
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return d.String()
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.Kind() == reflect.String && slices.Contains(publicTexts, key):
		return cmp.Or(v.String(), "unset")
	}
	return ""
}

func arrow(old, next string) string { return old + " -> " + next }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// when is a condition at the end of a description.
func when(text string) string {
	if text == "" {
		return ""
	}
	return " when " + condition(text)
}

// condition shows a condition on one line.
func condition(text string) string {
	return cmp.Or(clip(strings.Join(strings.Fields(text), " "), maxCondition), "always")
}

// clip shortens a text to so many bytes.
func clip(text string, most int) string {
	const mark = "…"
	if len(text) <= most {
		return text
	}
	cut := most - len(mark)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
