package datasets_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
)

// fleet returns the keepers of n workers, each with its own store on the same
// database. A store in memory cannot be shared.
func (s suite) fleet(t *testing.T, n int) []*datasets.Keeper {
	t.Helper()
	if s.cfg.URL == "sqlite::memory:" {
		t.Skip("no other process sees it")
	}
	out := []*datasets.Keeper{s.keeper}
	for range n - 1 {
		out = append(out, keeper(t, open(t, s.cfg), s.cfg))
	}
	return out
}

// offer tries again, as the pipeline does, because a busy store may refuse.
func offer(ctx context.Context, t *testing.T, k *datasets.Keeper, r *eval.Report) int {
	t.Helper()
	var err error
	for range 20 {
		var n int
		if n, err = k.Offer(ctx, r, r.Event); err == nil {
			return n
		}
	}
	t.Error(err)
	return 0
}

// workers: several workers write the same cases at once, each in another order, and
// race for the same requests. Every request counts once.
func workers(t *testing.T, s suite) {
	t.Helper()
	const fleet, callers, requests, questions = 4, 8, 40, 7
	var mu sync.Mutex
	fresh := 0
	var wg sync.WaitGroup
	for w, k := range s.fleet(t, fleet) {
		for c := range callers {
			wg.Go(func() {
				for i := range requests {
					n := (i*(2*w+1) + c*5) % requests // another order for each
					r := report(n, fmt.Sprintf("question %c", 'a'+n%questions))
					// The same request may fail in another way elsewhere: another case.
					r.Verdicts = append(r.Verdicts, r.Verdicts[0])
					r.Verdicts[2].Eval, r.Verdicts[2].Reason = "judge", fmt.Sprintf("criterion %d", (n+w)%3)
					got := offer(t.Context(), t, k, r)
					mu.Lock()
					fresh += got
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	counts, err := s.cases.Counts(t.Context())
	if err != nil || counts.Occurrences != 2*requests || fresh != 2*requests {
		t.Errorf("%d occurrences, %d said to be new, %v; want %d", counts.Occurrences, fresh, err, 2*requests)
	}
	cases, err := s.cases.List(t.Context(), datasets.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		c, err := s.cases.Case(t.Context(), c.ID)
		if err != nil || len(c.Exemplars) != min(c.Count, s.cfg.MaxExemplars) {
			t.Errorf("case of %d requests with %d exemplars, %v", c.Count, len(c.Exemplars), err)
		}
	}
}

// hot: all workers write one case while old rows are pruned. The case has its first
// request and its latest ones, whichever worker wrote them.
func hot(t *testing.T, s suite) {
	t.Helper()
	const fleet, each = 3, 60
	var wg sync.WaitGroup
	for w, k := range s.fleet(t, fleet) {
		wg.Go(func() {
			for i := range each {
				offer(t.Context(), t, k, report(w+fleet*i, "q"))
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := s.store.Prune(t.Context(), start.Add(-time.Hour)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	c := s.only(t, datasets.Filter{})
	if c.Count != fleet*each || len(c.Exemplars) != s.cfg.MaxExemplars {
		t.Fatalf("count %d with %d exemplars, want %d and %d", c.Count, len(c.Exemplars), fleet*each, s.cfg.MaxExemplars)
	}
	if !c.FirstSeen.Equal(start) || !c.LastSeen.Equal(start.Add((fleet*each-1)*time.Second)) {
		t.Errorf("seen from %s to %s", c.FirstSeen, c.LastSeen)
	}
	for i, x := range c.Exemplars {
		want := fleet*each - len(c.Exemplars) + i
		if i == 0 {
			want = 0
		}
		if x.RequestID != report(want, "").Event.RequestID {
			t.Errorf("exemplar %d is %s", i, x.RequestID)
		}
	}
}
