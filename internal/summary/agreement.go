package summary

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/stats"
)

// Bounds of an agreement.
const (
	maxClasses = 50  // different truths of one evaluator
	maxModels  = 50  // different models; what comes after counts under otherModels
	noVerdict  = "-" // class of an event on which the evaluator did not run
)

const otherModels = "(other models)"

// Truth is what a person says of one event: the right verdict of each evaluator as
// LABEL, OUTCOME or OUTCOME/LABEL, such as "refused", "fail" or "fail/refused".
type Truth map[string]string

// ParseTruth reads the value of a member: an object of evaluators, or a string that
// is the truth of the evaluator named by only. It returns nil for a null or an empty
// value, and ErrWhose for a string when only is empty.
func ParseTruth(value json.RawMessage, only string) (Truth, error) {
	var s *string
	if json.Unmarshal(value, &s) == nil {
		switch {
		case s == nil || strings.TrimSpace(*s) == "":
			return nil, nil
		case only == "":
			return nil, ErrWhose
		}
		return Truth{only: strings.TrimSpace(*s)}, nil
	}
	var all map[string]*string
	if json.Unmarshal(value, &all) != nil {
		return nil, ErrTruth
	}
	t := Truth{}
	for name, s := range all {
		if s != nil && strings.TrimSpace(*s) != "" {
			t[name] = strings.TrimSpace(*s)
		}
	}
	return t, nil
}

// Faults of a truth.
var (
	ErrWhose = errors.New("one label, and several evaluators run")
	ErrTruth = errors.New("neither a label nor an object of evaluators to labels")
)

// Agreement compares verdicts with the truth. It holds counts and the misses, no
// content. It is not safe for concurrent use.
type Agreement struct {
	evals     map[string]*agreement
	maxMisses int
}

// agreement is that of one evaluator.
type agreement struct {
	all    confusion
	models map[string]confusion
	misses []Miss
	missed int
}

// confusion counts events by their truth and the class of their verdict.
type confusion map[[2]string]int

// NewAgreement returns an empty agreement that keeps so many misses of each evaluator;
// all of them below zero.
func NewAgreement(maxMisses int) *Agreement {
	return &Agreement{evals: map[string]*agreement{}, maxMisses: maxMisses}
}

// Miss is an event whose verdict differs from the truth.
type Miss struct {
	Line      int    `json:"line"`
	RequestID string `json:"request_id"`
	Model     string `json:"model,omitempty"`
	Truth     string `json:"truth"`
	Verdict   string `json:"verdict"`
	Reason    string `json:"reason,omitempty"`
	Output    string `json:"output,omitempty"` // only when the caller asked for content
}

// Add adds the verdicts of one report on a line. output is the content that its
// misses show; empty for none.
func (a *Agreement) Add(line int, truth Truth, r *eval.Report, output string) error {
	for _, name := range slices.Sorted(maps.Keys(truth)) {
		var v *eval.Verdict
		for i := range r.Verdicts {
			if r.Verdicts[i].Eval == name {
				v = &r.Verdicts[i]
			}
		}
		m := Miss{Line: line, RequestID: string(r.Event.RequestID), Model: r.Event.Model, Truth: truth[name], Output: output}
		if err := a.add(name, m, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *Agreement) add(name string, m Miss, v *eval.Verdict) error {
	e := a.evals[name]
	if e == nil {
		if len(a.evals) >= maxClasses {
			return fmt.Errorf("truth of more than %d evaluators", maxClasses)
		}
		e = &agreement{all: confusion{}, models: map[string]confusion{}}
		a.evals[name] = e
	}
	m.Verdict = classOf(v, m.Truth)
	pair := [2]string{m.Truth, m.Verdict}
	e.all[pair]++
	if e.all[pair] == 1 && len(e.all.truths()) > maxClasses {
		return fmt.Errorf("%s: more than %d different labels", name, maxClasses)
	}
	if m.Model != "" {
		model := m.Model
		if e.models[model] == nil && len(e.models) >= maxModels {
			model = otherModels
		}
		if e.models[model] == nil {
			e.models[model] = confusion{}
		}
		e.models[model][pair]++
	}
	if m.Truth == m.Verdict {
		return nil
	}
	if v != nil {
		m.Reason = v.Reason
	}
	e.missed++
	if a.maxMisses < 0 || len(e.misses) < a.maxMisses {
		e.misses = append(e.misses, m)
	}
	return nil
}

// classOf returns the class of a verdict in the words of a truth: its outcome with
// its label, its outcome, or else its label. What was not decided has its outcome as
// class.
func classOf(v *eval.Verdict, truth string) string {
	if v == nil {
		return noVerdict
	}
	outcome := v.Outcome.String()
	switch {
	case truth == outcome || !v.Outcome.Decided() || v.Label == "":
		return outcome
	case strings.Contains(truth, "/"):
		return outcome + "/" + v.Label
	case slices.ContainsFunc(eval.Outcomes(), func(o eval.Outcome) bool { return o.String() == truth }):
		return outcome
	}
	return v.Label
}

func (c confusion) truths() []string { return c.side(0) }

// classes returns every class, of truths and verdicts: the truths first, each side in
// alphabetical order.
func (c confusion) classes() []string {
	out := c.truths()
	for _, v := range c.side(1) {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func (c confusion) side(i int) []string {
	set := map[string]bool{}
	for key := range c {
		set[key[i]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// Share is a share with its exact 95 % interval.
type Share struct {
	Of    int     `json:"of"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// share returns k of n; nil for none of none.
func share(k, n int) *Share {
	value, low, high, ok := stats.Share(k, n)
	if !ok {
		return nil
	}
	return &Share{Of: n, Value: value, Low: low, High: high}
}

// LabelMeasure is how well one label is found.
type LabelMeasure struct {
	Label     string   `json:"label"`
	True      int      `json:"true"`      // events with this truth
	Found     int      `json:"found"`     // events with this verdict
	Precision *Share   `json:"precision"` // of the found ones, the true ones
	Recall    *Share   `json:"recall"`    // of the true ones, the found ones
	F1        *float64 `json:"f1"`
}

// Measure is the agreement of one evaluator, on all events or on those of a model.
type Measure struct {
	Eval      string                    `json:"eval"`
	Model     string                    `json:"model,omitempty"`
	Events    int                       `json:"events"`
	Accuracy  *Share                    `json:"accuracy"`
	Kappa     *float64                  `json:"kappa"` // Cohen's; nil when there is but one class
	Labels    []LabelMeasure            `json:"labels"`
	Confusion map[string]map[string]int `json:"confusion"` // by truth and verdict
	Models    []Measure                 `json:"models,omitempty"`
	Missed    int                       `json:"missed"`
	Misses    []Miss                    `json:"misses,omitempty"`
}

// Measures returns the measures of every evaluator, by name.
func (a *Agreement) Measures() []Measure {
	out := []Measure{}
	for _, name := range slices.Sorted(maps.Keys(a.evals)) {
		e := a.evals[name]
		m := e.all.measure(name, "")
		m.Missed, m.Misses = e.missed, e.misses
		for _, model := range slices.Sorted(maps.Keys(e.models)) {
			m.Models = append(m.Models, e.models[model].measure(name, model))
		}
		slices.SortStableFunc(m.Models, func(a, b Measure) int { return cmp.Compare(b.Events, a.Events) })
		out = append(out, m)
	}
	return out
}

func (c confusion) measure(name, model string) Measure {
	m := Measure{Eval: name, Model: model, Confusion: map[string]map[string]int{}}
	rows, columns := map[string]int{}, map[string]int{}
	agreed := 0
	for key, n := range c {
		m.Events += n
		rows[key[0]] += n
		columns[key[1]] += n
		if key[0] == key[1] {
			agreed += n
		}
		if m.Confusion[key[0]] == nil {
			m.Confusion[key[0]] = map[string]int{}
		}
		m.Confusion[key[0]][key[1]] = n
	}
	m.Accuracy = share(agreed, m.Events)
	chance := 0.0
	all := float64(m.Events)
	for _, label := range c.classes() {
		chance += float64(rows[label]) / all * float64(columns[label]) / all
		l := LabelMeasure{Label: label, True: rows[label], Found: columns[label]}
		hits := c[[2]string{label, label}]
		l.Recall, l.Precision = share(hits, l.True), share(hits, l.Found)
		if both := l.True + l.Found; both > 0 {
			l.F1 = new(2 * float64(hits) / float64(both))
		}
		m.Labels = append(m.Labels, l)
	}
	if chance < 1 && m.Accuracy != nil {
		m.Kappa = new((m.Accuracy.Value - chance) / (1 - chance))
	}
	return m
}
