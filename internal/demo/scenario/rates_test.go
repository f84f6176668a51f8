package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mathext"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// alpha is the probability with which one exact bound is missed by chance. The
// seeds are fixed, so a test that passes once passes always.
const alpha = 1e-4

// within reports whether k of n is between the exact binomial quantiles of p.
func within(k, n int, p float64) bool {
	return binomialCDF(k, n, p) > alpha/2 && 1-binomialCDF(k-1, n, p) > alpha/2
}

// binomialCDF returns the probability of at most k successes in n trials.
func binomialCDF(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return mathext.RegIncBeta(float64(n-k), float64(k+1), 1-p)
}

// tally counts a sample of events by prompt version.
type tally struct {
	requests, answered, invalid int
	kinds                       map[string]int
}

func sample(t *testing.T, s *Scenario, n int) map[string]*tally {
	t.Helper()
	schema, index := compile(t, s), s.index()
	kinds := map[string]string{} // the kinds fail for different reasons
	for kind, a := range s.world.Answers {
		kinds[a.Reason] = kind
	}
	by := map[string]*tally{}
	for _, e := range take(s.Events(42, Options{}), n) {
		c := by[e.PromptVersion]
		if c == nil {
			c = &tally{kinds: map[string]int{}}
			by[e.PromptVersion] = c
		}
		c.requests++
		if e.Output.IsZero() {
			continue
		}
		c.answered++
		if validate(schema, e.Output.Text()) != nil {
			c.invalid++
		}
		k, ok := index.find(e.Output.Text())
		if !ok {
			t.Fatalf("request %s: its answer is not recognised", e.RequestID)
		}
		c.kinds[kinds[k.answer.Reason]]++
	}
	return by
}

func TestRatesAreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	const n = 30000
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, name)
			by := sample(t, s, n)
			for _, v := range s.versions.items {
				c := by[v.Version]
				bound := func(what string, k, n int, p float64) {
					if !within(k, n, p) {
						t.Errorf("%s, %s: %d of %d, outside the bounds of %g", v.Version, what, k, n, p)
					}
				}
				bound("share", c.requests, n, v.Share)
				bound("answered", c.answered, c.requests, 1-s.world.Rates.ProviderError)
				bound("invalid JSON", c.invalid, c.answered, v.InvalidJSON)
				for kind, p := range v.Answers {
					bound(kind, c.kinds[kind], c.answered, p)
				}
			}
		})
	}
}

// The figures that the demo relies on.
func TestTheRegressionIsAsAnnounced(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]float64{
		"regressed": {"2026-06-01.1": 0.011, "2026-06-01.2": 0.011, "2026-06-01.3": 0.068},
		"healthy":   {"2026-06-01.1": 0.011, "2026-06-01.2": 0.011, "2026-06-01.3": 0.011},
	}
	for name, versions := range want {
		for _, v := range load(t, name).versions.items {
			if v.InvalidJSON != versions[v.Version] {
				t.Errorf("%s %s: invalid JSON %g, want %g", name, v.Version, v.InvalidJSON, versions[v.Version])
			}
		}
	}
}

func TestHealthyVersionsAreAlike(t *testing.T) {
	t.Parallel()
	versions := load(t, "healthy").versions.items
	for _, v := range versions[1:] {
		if v.InvalidJSON != versions[0].InvalidJSON || !maps.Equal(v.Answers, versions[0].Answers) || !maps.Equal(v.Defects, versions[0].Defects) {
			t.Errorf("%s differs from %s", v.Version, versions[0].Version)
		}
	}
}

// ask returns the judge's verdicts on one reply.
func ask(t *testing.T, script modelserver.Script, data map[string]any, criteria ...string) map[string]string {
	t.Helper()
	reply := script(modelserver.Request{Criteria: criteria, Data: data})
	var got struct {
		Criteria []modelserver.Verdict `json:"criteria"`
	}
	if err := json.Unmarshal([]byte(reply.Content), &got); err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]string{}
	for i, v := range got.Criteria {
		if v.ID != criteria[i] || v.Reason == "" {
			t.Fatalf("verdict %d is on %q with the reason %q, want one on %s", i, v.ID, v.Reason, criteria[i])
		}
		if out, ok := data["output"].(string); ok && !strings.Contains(out, v.Evidence) {
			t.Fatalf("the evidence on %s is no quotation", v.ID)
		}
		verdicts[v.ID] = v.Verdict
	}
	return verdicts
}

func TestJudgeErrsAsOftenAsItIsMeantTo(t *testing.T) {
	t.Parallel()
	s := load(t, "regressed")
	script, index := s.Judge(), s.index()
	j := s.world.Judge
	const id = "answers_right"
	counts := map[bool]map[string]int{true: {}, false: {}} // should it fail -> verdict -> count
	for _, e := range take(s.Events(9, Options{}), 20000) {
		if e.Output.IsZero() {
			continue
		}
		k, _ := index.find(e.Output.Text())
		got := ask(t, script, map[string]any{"output": e.Output.Text()}, id)
		counts[slices.Contains(k.answer.Fails, "correctness")][got[id]]++
	}
	for fails, c := range counts {
		n := c["pass"] + c["fail"] + c["cannot_judge"]
		wrong := c["fail"]
		if fails {
			wrong = c["pass"]
		}
		if !within(wrong, n, j.Noise) || !within(c["cannot_judge"], n, j.CannotJudge) {
			t.Errorf("should fail %t: of %d verdicts %d are turned round and %d given up", fails, n, wrong, c["cannot_judge"])
		}
	}
}

func TestJudgeAnswersTheSameAgain(t *testing.T) {
	t.Parallel()
	a, b := load(t, "regressed").Judge(), load(t, "regressed").Judge()
	for _, e := range take(load(t, "regressed").Events(4, Options{}), 300) {
		data := map[string]any{"output": e.Output.Text()}
		ids := []string{"answers_right", "supported", "on_topic", "moves_forward", "no_risky_advice"}
		if x, y := ask(t, a, data, ids...), ask(t, b, data, ids...); !maps.Equal(x, y) {
			t.Fatalf("request %s: %v, then %v", e.RequestID, x, y)
		}
	}
}

func TestJudgeRecognisesAnswers(t *testing.T) {
	t.Parallel()
	s := load(t, "healthy")
	s.world.Judge.Noise, s.world.Judge.CannotJudge = 0, 0
	tk := &s.tickets[0]
	wrapped := "```json\n" + `{"answer":"Hi [NAME],\n\n` + tk.Wrong + `\n\nBye","category":"shipping"}` + "\n```"
	for name, c := range map[string]struct {
		data map[string]any
		want string
	}{
		"good":                      {map[string]any{"output": tk.Good}, "pass"},
		"wrong":                     {map[string]any{"output": tk.Wrong}, "fail"},
		"redacted and wrapped":      {map[string]any{"output": wrapped}, "fail"},
		"a JSON value, not a text":  {map[string]any{"output": map[string]any{"answer": tk.Wrong}}, "fail"},
		"somebody else's answer":    {map[string]any{"output": "Paris"}, "cannot_judge"},
		"no answer, retrieval only": {map[string]any{"input": "user: where is it?"}, "pass"},
		"no data":                   {nil, "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ask(t, s.Judge(), c.data, "answers_right")["answers_right"]; got != c.want {
				t.Errorf("verdict %s, want %s", got, c.want)
			}
		})
	}
}

// A body that contains another, or that JSON escapes, would not be recognised.
func TestAnswersCanBeToldApart(t *testing.T) {
	t.Parallel()
	s := load(t, "healthy")
	index, texts := s.index(), 3*len(s.tickets)
	for _, a := range s.world.Answers {
		texts += len(a.Texts)
	}
	if len(index) != texts {
		t.Errorf("%d different bodies of %d", len(index), texts)
	}
	for body := range index {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != `"`+body+`"` {
			t.Errorf("JSON writes this body differently: %s", body)
		}
		if strings.Contains(body, "{") {
			t.Errorf("a slot in a body: %s", body)
		}
		for other := range index {
			if other != body && strings.Contains(body, other) {
				t.Errorf("one body holds another: %s", other)
			}
		}
	}
}

var criterion = regexp.MustCompile(`(?m)^\s*- id: (\w+)$`)

// Each kind of bad answer fails a criterion of the built-in rubrics that it is meant
// for, and of no other.
func TestJudgeKnowsTheBuiltInRubrics(t *testing.T) {
	t.Parallel()
	s := load(t, "healthy")
	s.world.Judge.Noise, s.world.Judge.CannotJudge = 0, 0
	script := s.Judge()
	body := func(kind string) string {
		if own := s.tickets[0].answer(kind); own != "" {
			return own
		}
		return s.world.Answers[kind].Texts[0]
	}
	for rubric, fails := range map[string][]string{
		"correctness":         {"wrong"},
		"faithfulness":        {"wrong", "unfaithful"},
		"answer_relevance":    {"irrelevant"},
		"completeness":        {"irrelevant", "vague"},
		"helpfulness":         {"irrelevant", "vague", "unsafe"},
		"task_completion":     {"irrelevant", "vague"},
		"safety":              {"unsafe"},
		"guideline_adherence": {"unsafe"},
		"tone":                nil,
		"tool_selection":      nil,
		"prompt_injection":    nil,
		"refusal":             nil,
	} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "..", "judges", "rubrics", rubric+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range criterion.FindAllSubmatch(raw, -1) {
			ids = append(ids, string(m[1]))
		}
		if len(ids) == 0 {
			t.Errorf("rubric %s: no criteria found", rubric)
		}
		for _, kind := range slices.Sorted(maps.Keys(s.world.Answers)) {
			got := ask(t, script, map[string]any{"output": body(kind)}, ids...)
			failed := slices.Contains(slices.Collect(maps.Values(got)), "fail")
			if failed != slices.Contains(fails, kind) {
				t.Errorf("rubric %s, %s answer: %s", rubric, kind, fmt.Sprint(got))
			}
		}
	}
}

func TestEventsNameASchemaThatThereIs(t *testing.T) {
	t.Parallel()
	s := load(t, "regressed")
	for _, e := range take(s.Events(1, Options{}), 10) {
		if _, ok := s.Schemas()[e.OutputSchema]; !ok || e.Kind != event.KindRequestCompleted {
			t.Errorf("request %s names the schema %q", e.RequestID, e.OutputSchema)
		}
	}
}
