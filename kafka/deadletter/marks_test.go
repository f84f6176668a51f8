package deadletter

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarks(t *testing.T) {
	t.Parallel()
	var m marks
	if m.has(0) {
		t.Error("no mark marks 0")
	}
	m.add(run{5, 6}, run{0, 0}, run{7, 7}, run{3, 3}, run{5, 5})
	for offset, want := range []bool{true, false, false, true, false, true, true, true, false} {
		if m.has(int64(offset)) != want {
			t.Errorf("has(%d) = %v", offset, !want)
		}
	}
	if diff := cmp.Diff([]run{{0, 0}, {3, 3}, {5, 7}}, m.runs, cmp.AllowUnexported(run{})); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// TestMarksStaySmall: one mark for each of many letters takes no more memory than one
// run.
func TestMarksStaySmall(t *testing.T) {
	t.Parallel()
	var m marks
	const letters = 100_000
	for i := range int64(letters) {
		m.add(run{i, i})
		if len(m.runs) > 2*maxUnmerged {
			t.Fatalf("%d runs after %d letters", len(m.runs), i)
		}
	}
	if !m.has(0) || !m.has(letters-1) || m.has(letters) || len(m.runs) != 1 {
		t.Errorf("%d runs", len(m.runs))
	}
}

// TestMarksAgree compares the runs with a set.
func TestMarksAgree(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers each time
	for range 200 {
		var m marks
		set := map[int64]bool{}
		for range r.IntN(40) {
			first := r.Int64N(60)
			last := first + r.Int64N(4)
			m.add(run{first, last})
			for o := first; o <= last; o++ {
				set[o] = true
			}
			if o := r.Int64N(70); m.has(o) != set[o] {
				t.Fatalf("has(%d) = %v with %v", o, m.has(o), m.runs)
			}
		}
	}
}

func TestRunsOfAMark(t *testing.T) {
	t.Parallel()
	if got := string(encodeRuns([]int64{3, 4, 5, 9})); got != "[[3,5],[9,9]]" {
		t.Errorf("encodeRuns = %s", got)
	}
	for _, bad := range []string{"", "null-", "{}", "[3]", "[[1]]", "[[1,2,3]]", "[[-1,2]]", "[[5,4]]", "[[5,10]]", `[["a","b"]]`, "[[1.5,2]]"} {
		if got, err := decodeRuns([]byte(bad), 10); err == nil {
			t.Errorf("decodeRuns(%s) = %v", bad, got)
		}
	}
}

func FuzzDecodeRuns(f *testing.F) {
	f.Add([]byte("[[3,5],[9,9]]"), int64(10))
	f.Add([]byte("[[9223372036854775806,9223372036854775806]]"), int64(9223372036854775807))
	f.Add([]byte("[]"), int64(0))
	f.Add([]byte("null"), int64(1))
	f.Fuzz(func(t *testing.T, value []byte, at int64) {
		runs, err := decodeRuns(value, at)
		if err != nil {
			return
		}
		var m marks
		m.add(runs...)
		for _, r := range runs {
			if r.first < 0 || r.last < r.first || r.last >= at {
				t.Fatalf("run %v of a mark at %d", r, at)
			}
			if !m.has(r.first) || !m.has(r.last) {
				t.Fatalf("%v is not marked by itself", r)
			}
		}
		if m.has(at) {
			t.Fatalf("a mark at %d marks itself", at)
		}
		pairs := make([][2]int64, len(m.runs))
		for i, r := range m.runs {
			pairs[i] = [2]int64{r.first, r.last}
		}
		again, err := json.Marshal(pairs)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeRuns(again, at); err != nil || len(back) != len(m.runs) {
			t.Fatalf("%s does not come back: %v", again, err)
		}
	})
}
