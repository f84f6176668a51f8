package judges

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
)

func TestParse(t *testing.T) {
	t.Parallel()
	good := answer("complete", "", "r2", "fail", "accurate", "e1", "r1", "pass")
	want := []criterionVerdict{{"e1", "r1", eval.OutcomePass}, {"", "r2", eval.OutcomeFail}}
	item := func(fields string) string {
		return `{"criteria":[{"id":"complete","evidence":"","reason":"","verdict":"pass"},{` + fields + `}]}`
	}
	tests := map[string]struct {
		text, violation string // no violation: accepted
	}{
		"any order":             {good, ""},
		"white space":           {"\n " + good + "\n", ""},
		"fenced":                {"Here you are:\n```json\n" + good + "\n```\nDone.", ""},
		"fence on one line":     {"Here: ```json " + good + " ```", ""},
		"fence without json":    {"```\n" + good + "\n```", ""},
		"a fence in upper case": {"```JSON\n" + good + "\n```", ""},
		"empty":                 {"", "no answer"},
		"prose":                 {"Everything passes.", "not one JSON object"},
		"prose in a fence":      {"```\nEverything passes.\n```", "not one JSON object"},
		"two fences":            {"```json\n" + good + "\n```\n```json\n" + good + "\n```", "more than one"},
		"open fence":            {"```json\n" + good, "does not end"},
		"list":                  {"[" + good + "]", "not one JSON object"},
		"text after":            {good + " Done.", "text after"},
		"two objects":           {good + good, "text after"},
		"cut off":               {good[:len(good)-20], "broken or cut off"},
		"not criteria":          {`{"verdicts":[]}`, "does not know"},
		"another key":           {`{"criteria":[],"overall":"pass"}`, "does not know"},
		"criteria twice":        {`{"criteria":[],"criteria":[]}`, "stands twice"},
		"criteria no list":      {`{"criteria":{}}`, "not a list"},
		"criteria null":         {`{"criteria":null}`, "not a list"},
		"nothing answered":      {`{"criteria":[]}`, "accurate is not answered"},
		"one missing":           {answer("accurate", "", "", "pass"), "complete is not answered"},
		"one twice":             {answer("accurate", "", "", "pass", "accurate", "", "", "fail", "complete", "", "", "pass"), "accurate is answered twice"},
		"unknown criterion":     {answer("accurate", "", "", "pass", "bonus", "", "", "pass"), "none of the criteria"},
		"unknown verdict":       {answer("accurate", "", "", "Pass", "complete", "", "", "pass"), `the "verdict" of accurate is none of`},
		"nested like a bomb":    {`{"criteria":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", "broken or cut off"},
		"a bomb in an item":     {item(`"id":"accurate","evidence":"","verdict":"pass","reason":` + strings.Repeat(`{"a":`, 100_000)), "broken or cut off"},
		"item no object":        {`{"criteria":["accurate"]}`, "an object is expected"},
		"key missing":           {item(`"id":"accurate","evidence":"","verdict":"pass"`), `"reason" is missing`},
		"key too many":          {item(`"id":"accurate","evidence":"","reason":"","verdict":"pass","score":1`), "does not know"},
		"key in another case":   {item(`"id":"accurate","evidence":"","reason":"","Verdict":"pass"`), "does not know"},
		"verdict twice":         {item(`"id":"accurate","evidence":"","reason":"","verdict":"fail","verdict":"pass"`), `"verdict" stands twice`},
		"verdict a boolean":     {item(`"id":"accurate","evidence":"","reason":"","verdict":true`), "have to be strings"},
		"verdict null":          {item(`"id":"accurate","evidence":"","reason":"","verdict":null`), "have to be strings"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseAnswer(tt.text, rubric(t, twoCriteria).Criteria)
			if tt.violation == "" {
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(criterionVerdict{})); err != nil || diff != "" {
					t.Errorf("err = %v, findings (-want +got):\n%s", err, diff)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.violation) {
				t.Errorf("err = %v; want a violation about %q", err, tt.violation)
			}
		})
	}
}

// An answer about code may quote a fence.
func TestParseFenceInAQuote(t *testing.T) {
	t.Parallel()
	body := answer("accurate", "```go\nx := 1\n```", "right", "pass")
	for name, text := range map[string]string{
		"lines":    "```json\n" + body + "\n```",
		"indented": "- ```json\n  " + body + "\n  ```",
		"one line": "```json " + body + "```",
	} {
		if _, err := parseAnswer(text, []Criterion{{ID: "accurate"}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse: an answer is complete or an error, and no error repeats it.
func FuzzParse(f *testing.F) {
	f.Add(bothPass)
	f.Add("<think>" + bothPass + "</think>")
	f.Add("```json\n" + bothPass + "\n```")
	f.Add(`{"criteria":[{"id":"accurate","verdict":"pass"}]}`)
	f.Add(`{"criteria":[{"id":"accurate","evidence":"\u0000","reason":"","verdict":"zzqqzz"}]}`)
	f.Add("{")
	criteria := rubric(f, twoCriteria).Criteria
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseAnswer(text, criteria)
		if err != nil {
			if strings.Contains(err.Error(), "zzqqzz") || len(err.Error()) > 200 {
				t.Errorf("the error repeats the answer: %v", err)
			}
			return
		}
		if len(got) != len(criteria) {
			t.Fatalf("%d findings; want %d", len(got), len(criteria))
		}
		for _, finding := range got {
			if finding.outcome == eval.OutcomeError {
				t.Error("a finding without a verdict was accepted")
			}
		}
		for _, c := range criteria {
			if !strings.Contains(text, c.ID) && !strings.Contains(text, `\u`) {
				t.Errorf("criterion %s was answered and does not stand in the answer", c.ID)
			}
		}
	})
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	passages := []string{
		"Delivery takes two to four working days. Express delivery costs 9.90 EUR and takes one day.",
		"Returns are free for 30 days.",
		"配送には二日から四日かかります。",
		`{"answer":"Hello,\n\nAccounts stay open.\tAlways."}`,
		"The fee is waived for new customers. Refunds take 4 days within the EU; they are possible. Gift cards are not sold.",
		"De\u0301lai expire\u0301 a\u0300 E\u0301vreux.",
		"Well... let me see: it isn't there.",
	}
	tests := map[string]struct {
		quote string
		want  bool
	}{
		"word for word":                {"Delivery takes two to four working days.", true},
		"another passage":              {"Returns are free", true},
		"quotes and white space":       {"“express   delivery\ncosts 9.90 EUR”", true},
		"case and punctuation":         {"RETURNS ARE FREE - FOR 30 DAYS", true},
		"parts":                        {"Delivery takes two to four ... takes one day", true},
		"parts in another order":       {"takes one day ... Delivery takes two to four", false},
		"parts of two passages":        {"Delivery takes two to four ... free for 30 days", true},
		"parts of one word":            {"refunds ... are ... not ... sold", false},
		"dots in the passage":          {"Well... let me see", true},
		"another figure":               {"Refunds take 14 days within the EU", false},
		"the same figure":              {"Refunds take 4 days inside the EU", true},
		"a negation more":              {"The fee is not waived for new customers", false},
		"a negation less":              {"Gift cards are sold", false},
		"a contraction less":           {"let me see it is there", false},
		"composed, of decomposed":      {"délai expiré à Évreux", true},
		"parts, one made up":           {"Delivery takes two to four ... and is always free of charge", false},
		"one word of five differs":     {"Delivery takes two to five working days", true},
		"two words of five differ":     {"Delivery takes nine to five working weeks", false},
		"right words, far apart":       {"Delivery express four day one", false},
		"made up":                      {"Refunds are instant for gold members", false},
		"empty":                        {"", false},
		"only dots":                    {"... … .", false},
		"longer than every passage":    {strings.Repeat("Returns are free for 30 days ", 3), false},
		"script without spaces":        {"二日から四日", true},
		"script without spaces, not":   {"八月十五日本日休業", false},
		"behind an escaped line break": {"Accounts stay open", true},
		"behind an escaped tab":        {"Always", true},
		"a word as often as it stands": {"free free free free free", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := containsQuote(passages, tt.quote); got != tt.want {
				t.Errorf("got %v; want %v", got, tt.want)
			}
		})
	}
}

// FuzzQuoted: a piece of a passage that begins and ends with a word is found in it.
func FuzzQuoted(f *testing.F) {
	f.Add("Delivery takes two to four working days.", uint(1), uint(3))
	f.Add("a a b a a b", uint(2), uint(2))
	f.Add("日本 x 語", uint(0), uint(9))
	f.Fuzz(func(t *testing.T, passage string, from, n uint) {
		w := words(passage)
		if len(w) == 0 {
			return
		}
		start := int(from % uint(len(w)))
		end := start + 1 + int(n%uint(len(w)-start))
		if findWindow(w, w[start:end]) < 0 {
			t.Errorf("%q is not found in %q", w[start:end], w)
		}
	})
}

func TestSubstantial(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]bool{
		"":                                       false,
		" \n\t":                                  false,
		":":                                      false,
		"...!?":                                  false,
		"{}":                                     false,
		"👍":                                      false,
		"Thought process:":                       false,
		"Let's solve this problem step by step.": false,
		"Solution:":                              false,
		"**Answer:**\n":                          false,
		"Solution":                               true,
		"Explanation.":                           true,
		"A":                                      true,
		"7":                                      true,
		"はい":                                     true,
		"Solution: take the bus":                 true,
		`{"ok":true}`:                            true,
		"Thought process: first I looked at the bill.": true,
	} {
		if got := hasSubstance(output); got != want {
			t.Errorf("substantial(%q) = %v; want %v", output, got, want)
		}
	}
}
