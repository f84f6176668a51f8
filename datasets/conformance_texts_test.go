package datasets_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
)

// long returns a text that cannot be compressed.
func long(n int) string {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	var b strings.Builder
	for b.Len() < n {
		b.WriteByte(byte('!' + r.IntN(90)))
	}
	return b.String()
}

// noNumber: a verdict whose score is not a number is kept without it.
func noNumber(t *testing.T, s suite) {
	t.Helper()
	for i, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		r := report(i, "q")
		r.Verdicts[0].Score, r.Verdicts[0].Probability = x, x
		s.offer(t, r)
	}
	for _, x := range s.only(t, datasets.Filter{}).Exemplars {
		if x.Failure.Score != 0 || x.Failure.Probability != 0 {
			t.Errorf("score %v, probability %v", x.Failure.Score, x.Failure.Probability)
		}
	}
}

// strange: an event is kept, counted once and found, whatever bytes it has.
func strange(t *testing.T, s suite) {
	t.Helper()
	for name, text := range map[string]string{
		"NUL": "a\x00b", "no UTF-8": "a\xff\xfeb", "half a character": "a\xe2\x82", "long": long(9000), "quotes": `'; DROP TABLE cases; --"\`,
	} {
		r := report(1, text)
		e := r.Event
		e.RequestID, e.PromptVersion, e.Feature, e.PromptName, e.Environment, e.Comment = event.RequestID(text), text, text, text, text, text
		e.Output, e.Expected = event.Text(text), event.JSON([]byte(`"\u0000 `+"\xff"+`"`))
		r.Verdicts[0].Reason, r.Verdicts[0].Label, r.Verdicts[0].Explanation = text, text, text
		if first, second := s.offer(t, r), s.offer(t, r); first != 1 || second != 0 {
			t.Errorf("%s: new %d, then %d; want 1, then 0", name, first, second)
		}
		c := s.only(t, datasets.Filter{PromptVersion: text, Feature: text})
		if c.Count != 1 || len(c.Exemplars) != 1 {
			t.Errorf("%s: %+v", name, c)
		}
		if x := c.Exemplars[0]; len(x.RequestID) < len(text) || !strings.HasPrefix(string(x.RequestID), text[:1]) {
			t.Errorf("%s: request id %.20q", name, x.RequestID)
		}
		if _, err := s.cases.Case(t.Context(), text); !errors.Is(err, datasets.ErrNoCase) {
			t.Errorf("%s as the id of a case: %v", name, err)
		}
		if got, err := s.cases.List(t.Context(), datasets.Filter{Evaluator: text, Status: datasets.Status(text)}); err != nil || len(got) != 0 {
			t.Errorf("%s in a filter: %d cases, %v", name, len(got), err)
		}
	}
}
