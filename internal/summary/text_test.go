package summary

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestNamesStayInTheirPlace: whatever stands in the names of prompts, versions and labels,
// lines are as wide as promised, and nothing in them controls the terminal.
func TestNamesStayInTheirPlace(t *testing.T) {
	t.Parallel()
	names := []string{
		"", " ", "v1", strings.Repeat("a", 64), strings.Repeat("a", 63) + "b", strings.Repeat("long ", 40),
		"日本語のプロンプト名前です長い長い長い長い一", "日本語のプロンプト名前です長い長い長い長い二", strings.Repeat("日本", 50),
		strings.Repeat("e\u0301", 10) + "1", strings.Repeat("e\u0301", 30) + "2", "👩‍👩‍👧‍👦", "👍🏽",
		"שלום עולם", strings.Repeat("مرحبا ", 20), "\u202eevil", "\u2066isolate",
		"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "v\u009b31m", "two\r\nlines", "tab\t", "zero\u200bwidth\ufeff\u2028",
	}
	s := New(Config{})
	for i, prompt := range names {
		for k, version := range names {
			for n := range 40 {
				v := eval.Verdict{Eval: "tone", Type: eval.TypeRule, Outcome: eval.OutcomePass, Probability: 1}
				if k%3 == 0 && n%2 == 0 {
					v.Outcome = eval.OutcomeFail
				}
				e := &event.Event{RequestID: event.RequestID(version), PromptName: prompt, PromptVersion: version}
				s.Report(&eval.Report{Event: e, Verdicts: []eval.Verdict{v}})
				if i%4 != 0 || k%5 != 0 { // this prompt has few versions
					break
				}
			}
		}
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if n := columnsOf(line); n > lineWidth {
			t.Errorf("%d columns: %q", n, line)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) && r != '\u200d' && r != '\u200e' }); i >= 0 {
			t.Errorf("a character that controls the terminal: %q", line)
		}
	}
	for _, want := range []string{`\x1b[31mred\x1b[0m`, `\x1b]0;title\x07`, `v\x9b31m`, `\u202eevil`, `two\x0d\x0alines`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestWidths: wide characters take two columns, combining ones none, and no character is
// taken apart.
func TestWidths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in        string
		width     int
		cut, full string
	}{
		{"abcdef", 4, "abc…", "abcdef"},
		{"日本語", 4, "日…", "日本語"},
		{"日本語", 5, "日本…", "日本語"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…", "e\u0301e\u0301e\u0301"},
		{"\x1bx", 4, `\x1…`, `\x1bx`},
	} {
		if got := truncate(tt.in, tt.width); got != tt.cut {
			t.Errorf("truncate(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.cut)
		}
		if got := truncate(tt.in, 20); got != tt.full {
			t.Errorf("truncate(%q, 20) = %q, want %q", tt.in, got, tt.full)
		}
	}
	if got := pad("日本", 6) + "|" + pad("e\u0301", 3) + "|"; got != "日本  |e\u0301  |" {
		t.Errorf("padded %q", got)
	}
	for in, want := range map[string]string{
		"v1  98.0":            "v1  98.0",
		"  שלום  98.0  97":    "  שלום\u200e  98.0  97",
		"  שלום עולם  98.0":   "  שלום עולם\u200e  98.0",
		"  שלום\n  v2  98.0 ": "  שלום\u200e\n  v2  98.0 ",
	} {
		if got := keepOrder(in); got != want {
			t.Errorf("keepOrder(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestLabelsDoNotControlTheTerminal: labels and ids come from the lines of a file.
func TestLabelsDoNotControlTheTerminal(t *testing.T) {
	t.Parallel()
	const bad = "\x1b[2J日本語日本語日本語"
	m := Measure{
		Eval: "tone", Events: 2, Accuracy: &Share{Value: 0.5},
		Labels:    []LabelMeasure{{Label: bad, True: 1, Found: 1}, {Label: "ok", True: 1, Found: 1}},
		Confusion: map[string]map[string]int{bad: {"ok": 1}, "ok": {bad: 1}},
		Misses:    []Miss{{Line: 1, RequestID: bad, Truth: bad, Verdict: bad, Reason: bad}}, Missed: 1,
	}
	var b strings.Builder
	if err := PrintMeasures(&b, []Measure{m}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\x1b") || !strings.Contains(b.String(), `\x1b[2J`) {
		t.Errorf("printed\n%q", b.String())
	}
}

// TestNothingToEvaluateIsOneLine: evaluators that found nothing to evaluate in any version of
// a prompt take a line, and no rows; one that decided, failed or could not tell has rows.
func TestNothingToEvaluateIsOneLine(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	add := func(prompt, version string, outcomes map[string]eval.Outcome) {
		r := &eval.Report{Event: &event.Event{PromptName: prompt, PromptVersion: version}}
		for name, o := range outcomes {
			r.Verdicts = append(r.Verdicts, eval.Verdict{Eval: name, Outcome: o, Probability: 1})
		}
		s.Report(r)
	}
	for i := range 400 {
		for _, version := range []string{"v1", "v2"} {
			add("triage", version, map[string]eval.Outcome{"citations": eval.OutcomeNotApplicable, "json_schema": eval.OutcomeNotApplicable, "tone": eval.OutcomePass, "unsure": eval.OutcomeCannotJudge})
		}
		later := eval.OutcomeNotApplicable
		if i == 399 {
			later = eval.OutcomePass
		}
		add("other", "v1", map[string]eval.Outcome{"citations": later, "json_schema": eval.OutcomeNotApplicable})
		add("empty", "v1", map[string]eval.Outcome{"json_schema": eval.OutcomeNotApplicable})
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"triage: nothing to evaluate for citations, json_schema in 800 events (n/a)\n",
		"other: nothing to evaluate for json_schema in 400 events (n/a)\n",
		"empty: nothing to evaluate for json_schema in 400 events (n/a)\n",
		"triage: v1: not compared by unsure: no decided verdict\n",
		"triage: v2: not compared by unsure: no decided verdict\n",
		"\n  unsure\n", "\n  tone\n", "\n    citations ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, no := range []string{"\n  citations", "\n  json_schema", "\nempty: v1", "not compared by json_schema", "not compared by citations, "} {
		if strings.Contains(text, no) {
			t.Errorf("%q stands in\n%s", no, text)
		}
	}
	if v := s.Tables().PromptVersions[0]; v.Evals["json_schema"].NotApplicable != 400 {
		t.Errorf("the tables lost it: %+v", v)
	}
}

// TestOnlyNothingAtAll: a file in which no evaluator had anything to do is told so.
func TestOnlyNothingAtAll(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	s.Report(&eval.Report{Event: &event.Event{PromptVersion: "v1"}, Verdicts: []eval.Verdict{{Eval: "tone", Outcome: eval.OutcomeNotApplicable, Probability: 1}}})
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	if want := "nothing to evaluate for tone in 1 event (n/a)\n"; b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
}

// TestOrderOfNamesIsTold: when only names tell which version is the newer one, whether
// nothing has a time or both began together, the order does not depend on that of the
// lines, and is told.
func TestOrderOfNamesIsTold(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		at    func(version string, i int) time.Time
		worse string
		told  bool
	}{
		"no times, the newer one first": {func(string, int) time.Time { return time.Time{} }, "v2 is worse than v1", true},
		"together":                      {func(_ string, i int) time.Time { return start.Add(time.Duration(i) * time.Minute) }, "v2 is worse than v1", true},
		"one after the other": {func(version string, i int) time.Time {
			if version == "v2" {
				i += 1000
			}
			return start.Add(time.Duration(i) * time.Minute)
		}, "v2 is worse than v1", false},
	} {
		s := New(Config{})
		for i := range 1000 {
			version, o := "v2", eval.OutcomePass
			if i >= 500 {
				version = "v1"
			}
			if version == "v2" && i%5 == 0 {
				o = eval.OutcomeFail
			}
			e := &event.Event{PromptName: "triage", PromptVersion: version, OccurredAt: tt.at(version, i%500)}
			s.Report(&eval.Report{Event: e, Started: start.Add(time.Duration(i) * time.Second), Verdicts: []eval.Verdict{{Eval: "tone", Outcome: o, Probability: 1}}})
		}
		var b strings.Builder
		if err := s.Tables().Print(&b); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		told := strings.Contains(text, "triage: versions began together or have no times, so their names give the order; --baseline names another")
		if !strings.Contains(text, tt.worse) || told != tt.told {
			t.Errorf("%s: told %v, printed\n%s", name, told, &b)
		}
	}
}

// TestTheWorseOneMayBeTheFirst: of two versions that began together the one that its name
// makes the first may be the new one, and worse.
func TestTheWorseOneMayBeTheFirst(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	for i := range 500 {
		for _, version := range []string{"a", "b"} {
			o := eval.OutcomePass
			if version == "a" && i%5 == 0 {
				o = eval.OutcomeFail
			}
			e := &event.Event{PromptVersion: version}
			s.Report(&eval.Report{Event: e, Verdicts: []eval.Verdict{{Eval: "tone", Outcome: o, Probability: 1}, {Eval: "length", Outcome: eval.OutcomePass, Probability: 1}}})
		}
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(strings.Fields(b.String()), " "); !strings.Contains(text, "; --baseline names another. The other way round, a may be worse than b by tone ") {
		t.Errorf("printed\n%s", &b)
	}
}

// TestALongPromptKeepsItsVersion: the version stands behind the name of a prompt that is cut.
func TestALongPromptKeepsItsVersion(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	e := &event.Event{PromptName: strings.Repeat("prompt", 40), PromptVersion: "v17"}
	s.Report(&eval.Report{Event: e, Verdicts: []eval.Verdict{{Eval: "tone", Outcome: eval.OutcomePass, Probability: 1}}})
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "…: v17\n") {
		t.Errorf("printed\n%s", &b)
	}
}

// TestVersionsStandInTheOrderOfTime: names such as hashes have another order than time. The
// rows, and the last versions that are named, are in that of time.
func TestVersionsStandInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	for day, version := range []string{"f0", "a1", "e2", "b3", "d4", "c5", "07"} {
		for i := range 100 {
			e := &event.Event{PromptName: "triage", PromptVersion: version, OccurredAt: time.Date(2026, 6, 1+day, 0, i, 0, 0, time.UTC)}
			s.Report(&eval.Report{Event: e, Verdicts: []eval.Verdict{{Eval: "tone", Outcome: eval.OutcomePass, Probability: 1}}})
		}
	}
	var b strings.Builder
	if err := s.Tables().Print(&b); err != nil {
		t.Fatal(err)
	}
	var rows, named []string
	for line := range strings.Lines(b.String()) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "    ") && len(fields) > 2 && fields[1] == "100.0" {
			rows = append(rows, fields[0])
		} else if strings.Contains(line, " against ") {
			named = append(named, fields[1]+" "+strings.TrimSuffix(fields[3], ":"))
		}
	}
	if got, want := strings.Join(rows, " "), "f0 a1 e2 b3 d4 c5 07"; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
	if got, want := strings.Join(named, ", "), "e2 a1, b3 e2, d4 b3, c5 d4, 07 c5"; got != want {
		t.Errorf("named %s, want %s\n%s", got, want, &b)
	}
}
