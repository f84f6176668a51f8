package consumer

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// The simulations of this file hold what docs/scaling.md promises of a fleet, and write
// its tables. The assignor, the tracker and the commits are the program's own; brokers,
// events and time are simulated:
//
//	make scale        # the same with -update
var update = flag.Bool("update", false, "write the simulated tables into docs/scaling.md")

const scalingPage = "../../docs/scaling.md"

// TestScale: a fleet of up to 64 workers and 1,000 partitions is balanced to one
// partition, moves hardly more than it must when workers come and go, and commits within
// its bounds at 1,000,000 events a second; and the tables of docs/scaling.md are these.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("the simulation takes some seconds")
	}
	t.Parallel()
	tables := []string{movesTable(t), trafficTable(t)}
	if t.Failed() {
		return
	}
	b, err := os.ReadFile(scalingPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for i, table := range tables {
		begin, end := fmt.Sprintf("<!-- simulated: %d -->\n", i+1), "<!-- end -->"
		before, rest, opened := strings.Cut(page, begin)
		old, after, closed := strings.Cut(rest, end)
		if !opened || !closed {
			t.Fatalf("%s has no table %d", scalingPage, i+1)
		}
		// Other processors round sums in another way, which may change the last digits.
		if old != table && runtime.GOARCH == "amd64" && !*update {
			t.Errorf("table %d of docs/scaling.md is\n%s\nwant\n%s\nrun make scale", i+1, old, table)
		}
		page = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(scalingPage, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// fleet is a group of workers that share the partitions of one topic.
type fleet struct {
	topic      []kafka.Partition
	workers    []*fleetWorker
	owners     map[int]*fleetWorker // by partition
	generation int32
	joined     int // workers that have ever joined
}

// fleetWorker is a member with the claim that it joins with.
type fleetWorker struct {
	id       string
	assignor *assignor
	owned    []int
}

// newFleet returns a fleet whose workers joined one after the other.
func newFleet(t *testing.T, workers, partitions int) *fleet {
	f := &fleet{topic: topicPartitions(partitions), owners: map[int]*fleetWorker{}}
	for range workers {
		f.join()
		f.rebalance(t)
	}
	return f
}

func (f *fleet) join() {
	f.joined++
	// A broker gives ids that do not sort by the time of joining.
	id := fmt.Sprintf("%03d-%d", f.joined*37%101, f.joined)
	f.workers = append(f.workers, &fleetWorker{id: id, assignor: &assignor{topic: testTopic}})
}

// leave removes the oldest worker.
func (f *fleet) leave() { f.workers = f.workers[1:] }

// moves are the partitions that a rebalance gave to another worker, and the least number
// that any balanced assignment moves. A partition that had no owner is not among them.
type moves struct{ made, least int }

func (m *moves) add(other moves) {
	m.made += other.made
	m.least += other.least
}

// rebalance lets every worker join and one of them assign, as kafka-go does.
func (f *fleet) rebalance(t *testing.T) moves {
	t.Helper()
	members := make([]kafka.GroupMember, len(f.workers))
	for i, w := range f.workers {
		data, err := w.assignor.UserData()
		if err != nil {
			t.Fatal(err)
		}
		members[i] = kafka.GroupMember{ID: w.id, Topics: []string{testTopic}, UserData: data}
	}
	m := moves{made: 0, least: f.leastMoves()}
	given := f.workers[0].assignor.AssignGroups(members, f.topic)
	f.generation++
	owners := make(map[int]*fleetWorker, len(f.topic))
	for _, w := range f.workers {
		w.owned = given[w.id][testTopic]
		w.assignor.setClaim(f.generation, w.owned)
		for _, id := range w.owned {
			if owners[id] != nil {
				t.Fatalf("partition %d has two owners", id)
			}
			owners[id] = w
			if before := f.owners[id]; before != nil && before != w {
				m.made++
			}
		}
	}
	if len(owners) != len(f.topic) {
		t.Fatalf("%d of %d partitions have an owner", len(owners), len(f.topic))
	}
	f.owners = owners
	return m
}

// leastMoves returns how many partitions move at least, from what each worker has: a
// balanced assignment lets a worker keep a floor of the mean, and as many as there are
// partitions left over one more.
func (f *fleet) leastMoves() int {
	floor, extra := len(f.topic)/len(f.workers), len(f.topic)%len(f.workers)
	owned, kept := 0, 0
	for range f.owners {
		owned++
	}
	for _, w := range f.workers {
		kept += min(len(w.owned), floor)
		if len(w.owned) > floor && extra > 0 {
			kept++
			extra--
		}
	}
	return owned - kept
}

// spread returns the fewest and the most partitions that a worker has.
func (f *fleet) spread() (fewest, most int) {
	fewest = len(f.topic)
	for _, w := range f.workers {
		fewest, most = min(fewest, len(w.owned)), max(most, len(w.owned))
	}
	return fewest, most
}

// movesTable simulates who owns what when workers come and go.
func movesTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| workers | partitions | a worker has | one leaves | one joins | one crashes and comes back | rolling deployment | rebalances in it |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	check := func(what string, f *fleet, m moves) {
		if m.made > 2*m.least {
			t.Errorf("%d workers, %d partitions, %s: %d partitions moved, %d are enough", len(f.workers), len(f.topic), what, m.made, m.least)
		}
		if fewest, most := f.spread(); most-fewest > 1 {
			t.Errorf("%d workers, %d partitions, %s: a worker has %d to %d partitions", len(f.workers), len(f.topic), what, fewest, most)
		}
	}
	show := func(m moves) string { return fmt.Sprintf("%d (%d)", m.made, m.least) }
	for _, size := range []struct{ workers, partitions int }{
		{1, 1000}, {2, 12}, {3, 64}, {8, 64}, {16, 100}, {16, 256}, {32, 1000}, {64, 64}, {64, 256}, {64, 1000},
	} {
		f := newFleet(t, size.workers, size.partitions)
		fewest, most := f.spread()
		row := []string{fmt.Sprint(size.workers), fmt.Sprint(size.partitions), fmt.Sprintf("%d to %d", fewest, most)}

		var left, joined moves
		if size.workers > 1 {
			f.leave()
			left = f.rebalance(t)
			check("one left", f, left)
			f.join()
			joined = f.rebalance(t)
			check("one joined", f, joined)
		}
		crash := left // the others take over, and the one that comes back knows nothing
		crash.add(joined)

		var rolling moves
		for range size.workers { // one more, then one fewer, as with maxSurge 1 and maxUnavailable 0
			f.join()
			m := f.rebalance(t)
			check("deployment, one joined", f, m)
			rolling.add(m)
			f.leave()
			m = f.rebalance(t)
			check("deployment, one left", f, m)
			rolling.add(m)
		}
		row = append(row, show(left), show(joined), show(crash), show(rolling), fmt.Sprint(2*size.workers))
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return b.String()
}

// traffic is what a fleet reads, and how its events are handled.
type traffic struct {
	workers, partitions int
	events              int     // a second, in all
	validated, judged   float64 // shares of the events
	judge               time.Duration
	failing             float64 // share of the evaluated events
}

const (
	// simulated is the time of which a row tells, after a second that fills the trackers.
	simulated = 3 * time.Second
	warmUp    = 1 * time.Second
	// transaction is the time that the database takes for one; it takes all that waits.
	transaction = 5 * time.Millisecond
	// storeGroup bounds the changes of one transaction, as the package store does.
	storeGroup = 256
)

// load is what one worker asks of brokers and store in the simulated time.
type load struct {
	commits, offsets, bytes int // requests; offsets in them; bytes of metadata
	mostMetadata, mostSpans int
	busy                    time.Duration // sum of all judges' times
	waited                  int           // events that waited for a place
	late                    time.Duration // how far reading was behind at the end
	transactions, rows      int
}

func (l *load) add(o load) {
	l.commits += o.commits
	l.offsets += o.offsets
	l.bytes += o.bytes
	l.mostMetadata, l.mostSpans = max(l.mostMetadata, o.mostMetadata), max(l.mostSpans, o.mostSpans)
	l.busy += o.busy
	l.waited += o.waited
	l.late = max(l.late, o.late)
	l.transactions += o.transactions
	l.rows += o.rows
}

// judgement is the end of one event's evaluation.
type judgement struct {
	at      time.Duration
	tracker *tracker
	span    *span
}

// judgements is a heap; the earliest end is its first.
type judgements []judgement

func (j judgements) Len() int           { return len(j) }
func (j judgements) Less(a, b int) bool { return j[a].at < j[b].at }
func (j judgements) Swap(a, b int)      { j[a], j[b] = j[b], j[a] }
func (j *judgements) Push(x any)        { *j = append(*j, x.(judgement)) }
func (j *judgements) Pop() any {
	old := *j
	last := old[len(old)-1]
	*j = old[:len(old)-1]
	return last
}

// simulate lets one worker read its partitions.
func (tr traffic) simulate(partitions int, seed uint64) (l load) {
	cfg := DefaultConfig()
	//nolint:gosec // a simulation wants a repeatable source
	random := rand.New(rand.NewPCG(seed, uint64(tr.workers)))
	parts := make([]*tracker, partitions)
	for i := range parts {
		parts[i] = newTracker(0)
	}
	offsets := make([]int64, partitions)
	var running judgements
	var now, nextCommit, written time.Duration // written: when the store is free again
	waiting := 0                               // changes that wait for the store
	measuring := func() bool { return now >= warmUp }

	store := func() { // makes the transactions that end before now
		for waiting > 0 && written+transaction <= now {
			n := min(waiting, storeGroup)
			waiting -= n
			written += transaction
			if measuring() {
				l.transactions++
				l.rows += n
			}
		}
	}
	commit := func() {
		sent := 0
		for i, tracker := range parts {
			cp, ok := tracker.checkpoint()
			if !ok {
				continue
			}
			request := cp.request(i, maxMetadata)
			tracker.commitAccepted(cp, time.Time{})
			sent++
			if measuring() {
				l.offsets++
				l.bytes += len(request.Metadata)
				l.mostMetadata = max(l.mostMetadata, len(request.Metadata))
				l.mostSpans = max(l.mostSpans, tracker.spans)
			}
		}
		if sent > 0 && measuring() {
			l.commits++
		}
	}
	advance := func(to time.Duration) { // ends what ends, and commits what is due, until then
		for {
			end := time.Duration(math.MaxInt64)
			if len(running) > 0 {
				end = running[0].at
			}
			if min(end, nextCommit) > to {
				break
			}
			if nextCommit <= end {
				now = max(now, nextCommit)
				commit()
				nextCommit += cfg.CommitInterval
				continue
			}
			now = max(now, end)
			done := heap.Pop(&running).(judgement)
			done.tracker.finish(done.span)
		}
		now = max(now, to)
		store()
	}
	fail := func() {
		if random.Float64() >= tr.failing {
			return
		}
		if waiting == 0 {
			written = max(written, now)
		}
		waiting++
	}

	spacing := float64(time.Second) * float64(tr.workers) / float64(tr.events)
	for k := 0; ; k++ {
		due := time.Duration(float64(k) * spacing)
		if due >= warmUp+simulated {
			l.late = max(0, now-due)
			return l
		}
		advance(max(now, due))
		p := random.IntN(partitions)
		tracker, offset := parts[p], offsets[p]
		offsets[p]++
		switch u := random.Float64(); {
		case u < tr.judged:
			for waits := 0; len(running) >= cfg.MaxInFlight || tracker.spans >= cfg.Window; waits++ {
				if waits == 0 && measuring() {
					l.waited++
				}
				advance(running[0].at)
			}
			// Half of all calls take between 0.6 and 1.5 times the median, one in a hundred four times.
			took := time.Duration(float64(tr.judge) * math.Exp(0.6*random.NormFloat64()))
			heap.Push(&running, judgement{now + took, tracker, tracker.begin(offset, time.Time{})})
			if measuring() {
				l.busy += took
			}
			fail()
		case u < tr.judged+tr.validated: // takes microseconds, so that it ends at once
			tracker.finish(tracker.begin(offset, time.Time{}))
			fail()
		default:
			tracker.skip(offset)
		}
	}
}

// trafficTable simulates what a fleet asks of the coordinator and of the store.
func trafficTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| workers | partitions | events/s | judged/s, each takes | places taken | commits/s | offsets in them/s | metadata, mean and most | tracked entries, most | failing events/s | transactions/s |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, tr := range []traffic{
		{workers: 1, partitions: 12, events: 1_000, validated: 0.95, judged: 0.05, judge: time.Second, failing: 0.02},
		{workers: 4, partitions: 64, events: 20_000, validated: 0.1, judged: 0.01, judge: time.Second, failing: 0.02},
		{workers: 16, partitions: 256, events: 250_000, validated: 0.1, judged: 0.01, judge: time.Second, failing: 0.02},
		{workers: 64, partitions: 64, events: 1_000_000, validated: 0.1, judged: 0.01, judge: time.Second, failing: 0.02},
		{workers: 64, partitions: 1000, events: 1_000_000, validated: 0.1, judged: 0.01, judge: time.Second, failing: 0.02},
		{workers: 64, partitions: 1000, events: 1_000_000, validated: 0.1, judged: 0.001, judge: 5 * time.Second, failing: 0.02},
	} {
		// The workers with the fewest and with the most partitions are simulated, and stand for the others.
		low, extra := tr.partitions/tr.workers, tr.partitions%tr.workers
		var all load
		for i, kind := range []struct{ partitions, workers int }{{low, tr.workers - extra}, {low + 1, extra}} {
			if kind.workers == 0 {
				continue
			}
			one := tr.simulate(kind.partitions, uint64(i))
			if one.waited > 0 || one.late > cfgCommitInterval {
				t.Errorf("%+v: %d events waited for a place, and reading is %s behind", tr, one.waited, one.late)
			}
			for range kind.workers {
				all.add(one)
			}
		}
		if all.mostMetadata > maxMetadata || all.mostSpans > DefaultConfig().Window {
			t.Errorf("%+v: metadata of %d bytes, %d tracked entries", tr, all.mostMetadata, all.mostSpans)
		}
		second := func(n int) string { return thousands(int(math.Round(float64(n) / simulated.Seconds()))) }
		places := all.busy.Seconds() / simulated.Seconds() / float64(tr.workers*DefaultConfig().MaxInFlight)
		fmt.Fprintf(&b, "| %d | %d | %s | %s, %s | %.0f %% | %s | %s | %d and %s bytes | %d | %s | %s |\n",
			tr.workers, tr.partitions, thousands(tr.events), thousands(int(tr.judged*float64(tr.events))), tr.judge, 100*places,
			second(all.commits), second(all.offsets), all.bytes/cmp.Or(all.offsets, 1), thousands(all.mostMetadata), all.mostSpans,
			second(all.rows), second(all.transactions))
	}
	return b.String()
}

var cfgCommitInterval = DefaultConfig().CommitInterval

// thousands returns a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// BenchmarkAssignGroups is the work of the leader of a fleet of 64 workers, of which one
// has left.
func BenchmarkAssignGroups(b *testing.B) {
	members := make([]kafka.GroupMember, 63)
	for i := range members {
		c := claim{Generation: 7}
		for id := i; id < 1000; id += 64 {
			c.Partitions = append(c.Partitions, id)
		}
		data, err := json.Marshal(c)
		if err != nil {
			b.Fatal(err)
		}
		members[i] = kafka.GroupMember{ID: fmt.Sprint(i), Topics: []string{testTopic}, UserData: data}
	}
	partitions := topicPartitions(1000)
	slices.Reverse(partitions)
	leader := &assignor{topic: testTopic}
	for b.Loop() {
		leader.AssignGroups(members, partitions)
	}
}
