package deadletter

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"sort"

	"github.com/evalworker/evalworker/kafka/consumer"
)

// HeaderRedriven makes a message of the topic of dead letters a mark. Its value holds
// the offsets, in the same partition, of letters that were redriven: a JSON array of
// runs, each [FIRST, LAST].
const HeaderRedriven = consumer.HeaderPrefix + "redriven"

// run is the offsets from first to last, both included.
type run struct{ first, last int64 }

// marks are the letters of one partition that were redriven.
type marks struct {
	runs   []run
	merged int // number of runs at the front that are ascending and do not touch
}

// maxUnmerged is how many runs are added before they are sorted and merged.
const maxUnmerged = 4096

func (m *marks) add(runs ...run) {
	m.runs = append(m.runs, runs...)
	if len(m.runs) >= 2*m.merged+maxUnmerged {
		m.merge()
	}
}

// merge sorts the runs and joins those that touch.
func (m *marks) merge() {
	slices.SortFunc(m.runs, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	out := m.runs[:0]
	for _, r := range m.runs {
		if n := len(out); n > 0 && r.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, r.last)
			continue
		}
		out = append(out, r)
	}
	m.runs, m.merged = out, len(out)
}

// has reports whether a letter was redriven.
func (m *marks) has(offset int64) bool {
	if m.merged != len(m.runs) {
		m.merge()
	}
	i := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].last >= offset })
	return i < len(m.runs) && m.runs[i].first <= offset
}

// encodeRuns returns the value of a mark for ascending offsets.
func encodeRuns(offsets []int64) []byte {
	var m marks
	for _, o := range offsets {
		m.runs = append(m.runs, run{o, o})
	}
	m.merge()
	pairs := make([][2]int64, len(m.runs))
	for i, r := range m.runs {
		pairs[i] = [2]int64{r.first, r.last}
	}
	out, err := json.Marshal(pairs)
	if err != nil {
		panic(err) // numbers are always JSON
	}
	return out
}

var errNoRuns = errors.New("no list of runs of offsets")

// decodeRuns reads the value of a mark at an offset. A mark only names offsets before
// its own; anything else was not written by this package.
func decodeRuns(value []byte, at int64) ([]run, error) {
	var pairs [][]int64
	if err := json.Unmarshal(value, &pairs); err != nil {
		return nil, errNoRuns
	}
	out := make([]run, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 || p[0] < 0 || p[1] < p[0] || p[1] >= at {
			return nil, errNoRuns
		}
		out[i] = run{p[0], p[1]}
	}
	return out, nil
}
