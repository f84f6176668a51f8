package validators

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func TestGroundedness(t *testing.T) {
	t.Parallel()
	const chunks = `"retrieval":{"chunks":[{"id":"1","text":"Refunds are issued within 14 days after the returned item arrives at our warehouse."},{"text":"Shipping costs €1,200.50 for pallets. 返品は14日以内です"}]}`
	for name, tt := range map[string]struct {
		output  string
		outcome eval.Outcome
		score   float64
	}{
		"same words":                {"Refunds are issued within 14 days.", eval.OutcomePass, 1},
		"other forms of them":       {"The refund is issued when returning items arrived.", eval.OutcomePass, 1},
		"a third":                   {"Refunds need receipts.", eval.OutcomePass, 1.0 / 3},
		"another number":            {"Refunds: 30 days.", eval.OutcomePass, 2.0 / 3},
		"number written otherwise":  {"1200.5", eval.OutcomePass, 1},
		"another subject":           {"Penguins live in Antarctica.", eval.OutcomeFail, 0},
		"repeated words count once": {"Penguins penguins refunds", eval.OutcomePass, 0.5},
		"script without spaces":     {"返品は14日以内", eval.OutcomePass, 1},
		"number of another country": {"1.200,50", eval.OutcomePass, 1},
		"decomposed, ligature":      {"re\ufb01ned cafe\u0301s", eval.OutcomeFail, 0},
		"soft hyphens":              {"re\u00adfunds and ware\u200bhouse", eval.OutcomePass, 1},
		"divided by a line break":   {"ware-\nhouse", eval.OutcomePass, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvent(t, chunks)
			e.Output = event.Text(tt.output)
			got := evaluate(t, newValidator(t, Config{Type: "groundedness"}, nil), e)
			if got.Outcome != tt.outcome || got.Score != tt.score {
				t.Errorf("%s %v, want %s %v", got.Outcome, got.Score, tt.outcome, tt.score)
			}
		})
	}
	c := Config{Type: "groundedness", MinShare: new(1.0)}
	runCases(t, map[string]verdictCase{
		"strict":           {c, `"output":"Refunds soon.",` + chunks, want{eval.OutcomeFail, "ungrounded", "share of found words below min_share"}},
		"no content words": {c, `"output":"It is what it is.",` + chunks, want{eval.OutcomeCannotJudge, "", "no content words"}},
		"empty output":     {c, `"output":"",` + chunks, want{eval.OutcomeCannotJudge, "", "no content words"}},
		"does not know":    {c, `"output":"I don't know based on the given context.",` + chunks, want{eval.OutcomeCannotJudge, "", "answer says that it does not know"}},
		"another script":   {c, `"output":"Возврат бесплатный.","retrieval":{"chunks":[{"text":"Refunds are free."}]}`, want{eval.OutcomeCannotJudge, "", "answer and retrieved text are in different scripts"}},
		"another language": {c, `"output":"Les retours sont gratuits pour les clients.","retrieval":{"chunks":[{"text":"Refunds are free for all of the customers."}]}`, want{eval.OutcomeCannotJudge, "", "answer and retrieved text are in different languages"}},
		"no text":          {c, `"output":"Refunds","retrieval":{"chunks":[{"id":"1","text":" "}]}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.chunks.text"}},
		"no retrieval":     {c, `"output":"Refunds"`, want{eval.OutcomeNotApplicable, "", "missing retrieval.chunks.text"}},
		"no output":        {c, chunks, noOutput},
	})
}

func TestContentWords(t *testing.T) {
	t.Parallel()
	ignored := stopWords()
	for text, want := range map[string][]string{
		"The customers' refunds weren’t shipped": {"customer", "refund", "ship"},
		"store storing stores stored":            {"stor", "stor", "stor", "stor"},
		"policy policies":                        {"polici", "polici"},
		"class classes bus":                      {"class", "class", "bus"},
		"B12 and 3.14, 1,000 or 2026.":           {"b12", "3.14", "1000", "2026"},
		"日本語":                                    {"日本", "本語"},
		"1.000,50 1.200 0.125 3,14 1,234,567.80": {"1000.5", "1200", "0.125", "3.14", "1234567.8"},
		"naïve café":                             {"naïv", "café"},
		"a I of":                                 nil,
	} {
		if diff := cmp.Diff(want, contentWordsOf(text, ignored)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestSensitive(t *testing.T) {
	t.Parallel()
	// Built here, so that no text that looks like a credential is committed.
	mail, key := "jane.doe"+"@"+"example.com", "AKIA"+strings.Repeat("QX7R", 4)
	output := func(text string) string {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return `"output":` + string(b)
	}
	pii, secrets := Config{Type: "pii"}, Config{Type: "secrets"}
	clean := want{eval.OutcomePass, "clean", ""}
	runCases(t, map[string]verdictCase{
		"mail":                    {pii, output("Write to " + mail), want{eval.OutcomeFail, "found", "email"}},
		"mail twice":              {pii, output(mail + " or " + mail), want{eval.OutcomeFail, "found", "email"}},
		"mail inside JSON":        {pii, `"output":{"to":"` + mail + `"}`, want{eval.OutcomeFail, "found", "email"}},
		"mail is no secret":       {secrets, output("Write to " + mail), clean},
		"key":                     {secrets, output("Use " + key), want{eval.OutcomeFail, "found", "aws_access_key"}},
		"key is no personal data": {pii, output("Use " + key), clean},
		"other kind":              {Config{Type: "pii", Kinds: []string{"iban"}}, output("Write to " + mail), clean},
		"repeated, not allowed":   {pii, `"input":"I am ` + mail + `",` + output("Hi "+mail), want{eval.OutcomeFail, "found", "email"}},
		"repeated, allowed":       {Config{Type: "pii", AllowInInput: true}, `"input":"I am ` + mail + `",` + output("Hi "+mail), clean},
		"new, repeats allowed":    {Config{Type: "pii", AllowInInput: true}, `"input":"I am john"` + `,` + output("Hi "+mail), want{eval.OutcomeFail, "found", "email"}},
		"prose":                   {pii, output("Your refund of 120 is due in 14 days, order 1234."), clean},
		"empty":                   {pii, output(""), clean},
		"no output":               {secrets, `"input":"` + mail + `"`, noOutput},
	})
	if faults := (Config{Type: "secrets", Kinds: []string{"email"}}).Validate(); len(faults) != 1 || !strings.Contains(faults[0].Problem, "of the other validator") {
		t.Errorf("faults %v", faults)
	}
}

func contentWordsOf(text string, ignored map[string]bool) (words []string) {
	contentWords(text, ignored, func(w string) { words = append(words, w) })
	return words
}
