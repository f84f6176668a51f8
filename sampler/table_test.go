package sampler

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/event"
)

// TestFieldsFollowDims: a field that joins event.Dims must join the tables here.
func TestFieldsFollowDims(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[event.Dims]()
	if typ.NumField() != numFields {
		t.Fatalf("eval.Dims has %d fields, want %d", typ.NumField(), numFields)
	}
	var d event.Dims
	for i, p := range dimsOf(&d) {
		name := typ.Field(i).Tag.Get("expr")
		if fieldNames[i] != name {
			t.Errorf("field %d is %q, want %q", i, fieldNames[i], name)
		}
		if f, ok := fieldOf(name); !ok || int(f) != i {
			t.Errorf("the header %q is field %d, %t; want %d", name, f, ok, i)
		}
		if p != reflect.ValueOf(&d).Elem().Field(i).Addr().Interface() {
			t.Errorf("field %d points elsewhere", i)
		}
	}
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

// TestTableAgrees: a look-up gives what evaluation in place gives, while many
// goroutines fill the table far beyond its size.
func TestTableAgrees(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, worker))
			for range 20_000 {
				d := event.Dims{
					Feature:       strings.Repeat("f", r.IntN(3)*150),
					PromptVersion: fmt.Sprint(r.IntN(3000)),
					UserRating:    []string{"", "up", "down"}[r.IntN(3)],
					Model:         []string{"", "small", "large"}[r.IntN(3)],
					Status:        fmt.Sprint(r.Uint64()), // read by nobody
				}
				if diff := cmp.Diff(s.policy.resolve(&d), s.ratesOf(&d), cmp.AllowUnexported(rates{}, wanted{})); diff != "" {
					t.Errorf("%+v (-evaluated +looked up):\n%s", d, diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestTableKeepsWhatRepeats: a combination that was seen is looked up, fields
// that no condition reads do not count, and what is too long is never kept.
func TestTableKeepsWhatRepeats(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	d := event.Dims{Feature: "search", Model: "large", Status: "success"}
	first := s.ratesOf(&d)
	d.Status = "error"
	if s.ratesOf(&d) != first {
		t.Error("a field that no condition reads is part of the key")
	}
	e := event.Event{Kind: event.KindRequestCompleted, RequestID: "r", Feature: "search", Model: "large"}
	var in found
	hs := e.Headers()
	in.scan(hs, true)
	if s.ratesIn(hs, &in.dims) != first {
		t.Error("headers and body have different keys")
	}
	d.Feature = strings.Repeat("f", maxKey)
	if once, again := s.ratesOf(&d), s.ratesOf(&d); once == again {
		t.Error("a long value is kept")
	}
	if d.Model = "small"; s.ratesOf(&d) == first {
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

// TestTableIsBounded: keys that share a set drive each other out and nothing
// else, and every look-up is verified by the whole key.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	var tab table
	all := map[string]*rates{}
	for i := range 20_000 {
		key := fmt.Sprint("key ", i)
		r := &rates{ceiling: uint64(i)}
		all[key] = r
		_, h := tab.find([]byte(key))
		tab.put([]byte(key), h, r)
		if got, _ := tab.find([]byte(key)); got != r {
			t.Fatalf("%s is not found right after it was put", key)
		}
	}
	kept := 0
	for key, r := range all {
		if got, _ := tab.find([]byte(key)); got == r {
			kept++
		} else if got != nil {
			t.Errorf("%s gives another key's rates", key)
		}
	}
	if kept != numSets*waysPerSet {
		t.Errorf("%d of 20000 are kept, want the table full: %d", kept, numSets*waysPerSet)
	}
}
