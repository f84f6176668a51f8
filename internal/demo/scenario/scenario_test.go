package scenario

import (
	"encoding/json"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
)

func load(tb testing.TB, name string) *Scenario {
	tb.Helper()
	s, err := Load(name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func take(seq iter.Seq[event.Event], n int) []event.Event {
	out := make([]event.Event, 0, n)
	for e := range seq {
		if out = append(out, e); len(out) == n {
			break
		}
	}
	return out
}

func encode(tb testing.TB, e *event.Event) []byte {
	tb.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestNamesCanBeLoaded(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"healthy", "regressed"}, Names()); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
	for _, name := range Names() {
		s := load(t, name)
		if s.Name != name || s.Description == "" {
			t.Errorf("scenario %s: Name %q, Description %q", name, s.Name, s.Description)
		}
		if diff := cmp.Diff([]string{"2026-06-01.1", "2026-06-01.2", "2026-06-01.3"}, s.Versions()); diff != "" {
			t.Errorf("Versions (-want +got):\n%s", diff)
		}
		var file scenarioFile
		if err := readFile("data/scenarios/"+name+".json", &file); err != nil {
			t.Error(err)
		}
		if err := check(file, s.world, s.tickets).Err(); err != nil {
			t.Errorf("scenario %s: %v", name, err)
		}
		if len(s.tickets) < 40 {
			t.Errorf("scenario %s: %d tickets, want at least 40", name, len(s.tickets))
		}
	}
}

func TestLoadNamesWhatItKnows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"regresed", "", "../world"} {
		_, err := Load(name)
		if err == nil || !strings.Contains(err.Error(), "healthy, regressed") {
			t.Errorf("Load(%q) = %v, want an error that lists the scenarios", name, err)
		}
	}
}

func TestEventsAreTheSameForASeed(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Feedback: true}} {
		// Two loads, so that nothing depends on the order of a map.
		a, b := take(load(t, "regressed").Events(7, o), 500), take(load(t, "regressed").Events(7, o), 500)
		for i := range a {
			if diff := cmp.Diff(string(encode(t, &a[i])), string(encode(t, &b[i]))); diff != "" {
				t.Fatalf("event %d (-first +second):\n%s", i, diff)
			}
		}
		other := take(load(t, "regressed").Events(8, o), 1)
		if other[0].RequestID == a[0].RequestID {
			t.Error("seeds 7 and 8 begin with the same request")
		}
	}
}

func TestEventsCanBeRangedOverAgain(t *testing.T) {
	t.Parallel()
	seq := load(t, "healthy").Events(3, Options{})
	first, again := take(seq, 20), take(seq, 20)
	for i := range first {
		if first[i].RequestID != again[i].RequestID {
			t.Fatalf("event %d differs between two ranges over one sequence", i)
		}
	}
}

func TestEventsAreOnesThatAStrictReaderAccepts(t *testing.T) {
	t.Parallel()
	ids := map[event.RequestID]bool{}
	traces := map[event.TraceID]bool{}
	var last event.Event
	feedback := 0
	for i, e := range take(load(t, "regressed").Events(11, Options{Feedback: true}), 4000) {
		got, err := event.DecodeStrict(encode(t, &e))
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if diff := cmp.Diff(e.Envelope(), got.Envelope()); diff != "" {
			t.Fatalf("event %d: envelope (-sent +read):\n%s", i, diff)
		}
		trace, span := e.Origin()
		if e.Kind == event.KindUserFeedback {
			feedback++
			if e.RequestID != last.RequestID || e.UserRating == "" || !e.OccurredAt.After(last.OccurredAt) {
				t.Fatalf("event %d: feedback on %s (rating %q) after request %s", i, e.RequestID, e.UserRating, last.RequestID)
			}
			continue
		}
		if ids[e.RequestID] || traces[trace] || trace.IsZero() || span == 0 {
			t.Fatalf("event %d: request %s or trace %s is not its own", i, e.RequestID, trace)
		}
		ids[e.RequestID], traces[trace] = true, true
		if e.OccurredAt.Before(last.OccurredAt) {
			t.Fatalf("event %d is earlier than the one before it", i)
		}
		if e.Input.IsZero() || e.Output.IsZero() == (e.Status == "success") {
			t.Fatalf("event %d: status %s, input absent %t, output absent %t", i, e.Status, e.Input.IsZero(), e.Output.IsZero())
		}
		if strings.ContainsAny(e.Input.Text()+e.Output.Text(), "{") && strings.Contains(e.Input.Text()+e.Output.Text(), "{name}") {
			t.Fatalf("event %d: a slot was not filled in", i)
		}
		last = e
	}
	if feedback == 0 {
		t.Error("no feedback event among 4000, though they were asked for")
	}
}

func TestFeedbackIsAnOption(t *testing.T) {
	t.Parallel()
	for i, e := range take(load(t, "healthy").Events(1, Options{}), 2000) {
		if e.Kind != event.KindRequestCompleted {
			t.Fatalf("event %d is a %s", i, e.Kind)
		}
	}
}

func TestSchemaKnowsTheDefects(t *testing.T) {
	t.Parallel()
	s := load(t, "regressed")
	schema := compile(t, s)
	g := &generator{s: s, r: rand.New(rand.NewPCG(1, 1))}
	for range 200 {
		p := g.reply(&s.tickets[g.r.IntN(len(s.tickets))], "good", strings.NewReplacer())
		if err := validate(schema, p.json()); err != nil {
			t.Fatalf("a whole reply is invalid: %v", err)
		}
		for _, d := range defects {
			text, finish := p.withDefect(g.r, d)
			if validate(schema, text) == nil {
				t.Errorf("a reply with the defect %s is valid", d)
			}
			if (finish == "length") != (d == "truncated") {
				t.Errorf("a reply with the defect %s stopped for %q", d, finish)
			}
		}
	}
}

func TestPersonalDataIsFormedAsTheRealThing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		digits := strings.ReplaceAll(cardNumber(r), " ", "")
		sum := 0
		for i, c := range []byte(digits) {
			n := int(c - '0')
			if i%2 == 0 {
				n = n*2/10 + n*2%10
			}
			sum += n
		}
		if len(digits) != 16 || sum%10 != 0 {
			t.Fatalf("a card number of %d digits with Luhn sum %d", len(digits), sum)
		}
	}
	addresses, cards := 0, 0
	for _, e := range take(load(t, "healthy").Events(2, Options{}), 3000) {
		if strings.Contains(e.Input.Text(), string('@')+"example.com") {
			addresses++
		}
		if strings.Contains(e.Input.Text(), "I paid with the card 4") {
			cards++
		}
	}
	if addresses == 0 || cards == 0 {
		t.Errorf("%d addresses and %d card numbers in 3000 inputs, want some of each", addresses, cards)
	}
}

func TestCheckFindsFaultyData(t *testing.T) {
	t.Parallel()
	s := load(t, "healthy")
	good := func() scenarioFile {
		return scenarioFile{Versions: []*version{{
			Version: "a", Share: 1, Answers: map[string]float64{"good": 1}, Defects: map[string]float64{"wrapped": 1},
		}}}
	}
	for name, c := range map[string]struct {
		spoil func(*scenarioFile)
		want  string
	}{
		"shares":         {func(f *scenarioFile) { f.Versions[0].Share = 0.9 }, "versions: the shares add up to 0.9"},
		"rate":           {func(f *scenarioFile) { f.Versions[0].InvalidJSON = 2 }, "versions[0].invalid_json"},
		"unknown kind":   {func(f *scenarioFile) { f.Versions[0].Answers = map[string]float64{"fine": 1} }, "versions[0].answers.fine"},
		"unknown defect": {func(f *scenarioFile) { f.Versions[0].Defects = map[string]float64{"late": 1} }, "versions[0].defects.late"},
		"negative":       {func(f *scenarioFile) { f.Versions[0].Answers = map[string]float64{"good": 2, "wrong": -1} }, "below zero"},
		"no versions":    {func(f *scenarioFile) { f.Versions = nil }, "versions: the shares add up to 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := good()
			if faults := check(f, s.world, s.tickets); len(faults) > 0 {
				t.Fatalf("faults before it was spoilt: %v", faults)
			}
			c.spoil(&f)
			if got := check(f, s.world, s.tickets).Error(); !strings.Contains(got, c.want) {
				t.Errorf("faults %q, want one with %q", got, c.want)
			}
		})
	}
	faults := check(good(), world{Judge: s.world.Judge, Answers: map[string]answer{"good": {Fails: []string{"taste"}}}}, []ticket{{ID: "t", Tool: "none"}})
	for _, want := range []string{"models", "tenants", "names", "greetings", "closings", "error_types", "answers.good.fails", "tickets.t", "tickets.t.tool", "tickets.t.good"} {
		if !slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.Path == want }) {
			t.Errorf("no fault at %s", want)
		}
	}
}

func compile(tb testing.TB, s *Scenario) *jsonschema.Schema {
	tb.Helper()
	schema, err := jsonschema.CompileString("support_reply.json", string(s.Schemas()["support_reply"]))
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, text string) error {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	return schema.Validate(v)
}

func BenchmarkEvents(b *testing.B) {
	s := load(b, "regressed")
	b.ReportAllocs()
	next, stop := iter.Pull(s.Events(1, Options{}))
	defer stop()
	for b.Loop() {
		if _, ok := next(); !ok {
			b.Fatal("the sequence ended")
		}
	}
}
