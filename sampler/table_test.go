package sampler

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// TestConditionsFollowDims: every dimension of the envelope is a field of
// conditions, on headers and on the body.
func TestConditionsFollowDims(t *testing.T) {
	t.Parallel()
	if event.NumDims > 64 {
		t.Fatal("dimSet has 64 bits")
	}
	for i, name := range event.DimNames() {
		s, err := New(Config{Salt: "t", Rules: []Rule{{Name: "r", When: name + ` == "x"`, Rate: 1}}}, []Evaluator{{Name: "a", Judge: true}})
		if err != nil {
			t.Fatal(err)
		}
		for value, want := range map[string]int{"x": 1, "y": 0} {
			env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r"}
			env.Dims[i] = value
			byHeaders, _ := s.DecideHeaders([]event.Header{
				{Key: event.HeaderEvent, Value: []byte(env.Kind)},
				{Key: event.HeaderRequestID, Value: []byte("r")},
				{Key: event.HeaderTraceID},
				{Key: name, Value: []byte(value)},
			})
			if n := len(s.Decide(&env).Picks); n != want || len(byHeaders.Picks) != want {
				t.Errorf("%s %q: %d picks on the body, %d on headers; want %d", name, value, n, len(byHeaders.Picks), want)
			}
		}
	}
}

// dims returns dimensions of names and values in turn.
func dims(pairs ...string) (d event.Dims) {
	for i := 0; i < len(pairs); i += 2 {
		dim, _ := event.DimNamed(pairs[i])
		d[dim] = pairs[i+1]
	}
	return d
}

// set sets a dimension.
func set(d *event.Dims, name, value string) {
	dim, _ := event.DimNamed(name)
	d[dim] = value
}

// mixed is a policy whose conditions read four fields.
func mixed(t *testing.T) *Sampler {
	t.Helper()
	s, err := New(Config{DefaultRate: 0.3, Salt: "t", Rules: []Rule{
		{Name: "down", When: `user_rating == "down"`, Rate: 1},
		{Name: "long", When: `len(feature) > 200`, Rate: 0.7, Evaluators: []string{"b"}},
		{Name: "versions", When: `prompt_version matches "[02468]$"`, Rate: 0.6},
	}}, []Evaluator{{Name: "a", Judge: true}, {Name: "b", Judge: true, When: `model != "small"`}, {Name: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTableAgrees: a look-up returns what evaluation in place returns, while many
// goroutines fill the table far beyond its size.
func TestTableAgrees(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, worker))
			for range 20_000 {
				d := dims(
					"feature", strings.Repeat("f", r.IntN(3)*150),
					"prompt_version", fmt.Sprint(r.IntN(3000)),
					"user_rating", []string{"", "up", "down"}[r.IntN(3)],
					"model", []string{"", "small", "large"}[r.IntN(3)],
					"status", fmt.Sprint(r.Uint64()), // no condition reads it
				)
				evaluated, found := s.policy.rates(s.policy.match(&d, nil)), s.ratesOf(&d)
				if evaluated.wanted != found.wanted || evaluated.ceiling != found.ceiling || !slices.Equal(evaluated.thresholds, found.thresholds) ||
					!slices.Equal(evaluated.tallies, found.tallies) || !slices.Equal(evaluated.candidates, found.candidates) {
					t.Errorf("%+v: evaluated %+v, looked up %+v", d, evaluated.candidates, found.candidates)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestTableKeepsWhatRepeats: a repeated combination is looked up, fields that no
// condition reads do not count, and long values are never kept.
func TestTableKeepsWhatRepeats(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	d := dims("feature", "search", "model", "large", "status", "success")
	first := s.ratesOf(&d)
	set(&d, "status", "error")
	if s.ratesOf(&d) != first {
		t.Error("a field that no condition reads is part of the key")
	}
	e := event.Event{Kind: event.KindRequestCompleted, RequestID: "r", Feature: "search", Model: "large"}
	var view event.HeaderView
	view.Read(e.Headers(), true)
	if s.ratesOfView(&view) != first {
		t.Error("headers and body have different keys")
	}
	set(&d, "feature", strings.Repeat("f", maxKey))
	if s.ratesOf(&d); len(s.table.entries) != 1 {
		t.Errorf("%d combinations are kept, want the first: a long value is not", len(s.table.entries))
	}
	if set(&d, "model", "small"); s.ratesOf(&d) == first {
		t.Error("a field that a condition reads is not part of the key")
	}
}

// TestKeysAreUnambiguous: moving a character from one field to the next is
// another key.
func TestKeysAreUnambiguous(t *testing.T) {
	t.Parallel()
	key := func(values ...string) string {
		k := make([]byte, 0, maxKey)
		for _, v := range values {
			k, _ = appendKey(k, v)
		}
		return string(k)
	}
	seen := map[string][]string{}
	for _, values := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"", ""}, {"\x00", ""}, {"", "\x00"}, {"\x01a", ""}, {"", "a"}} {
		k := key(values...)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have the same key", values, other)
		}
		seen[k] = values
	}
}

// TestTableIsBounded: a table that is full is emptied, and what it holds is
// found by the whole key.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	var tab table
	all := map[string]*rates{}
	for i := range 20_000 {
		key := fmt.Sprint("key ", i)
		r := &rates{ceiling: uint64(i)}
		all[key] = r
		tab.put([]byte(key), r)
		if tab.find([]byte(key)) != r {
			t.Fatalf("%s is not found right after it was put", key)
		}
	}
	kept := 0
	for key, r := range all {
		if got := tab.find([]byte(key)); got == r {
			kept++
		} else if got != nil {
			t.Errorf("%s has another key's rates", key)
		}
	}
	if kept == 0 || kept > maxEntries {
		t.Errorf("%d of 20000 are kept, want at most %d", kept, maxEntries)
	}
}

// TestOutcomesAreBounded: results of all conditions beyond the bound are decided and
// not counted.
func TestOutcomesAreBounded(t *testing.T) {
	t.Parallel()
	const rules = 11 // 2^11 outcomes
	cfg := Config{DefaultRate: 0.5, Salt: "t"}
	for i := range rules {
		cfg.Rules = append(cfg.Rules, Rule{Name: fmt.Sprint("r", i), When: fmt.Sprintf(`feature contains "<%d>"`, i), Rate: 0.5})
	}
	s, err := New(cfg, []Evaluator{{Name: "a", Judge: true}})
	if err != nil {
		t.Fatal(err)
	}
	const events = 1 << rules
	for i := range events {
		feature := ""
		for bit := range rules {
			if i>>bit&1 == 1 {
				feature += fmt.Sprintf("<%d>", bit)
			}
		}
		want := "default"
		if i > 0 {
			want = fmt.Sprint("r", bits.TrailingZeros(uint(i)))
		}
		env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint(i)), Dims: dims("feature", feature)}
		if p := s.Decide(&env).Picks; len(p) > 0 && p[0].Rule != want {
			t.Fatalf("%s: picked by %q, want %q", feature, p[0].Rule, want)
		}
	}
	var seen, kept int64
	for _, share := range s.Shares() {
		seen, kept = seen+share.Seen, kept+share.Kept
	}
	if len(s.table.outcomes) != maxOutcomes || seen != maxOutcomes || kept < seen/2-100 || kept > seen/2+100 {
		t.Errorf("%d outcomes, %d of %d events kept; want %d outcomes, an event of each, half of them kept", len(s.table.outcomes), kept, seen, maxOutcomes)
	}
}
