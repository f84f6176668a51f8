package validators

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func TestCitations(t *testing.T) {
	t.Parallel()
	unclear := want{eval.OutcomeCannotJudge, "", "citations name no retrieved id"}
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
		"lenticular, invented":  {free, `"output":"Due【kb_2】"` + chunks, invented},
		"source":                {free, `"output":"Due in May (Source: kb_1)."` + chunks, cited},
		"sources":               {free, `"output":"Due in May (sources: kb_1, kb_12)."` + chunks, cited},
		"source, invented":      {free, `"output":"Due in May (source: kb_2)."` + chunks, invented},
		"source in words":       {free, `"output":"Due in May (source: the manual)."` + chunks, unclear},
		"footnote":              {free, `"output":"Due in May[^7]"` + chunks, cited},
		"remark":                {free, `"output":"He was to [sic] late [...] and [emphasis added]"` + chunks, uncited},
		"link":                  {free, `"output":"See [our page](https://example.com)"` + chunks, uncited},
		"link named like an id": {free, `"output":"See [kb_9](https://example.com)"` + chunks, unclear},
		"code":                  {free, "\"output\":\"Use `x[9]` or\\n```\\ny[8]\\n```\"" + chunks, uncited},
		"lone backtick":         {free, "\"output\":\"Press the ` key. Due [kb_9].\"" + chunks, invented},
		"backticks far apart":   {free, "\"output\":\"Press the ` key.\\n\\nDue [kb_9].\\n\\nOr the ` key.\"" + chunks, invented},
		"UUID":                  {free, `"output":"Due [` + uuid + `] [` + hash + `]"` + hashes, cited},
		"invented UUID":         {free, `"output":"Due [7f000001-aaaa-4bbb-8ccc-0123456789ab]"` + hashes, invented},
		"invented hash":         {free, `"output":"Due [` + uuid + `, 77aa00bb12cd]"` + hashes, invented},
		"no hash":               {free, `"output":"[sic] of [deadbeef] in [20240101]"` + hashes, uncited},
		"another scheme":        {free, `"output":"see [a1-b2]"` + hashes, unclear},
		"name and year":         {free, `"output":"Fees fell [Smith, 2020], [2019, ibid.]"` + chunks, unclear},
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
		"chunks without ids":    {free, `"output":"Due in May","retrieval":{"chunks":[{"text":"a"}]}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.chunks.id"}},
		"by position, no ids":   {free, `"output":"Due [1]","retrieval":{"chunks":[{"text":"a"}]}`, cited},
		"no chunks":             {free, `"output":"Due [1]","retrieval":{"hit_count":1}`, want{eval.OutcomeNotApplicable, "", "missing retrieval.chunks"}},
		"no output":             {free, `"input":"x"` + chunks, noOutput},
		"empty output":          {free, `"output":""` + chunks, uncited},
	})
	got := evaluate(t, newValidator(t, free, nil), newEvent(t, `"output":"a [kb_1] b [kb_2] c [kb_12] d [7]"`+chunks))
	if got.Score != 0.75 {
		t.Errorf("score %v, want the share of citations that were retrieved, 0.75", got.Score)
	}
}

// TestCitationForms: the forms in which models and providers write citations, on
// chunks of several naming schemes.
func TestCitationForms(t *testing.T) {
	t.Parallel()
	schemes := map[string][]string{
		"numbers": {"1", "2"}, "large numbers": {"48211", "48212", "48219"}, "files": {"fees.pdf", "terms.pdf"}, "slugs": {"refund-policy", "opening-hours"},
		"web": {"https://kb.example/fees", "https://kb.example/terms"}, "uuids": {"0b7c2f4e-91aa-4c7d-8f3e-5d6a7b8c9d0e", "1b7c2f4e-91aa-4c7d-8f3e-5d6a7b8c9d0e"},
		"kb": {"kb_17", "kb_23"}, "words": {"fees", "terms"}, "turns": {"turn0search0", "turn0search1"}, "none": {}, "dashes": {"doc-7", "doc-12"},
	}
	const c, u, n, no = "cited", "unknown_source", "?", "uncited"
	for scheme, texts := range map[string]map[string]string{
		"numbers": {
			"Fees fell [1, 2].": c, "Fees fell [1; 2].": c, "Fees fell [1-2].": c, "Fees fell [1, 7].": u, "Fees fell [#1].": c, "Fees fell [doc 2].": c, "Fees fell [Ref. 2].": c,
			"Fees fell [Document 9].": u, "Fees fell[2] and rose[1].": c, "Fees fell[1] and rose[7].": u, "Take a[7], or x[0].": no, "Use items[7].": n, "Fees fell【1†L5-L10】.": c,
			"The numbers are [3, 4].": n, "Fees fell [3, 4].": u, "In [2019] and [1999-2004] fees fell.": no, "Call [555123].": no, "At [12:30], [x] or [ ].": no, "Between [0, 1] and [0.5].": n,
			"It is 10³ m², or x².": no, "Fees fell¹².": n, "Fees fell¹.": c, "Fees fell.²": c, "Fees fell⁷.": n, "Fees fell¹ and rose⁷.": u, "Fees fell<sup>1, 2</sup>.": c, "10<sup>9</sup> bytes": no, "(2 x 3)^2, (a + b)² and sin^2": no, "費用は下がった¹。": c,
			"Sources: [1], [2]": c, "Fees fell.\n\n**Sources:** 1, 2": c, "Fees fell.\nSource: 7": u, "Fees fell.\nSources: none": no, "Fees fell〔1〕.": c, "(see [1])": c,
			"See ![1](a.png).": no, "Fees fell [1][9].": u, "x = [7]": n, "Fees fell [^1][^2].": c, "Fees fell (source: 2; page 7).": c, "[1]: May report": c,
			"{\"answer\": \"Fees fell [1].\", \"rows\": [3, 4]}": c, "{\"answer\": \"Fees fell.\", \"sources\": [{\"id\": 7}]}": u, "{\"rows\": [[1, 2]]}": no,
			"```json\n{\"answer\": \"Fees fell.\", \"citations\": [\"1\"]}\n```": c, "{\"answer\": \"a\", \"sources\": [\"fees [2]\"]}": c,
			"Dear [Name], [sic] [emphasis added]": no, "Fees fell [Smith et al., 2020].": n, "Fees fell [fees.pdf].": n, "Fees\u200b fell [\u200b1].": c,
		},
		"large numbers": {
			"Fees fell [1].": c, "Fees fell [3].": c, "Fees fell [48219].": c, "Fees fell [48299].": u, "Fees fell [48211] [7].": u, "Fees fell [0] [2].": c, "Fees fell [0] [3].": u,
		},
		"web": {
			"Fees fell [1], and [2].": c, "Fees fell [3].": u, "Fees fell [^1].\n\n[^1]: https://kb.example/terms": c, "Fees fell [7].\n\n[7]: <https://kb.example/terms/>": c,
			"Fees fell [1].\n\n[1] https://other.example/a": u, "See [the fees](https://kb.example/fees).": c, "See [our shop](https://shop.example).": no, "Fees: https://kb.example/fees.": c,
			"Fees fell [1](https://kb.example/terms).": c, "Fees fell [[1]](https://other.example).": u, "Fees fell (source: https://other.example/x).": u, "Fees fell [2030].": no,
			"Fees fell [1].\n\nReferences\n[1] Fee report\n[2] Terms\n[3] Other": c, "Choose: [1] pay, [2] cancel, [3] talk to a person.": c, "Choose: [7] pay, [8] cancel.": n,
			"Fees fell [KB-7].": n, "Fees fell (Source: the fee table).": n, "Fees fell.": no,
		},
		"files": {
			"Fees fell [1].": c, "Fees fell [fees.pdf#page=3].": c, "Fees fell [Fees.PDF, p. 3].": c, "Fees fell [fees.pdf, pp. 3-5].": c, "Fees fell [fees.pdf p. 3].": c, "Fees fell [rates.pdf].": u,
			"Fees fell (source: terms.pdf, page 3).": c, "Fees fell (source: rates.pdf, page 3).": u, "Fees fell【4:0†fees.pdf】.": c, "Fees fell【4:0†source】.": n, "As fees.pdf says, fees fell.": c,
			"Fees fell [7].\n\n[7] fees.pdf, page 3": c, "Fees fell [7].\n\n[7] rates, page 3": u,
			"Fees fell.\n\nSource: fees.pdf, page 3": c, "Sources:\n- fees.pdf\n- terms.pdf": c,
		},
		"slugs": {"Fees fell [refund-policy].": c, "Fees fell [shipping-policy].": n, "Fees fell [refund-policy] [shipping-policy].": u, "He [re-sent] it.": n},
		"words": {"Fees fell [fees].": c, "Fees fell [fees] as [sic] said.": c, "Fees fell [Source 2].": c},
		"uuids": {"Fees fell [2].": c, "Fees fell [3].": u, "Fees fell [0b7c2f4e-91aa-4c7d-8f3e-5d6a7b8c9d0f].": u},
		"kb":    {"Fees fell [17].": c, "Fees fell [2].": c, "Fees fell [3].": u, "Fees fell [KB_23].": c, "Fees fell [kb_018].": u, "According to kb_17, fees fell.": c, "Fees fell, says kb_17": c},
		"dashes": {
			"Fees fell [doc-7].": c, "Fees fell [doc-9].": u, "Since [COVID-19] and [GPT-4] fees fell.": n, "[Source: doc-7]": c, "[cite: doc-7, doc-12]": c, "[id: doc-12]": c, "[cite: doc-9]": u,
			"Reference: INV-2031": no, "Fees fell (ref: ORD-12).": no, "Fees fell [7aB3x9].": n, "[B12] and [H2O]": no,
		},
		"turns": {"Fees fell \ue200cite\ue202turn0search0\ue202turn0search1\ue201.": c, "Fees fell citeturn0search0turn0search1.": c, "Fees fell \ue200cite\ue202turn0search9\ue201.": u},
		"none":  {"Fees fell [1].": u, "Fees fell (source: the manual).": u, "Fees fell.": no, "Dear [Name]": no},
	} {
		e := saying("")
		e.Retrieval = &event.Retrieval{Chunks: []event.Chunk{}}
		for _, id := range schemes[scheme] {
			e.Retrieval.Chunks = append(e.Retrieval.Chunks, event.Chunk{ID: event.ID(id), Text: "Fees fell in May."})
		}
		v := newValidator(t, Config{Type: "citations"}, nil)
		for text, want := range texts {
			e.Output = event.Text(text)
			got := evaluate(t, v, e)
			label := got.Label
			if got.Outcome == eval.OutcomeCannotJudge {
				label = n
			}
			if label != want {
				t.Errorf("%s: %q: %s; want %s", scheme, text, label, want)
			}
		}
	}
}

// TestReportedCitations: providers report citations beside the text.
func TestReportedCitations(t *testing.T) {
	t.Parallel()
	const chunks = `,"retrieval":{"chunks":[{"id":"fees.pdf","text":"a"},{"id":"https://kb.example/terms","text":"b"}]}`
	for output, want := range map[string]string{
		`[{"type":"text","text":"Fees fell.","citations":[{"type":"char_location","document_index":1,"cited_text":"fell"}]}]`:                                   "cited",
		`[{"type":"text","text":"Fees fell.","citations":[{"type":"char_location","document_index":7,"document_title":"fees.pdf"}]}]`:                           "cited",
		`[{"type":"text","text":"Fees fell.","citations":[{"type":"web_search_result_location","url":"https://other.example"}]}]`:                               "",
		`{"role":"assistant","content":"Fees fell.","annotations":[{"type":"url_citation","url_citation":{"url":"https://kb.example/terms","start_index":0}}]}`: "cited",
		`{"role":"assistant","content":"Fees fell.","annotations":[]}`:                                                                                          "uncited",
		`{"role":"assistant","content":"Fees fell [3].","annotations":[]}`:                                                                                      "unknown_source",
	} {
		if got := evaluate(t, newValidator(t, Config{Type: "citations"}, nil), newEvent(t, `"output":`+output+chunks)); got.Label != want {
			t.Errorf("%s: %s; want %s", output, got.Label, want)
		}
	}
}

// TestCitationsAreLinear: the search reads a text once, however many brackets open.
func TestCitationsAreLinear(t *testing.T) {
	t.Parallel()
	e := saying("")
	e.Retrieval = &event.Retrieval{Chunks: []event.Chunk{{ID: "1"}}}
	v := newValidator(t, Config{Type: "citations"}, nil)
	for _, part := range []string{"[", "【", "(source:", "[1-2]", "[1](", "[1]: https://a", "^1", "citeturn", "\nSource: ", "\ue200", "<sup>", "fees.pdf#page p. 3 "} {
		e.Output = event.Text(strings.Repeat(part, 1<<19/len(part)))
		// A quadratic search of half a megabyte would not end in the time of a test.
		evaluate(t, v, e)
	}
}
