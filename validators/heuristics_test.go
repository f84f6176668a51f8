package validators

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func TestCitations(t *testing.T) {
	t.Parallel()
	chunks := `,"retrieval":{"chunks":[{"id":"kb_1","text":"a"},{"id":"kb_12","text":"b"},{"id":7}]}`
	free, required := Config{Type: "citations"}, Config{Type: "citations", Required: true}
	const uuid, hash = "0b7c2f4e-91aa-4c7d-8f3e-5d6a7b8c9d0e", "3f9a1c2b77"
	hashes := `,"retrieval":{"chunks":[{"id":"` + uuid + `","text":"a"},{"id":"` + hash + `","text":"b"}]}`
	custom := Config{Type: "citations", Format: `<ref>(\w+)</ref>`}
	cited, uncited := want{eval.OutcomePass, "cited", ""}, want{eval.OutcomePass, "uncited", ""}
	invented := want{eval.OutcomeFail, "unknown_source", "cited id was not retrieved"}
	runCases(t, map[string]verdictCase{
		"brackets":              {free, `"output":"Due in May [kb_1]."` + chunks, cited},
		"invented":              {free, `"output":"Due in May [kb_2]."` + chunks, invented},
		"several in one":        {free, `"output":"Due in May [kb_1, kb_12; 7]."` + chunks, cited},
		"several, one invented": {free, `"output":"Due in May [kb_1, kb_3]."` + chunks, invented},
		"lenticular":            {free, `"output":"Due【kb_1】"` + chunks, cited},
		"lenticular, named":     {free, `"output":"Due【kb_12†fees.pdf】"` + chunks, cited},
		"lenticular, invented":  {free, `"output":"Due【fees】"` + chunks, invented},
		"source":                {free, `"output":"Due in May (Source: kb_1)."` + chunks, cited},
		"sources":               {free, `"output":"Due in May (sources: kb_1, kb_12)."` + chunks, cited},
		"source, invented":      {free, `"output":"Due in May (source: the manual)."` + chunks, invented},
		"footnote":              {free, `"output":"Due in May[^7]"` + chunks, cited},
		"remark":                {free, `"output":"He was to [sic] late [...] and [emphasis added]"` + chunks, uncited},
		"link":                  {free, `"output":"See [kb_9](https://example.com)"` + chunks, uncited},
		"code":                  {free, "\"output\":\"Use `x[9]` or\\n```\\ny[8]\\n```\"" + chunks, uncited},
		"lone backtick":         {free, "\"output\":\"Press the ` key. Due [kb_9].\"" + chunks, invented},
		"backticks far apart":   {free, "\"output\":\"Press the ` key.\\n\\nDue [kb_9].\\n\\nOr the ` key.\"" + chunks, invented},
		"UUID":                  {free, `"output":"Due [` + uuid + `] [` + hash + `]"` + hashes, cited},
		"invented UUID":         {free, `"output":"Due [7f000001-aaaa-4bbb-8ccc-0123456789ab]"` + hashes, invented},
		"invented hash":         {free, `"output":"Due [` + uuid + `, 77aa00bb12cd]"` + hashes, invented},
		"no hash":               {free, `"output":"[sic] of [deadbeef] in [20240101], see [a1-b2]"` + hashes, uncited},
		"name and year":         {free, `"output":"Fees fell [Smith, 2020], [2019, ibid.]"` + chunks, uncited},
		"with a page":           {free, `"output":"Fees fell [kb_1, p. 4]"` + chunks, cited},
		"task list":             {free, `"output":"[ ] one\n[x] two"` + chunks, uncited},
		"other shape":           {free, `"output":"As of [May 2026] and [a-b]"` + chunks, uncited},
		"open bracket":          {free, `"output":"[kb_9 and so on"` + chunks, uncited},
		"none":                  {free, `"output":"Due in May."` + chunks, uncited},
		"none, required":        {required, `"output":"Due in May."` + chunks, want{eval.OutcomeFail, "uncited", "no citation"}},
		"required":              {required, `"output":"Due in May [7]."` + chunks, cited},
		"own format":            {custom, `"output":"Due <ref>kb_1</ref> [kb_9]"` + chunks, cited},
		"own format, invented":  {custom, `"output":"Due <ref>kb_9</ref>"` + chunks, invented},
		"nothing was found":     {free, `"output":"Due (source: kb_1)","retrieval":{"chunks":[]}`, invented},
		"chunks without ids":    {free, `"output":"Due [1]","retrieval":{"chunks":[{"text":"a"}]}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.chunks.id"}},
		"no chunks":             {free, `"output":"Due [1]","retrieval":{"hit_count":1}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.chunks"}},
		"no output":             {free, `"input":"x"` + chunks, noOutput},
		"empty output":          {free, `"output":""` + chunks, uncited},
	})
	got := evaluate(t, newValidator(t, free, nil), newEvent(t, `"output":"a [kb_1] b [kb_2] c [kb_12] d [7]"`+chunks))
	if got.Score != 0.75 {
		t.Errorf("score %v, want the share of citations that were retrieved, 0.75", got.Score)
	}
}

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
		"half":                      {"Refunds need receipts.", eval.OutcomeFail, 1.0 / 3},
		"another number":            {"Refunds: 30 days.", eval.OutcomePass, 2.0 / 3},
		"number written otherwise":  {"1200.5", eval.OutcomePass, 1},
		"another subject":           {"Penguins live in Antarctica.", eval.OutcomeFail, 0},
		"repeated words count once": {"Penguins penguins refunds", eval.OutcomePass, 0.5},
		"script without spaces":     {"返品は14日以内", eval.OutcomePass, 1},
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
