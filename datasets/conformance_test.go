package datasets_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/store"
)

// conform checks this package's guarantees from outside. open returns an empty
// store, and the configuration with which it can be opened again.
func conform(t *testing.T, open func(t *testing.T) (*store.Store, store.Config)) {
	t.Helper()
	tests := map[string]func(*testing.T, suite){
		"one case a signature":  oneCase,
		"idempotent":            idempotent,
		"exemplars are bounded": bounded,
		"many at once":          concurrent,
		"filters":               filters,
		"several versions":      prompts,
		"causes":                causes,
		"groupings":             groupings,
		"earlier builds":        earlierBuilds,
		"status":                status,
		"unknown names":         unknownNames,
		"questions":             questions,
		"withheld content":      withheld,
		"unknown cases":         unknown,
		"prune":                 prune,
		"out of order":          outOfOrder,
		"signatures":            signatures,
		"clocks":                clocks,
		"prune what is kept":    pruneKept,
		"what is kept":          kept,
		"strange texts":         strange,
		"scores that are none":  noNumber,
		"several workers":       workers,
		"one hot case":          hot,
		"feedback":              feedback,
		"feedback, no exemplar": feedbackWithoutExemplar,
		"pages":                 pages,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, cfg := open(t)
			test(t, suite{s, datasets.NewCases(s), keeper(t, s, cfg), cfg})
		})
	}
}

type suite struct {
	store  *store.Store
	cases  *datasets.Cases
	keeper *datasets.Keeper
	cfg    store.Config
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// report returns the n-th failing report with a question.
func report(n int, question string) *eval.Report {
	return &eval.Report{
		Event: &event.Event{
			Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprintf("req_%05d", n)), OccurredAt: start.Add(time.Duration(n) * time.Second),
			Feature: "support", PromptName: "triage", PromptVersion: "v1", Model: "m", Provider: "p",
			Input: event.Text(question), Output: event.Text(fmt.Sprintf("answer %d", n)),
		},
		Plan: eval.Plan{Revision: "rev"},
		Verdicts: []eval.Verdict{
			{Eval: "format", Type: eval.TypeJSONSchema, Outcome: eval.OutcomeFail, Reason: "type at /a", Version: "1", Probability: 0.5},
			{Eval: "length", Type: eval.TypeRule, Outcome: eval.OutcomePass, Score: 1, Version: "1", Probability: 1},
		},
	}
}

func (s suite) offer(t *testing.T, r *eval.Report) int {
	t.Helper()
	n, err := s.keeper.Offer(t.Context(), r, r.Event)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s suite) only(t *testing.T, f datasets.Filter) datasets.Case {
	t.Helper()
	cases, err := s.cases.List(t.Context(), f)
	if err != nil || len(cases) != 1 {
		t.Fatalf("cases: %+v, %v; want one", cases, err)
	}
	c, err := s.cases.Case(t.Context(), cases[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func oneCase(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "Where is order 17?"))
	s.offer(t, report(2, "where is  order 4711?"))
	second := report(3, "where is order 5?")
	second.Event.PromptVersion = "v2"
	s.offer(t, second)
	c := s.only(t, datasets.Filter{})
	if c.Count != 3 || c.FirstVersion != "v1" || c.LastVersion != "v2" || c.Status != datasets.StatusCandidate || c.Evaluator != "format" || c.Reason != "type at /a" {
		t.Errorf("case: %+v", c)
	}
	if !c.FirstSeen.Equal(start.Add(time.Second)) || !c.LastSeen.Equal(start.Add(3*time.Second)) || len(c.Exemplars) != 3 {
		t.Errorf("seen from %s to %s, %d exemplars", c.FirstSeen, c.LastSeen, len(c.Exemplars))
	}
	if x := c.Exemplars[0]; x.RequestID != "req_00001" || string(x.Output) != `"answer 1"` || x.Failure.Probability != 0.5 || x.Failure.Policy != "rev" {
		t.Errorf("exemplar: %+v", x)
	}
	s.offer(t, report(4, "how do I return it?"))
	if counts, err := s.cases.Counts(t.Context()); err != nil || counts != (datasets.Counts{Cases: 2, Occurrences: 4}) {
		t.Errorf("counts: %+v, %v", counts, err)
	}
}

func idempotent(t *testing.T, s suite) {
	t.Helper()
	first, second := s.offer(t, report(1, "q")), s.offer(t, report(1, "q"))
	if first != 1 || second != 0 {
		t.Errorf("new: %d, then %d; want 1, then 0", first, second)
	}
	// The second time the failure has another reason: still one occurrence.
	again := report(1, "q")
	again.Verdicts[0].Reason = "required at /b"
	if n := s.offer(t, again); n != 0 {
		t.Errorf("new: %d", n)
	}
	if c := s.only(t, datasets.Filter{}); c.Count != 1 || len(c.Exemplars) != 1 {
		t.Errorf("case: %+v", c)
	}
	// Another evaluator is another occurrence.
	other := report(1, "q")
	other.Verdicts[0].Eval = "other"
	if n := s.offer(t, other); n != 1 {
		t.Errorf("of another evaluator: %d", n)
	}
}

func bounded(t *testing.T, s suite) {
	t.Helper()
	for n := range 40 {
		s.offer(t, report(n, "q"))
	}
	c := s.only(t, datasets.Filter{})
	if c.Count != 40 || len(c.Exemplars) != s.cfg.MaxExemplars {
		t.Fatalf("count %d, %d exemplars, want 40 and %d", c.Count, len(c.Exemplars), s.cfg.MaxExemplars)
	}
	if first, last := c.Exemplars[0].RequestID, c.Exemplars[len(c.Exemplars)-1].RequestID; first != "req_00000" || last != "req_00039" {
		t.Errorf("kept from %s to %s", first, last)
	}
}

func concurrent(t *testing.T, s suite) {
	t.Helper()
	const callers, each = 32, 10
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				r := report(c*each+i, fmt.Sprintf("question %c", 'a'+c%5))
				for range 2 { // every report twice
					if _, err := s.keeper.Offer(t.Context(), r, r.Event); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if counts, err := s.cases.Counts(t.Context()); err != nil || counts != (datasets.Counts{Cases: 5, Occurrences: callers * each}) {
		t.Errorf("counts: %+v, %v", counts, err)
	}
}

func filters(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "a"))
	b := report(2, "b")
	b.Event.PromptVersion, b.Event.Feature, b.Verdicts[0].Eval = "v2", "search", "correctness"
	s.offer(t, b)
	tests := map[string]struct {
		f    datasets.Filter
		want int
	}{
		"all":            {datasets.Filter{}, 2},
		"since":          {datasets.Filter{Since: start.Add(2 * time.Second)}, 1},
		"until":          {datasets.Filter{Until: start.Add(2 * time.Second)}, 1},
		"evaluator":      {datasets.Filter{Evaluator: "correctness"}, 1},
		"prompt version": {datasets.Filter{PromptVersion: "v1"}, 1},
		"feature":        {datasets.Filter{Feature: "search"}, 1},
		"status":         {datasets.Filter{Status: datasets.StatusDismissed}, 0},
		"limit":          {datasets.Filter{Limit: 1}, 1},
		"together":       {datasets.Filter{Evaluator: "correctness", PromptVersion: "v1"}, 0},
		"hostile":        {datasets.Filter{Feature: "x' OR '1'='1"}, 0},
	}
	for name, tt := range tests {
		got, err := s.cases.List(t.Context(), tt.f)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: %d cases, %v; want %d", name, len(got), err, tt.want)
		}
		for _, format := range datasets.Formats() {
			var b strings.Builder
			if n, err := s.cases.Export(t.Context(), &b, format, tt.f); err != nil || n != tt.want {
				t.Errorf("%s: %s export of %d, %v; want %d", name, format.Name, n, err, tt.want)
			}
		}
	}
}

// prompts: a case that spans versions and features is found by each of them, even when
// its exemplar is gone, and in every format each exemplar has its own.
func prompts(t *testing.T, s suite) {
	t.Helper()
	const requests = 20
	own := func(n int) []string { // the names of a request; none is part of another
		return []string{fmt.Sprintf("feature%02d", n), fmt.Sprintf("version%02d", n)}
	}
	for n := range requests {
		r := report(n, "q")
		e := r.Event
		e.Feature, e.PromptVersion = own(n)[0], own(n)[1]
		if n == requests-1 {
			e.Feature = "" // its own is empty, and not that of the case
		}
		s.offer(t, r)
	}
	for n := range requests - 1 {
		s.only(t, datasets.Filter{Feature: own(n)[0], PromptVersion: own(n)[1]})
	}
	if cases, err := s.cases.List(t.Context(), datasets.Filter{Feature: "feature99"}); err != nil || len(cases) != 0 {
		t.Errorf("cases of a feature that was never used: %+v, %v", cases, err)
	}
	c := s.only(t, datasets.Filter{})
	if c.Feature != own(0)[0] || c.PromptName != "triage" || len(c.Versions) != requests || c.Versions[0] != own(requests - 1)[1] {
		t.Errorf("case: %+v", c)
	}
	last := c.Exemplars[len(c.Exemplars)-1]
	if x := c.Exemplars[0]; len(c.Exemplars) < 2 || x.Feature != own(0)[0] || x.PromptName != "triage" || x.PromptVersion != own(0)[1] ||
		last.Feature != "" || last.PromptVersion != own(requests - 1)[1] {
		t.Errorf("exemplars: %+v", c.Exemplars)
	}
	for _, format := range datasets.Formats() {
		var b strings.Builder
		if _, err := s.cases.Export(t.Context(), &b, format, datasets.Filter{}); err != nil {
			t.Fatal(err)
		}
		// The names of each exemplar stand once, behind those of the one before.
		end := 0
		for i, x := range c.Exemplars {
			begin := end
			for _, name := range []string{x.Feature, x.PromptVersion} {
				at := strings.Index(b.String(), name)
				if name != "" && (at < begin || strings.Count(b.String(), name) != 1) {
					t.Errorf("%s: %s of exemplar %d stands %d times, first at byte %d, want once after %d",
						format.Name, name, i, strings.Count(b.String(), name), at, begin)
				}
				end = max(end, at)
			}
		}
	}
}

func withheld(t *testing.T, s suite) {
	t.Helper()
	r := report(1, "canary question")
	r.Verdicts[0].Explanation = "canary explanation"
	if _, err := s.keeper.Offer(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	c := s.only(t, datasets.Filter{})
	x := c.Exemplars[0]
	if !x.ContentWithheld || x.Input != nil || x.Output != nil || x.Failure.Explanation != "" {
		t.Errorf("exemplar: %+v", x)
	}
}

func unknown(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "a"))
	c := s.only(t, datasets.Filter{})
	if got, err := s.cases.Case(t.Context(), c.ID[:6]); err != nil || got.ID != c.ID {
		t.Errorf("by the beginning of its id: %+v, %v", got, err)
	}
	for _, id := range []string{"", "zzz", c.ID + "0"} {
		if _, err := s.cases.Case(t.Context(), id); !errors.Is(err, datasets.ErrNoCase) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func prune(t *testing.T, s suite) {
	t.Helper()
	s.offer(t, report(1, "old"))
	s.offer(t, report(100, "young"))
	n, err := s.store.Prune(t.Context(), start.Add(50*time.Second))
	if err != nil || n["cases"] != 1 {
		t.Errorf("pruned %v, %v", n, err)
	}
	if c := s.only(t, datasets.Filter{}); c.Exemplars[0].RequestID != "req_00100" {
		t.Errorf("left: %+v", c)
	}
}

func outOfOrder(t *testing.T, s suite) {
	t.Helper()
	for _, n := range []int{5, 9, 1, 7} {
		r := report(n, "q")
		r.Event.PromptVersion, r.Event.Feature = fmt.Sprintf("v%d", n), fmt.Sprintf("f%d", n)
		s.offer(t, r)
	}
	if c := s.only(t, datasets.Filter{Feature: "f1"}); c.FirstVersion != "v1" || c.LastVersion != "v9" || !c.FirstSeen.Equal(start.Add(time.Second)) {
		t.Errorf("case: %+v", c)
	}
}

// signatures: which failures are one case, and which are not.
func signatures(t *testing.T, s suite) {
	t.Helper()
	template := strings.Repeat("You are the support agent of a shop. ", 40)
	chat := func(last string) event.Content {
		return event.JSON([]byte(`[{"role":"system","content":"` + template + `"},{"role":"User","content":"` + last + `"},{"role":"assistant","content":"hm"}]`))
	}
	afterTool := func(asked, got string) event.Content { // the input of a step after a tool call
		return event.JSON([]byte(`[{"role":"user","content":"` + asked + `"},{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]},` +
			`{"role":"user","content":[{"type":"tool_result","content":"` + got + `"}]}]`))
	}
	picture := func(name string) event.Content {
		return event.JSON([]byte(`[{"role":"user","content":[{"type":"image","source":"` + name + `"}]}]`))
	}
	events := []struct {
		group string // the same group, the same case
		e     event.Event
	}{
		{"a", event.Event{Input: event.Text(template + "Where is order 17?")}},
		{"a", event.Event{Input: event.Text(template + "where is\torder 4711?  "), PromptVersion: "v9", Feature: "other", Model: "other"}},
		{"another prompt", event.Event{Input: event.Text(template + "Where is order 17?"), PromptName: "another"}},
		{"b", event.Event{Input: event.Text(template + "How do I return it?")}},
		{"c", event.Event{Input: chat("Where is it?")}},
		{"c", event.Event{Input: chat("where is it?"), Output: event.Text("another answer")}},
		{"c", event.Event{Input: event.JSON([]byte(`{"system":"Be brief.","messages":[{"type":"human","content":"Where is it?"}]}`))}},
		{"d", event.Event{Input: chat("Where was it?")}},
		{"e", event.Event{Comment: "It never came."}},
		{"e", event.Event{Comment: "it never came."}},
		{"f", event.Event{Comment: "It came broken."}},
		{"g", event.Event{Input: afterTool("Where is my parcel?", "in Rome")}},
		{"g", event.Event{Input: afterTool("Where is my parcel?", "on a ship")}},
		{"h", event.Event{Input: afterTool("Cancel my contract.", "done")}},
		{"pictures", event.Event{Input: picture("a")}}, // the user said nothing
		{"pictures", event.Event{Input: picture("b")}},
		{"none", event.Event{}},
		{"none", event.Event{Input: event.Text("")}},
	}
	groups := map[string]bool{}
	for i, x := range events {
		groups[x.group] = true
		r := report(i, "")
		x.e.RequestID = r.Event.RequestID
		r.Event = &x.e
		s.offer(t, r)
	}
	withheld := report(100, "")
	if _, err := s.keeper.Offer(t.Context(), withheld, nil); err != nil {
		t.Fatal(err)
	}
	counts, err := s.cases.Counts(t.Context())
	if err != nil || counts.Cases != len(groups)+1 || counts.Occurrences != len(events)+1 {
		t.Errorf("%+v, %v; want %d cases", counts, err, len(groups)+1)
	}
}

// clocks: an impossible time is replaced by the start of the evaluation.
func clocks(t *testing.T, s suite) {
	t.Helper()
	for i, at := range []time.Time{{}, time.Unix(-1, 0), start.Add(1000 * time.Hour)} {
		r := report(i, "q")
		r.Event.OccurredAt, r.Started = at, start
		s.offer(t, r)
	}
	if c := s.only(t, datasets.Filter{}); !c.FirstSeen.Equal(start) || !c.LastSeen.Equal(start) {
		t.Errorf("seen from %s to %s, want %s", c.FirstSeen, c.LastSeen, start)
	}
}

// pruneKept: when a case still occurs, its old content is deleted and its count
// stays.
func pruneKept(t *testing.T, s suite) {
	t.Helper()
	for n := range 10 {
		s.offer(t, report(n, "q"))
	}
	if n, err := s.store.Prune(t.Context(), start.Add(9*time.Second)); err != nil || n["cases"] != 0 {
		t.Fatalf("pruned %v, %v; want no case", n, err)
	}
	if c := s.only(t, datasets.Filter{}); c.Count != 10 || len(c.Exemplars) != 1 || c.Exemplars[0].RequestID != "req_00009" {
		t.Errorf("left: %+v", c)
	}
	if n := s.offer(t, report(9, "q")); n != 0 {
		t.Error("a young occurrence was forgotten")
	}
}

// kept: an exemplar holds everything that a test of the next prompt version needs.
func kept(t *testing.T, s suite) {
	t.Helper()
	r := report(1, "q")
	e := r.Event
	e.Environment, e.OutputSchema, e.Comment, e.UserRating = "prod", "reply", "not helpful", event.RatingDown
	e.Expected, e.Tools = event.Text("expected"), event.JSON([]byte(`[{"name":"search"}]`))
	e.Retrieval = &event.Retrieval{Query: "query", Chunks: []event.Chunk{{ID: "c1", Text: "passage"}}}
	e.ToolCalls = []event.ToolCall{{Name: "search", Arguments: event.JSON([]byte(`{"q":1}`)), Result: event.Text("found")}}
	e.TraceContext = event.TraceContext{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	r.Verdicts[0].Rule = "unhappy users"
	r.Verdicts[0].Criteria = []eval.Criterion{{ID: "polite", Outcome: eval.OutcomeFail, Evidence: "evidence", Reason: "because"}}
	s.offer(t, r)
	var b strings.Builder
	if n, err := s.cases.Export(t.Context(), &b, datasets.JSONL(), datasets.Filter{}); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	for _, want := range []string{
		`"environment":"prod"`, `"output_schema":"reply"`, `"comment":"not helpful"`, `"user_rating":"down"`, `"expected":"expected"`,
		`"tools":[{"name":"search"}]`, `"query":"query"`, `"text":"passage"`, `"arguments":{"q":1}`, `"result":"found"`,
		`"trace_id":"0af7651916cd43dd8448eb211c80319c"`, `"policy":"rev"`, `"rule":"unhappy users"`, `"probability":0.5`, `"evidence":"evidence"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}
