package faults

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

var (
	rowsFlag = flag.String("faults.rows", "", "rows to run: their names or groups with commas between, ci, or all")
	outFlag  = flag.String("faults.out", "", "file to write the table to, between the marks when it has them")
)

// scenario is one row of the table.
type scenario struct {
	name  string // as -faults.rows names it
	title string // as the table prints it
	group string // rows of one subject: kafka, network, machine, judge, datadog, store, spool, input, probe
	ci    bool   // continuous integration runs it
	run   func(*world)
}

// The groups.
const (
	groupKafka   = "kafka"
	groupNetwork = "network"
	groupMachine = "machine"
	groupJudge   = "judge"
	groupDatadog = "datadog"
	groupStore   = "store"
	groupSpool   = "spool"
	groupInput   = "input"
	groupProbes  = "probe"
)

// Names that stand for several rows.
const (
	rowsAll = "all"
	rowsCI  = "ci"
)

// scenarios returns all rows in the order of the table.
func scenarios() []scenario {
	return slices.Concat(
		workerRows(), rebalanceRows(), brokerRows(), topicRows(), clusterRows(), clientRows(),
		networkRows(), networkClusterRows(), machineRows(), judgeRows(), waitRows(), certificateRows(),
		datadogRows(), storeRows(), postgresRows(), spoolRows(), inputRows(), probeRows(),
	)
}

// TestFaults runs the requested rows, one after another, and prints the table. It
// needs a flag, because it takes minutes.
func TestFaults(t *testing.T) {
	if *rowsFlag == "" {
		t.Skip("takes minutes: run make faults, or give -faults.rows")
	}
	containers.NeedEngine(t)
	chosen, err := choose(scenarios(), *rowsFlag)
	if err != nil {
		t.Fatal(err)
	}
	s := newSuite(t)
	var rows, said [][]string
	for _, sc := range chosen {
		t.Run(sc.name, func(t *testing.T) {
			w := newWorld(t, s, sc)
			defer func() {
				rows = append(rows, w.result().cells())
				for _, told := range w.told {
					said = append(said, told.cells())
				}
			}()
			sc.run(w)
		})
	}
	var titles []string
	for _, sc := range scenarios() {
		titles = append(titles, sc.title)
	}
	outcomes, words := &table{columns: columns, texts: 2}, &table{columns: toldColumns, texts: len(toldColumns)}
	if *outFlag != "" {
		if err := errors.Join(rowMarks.update(*outFlag, outcomes, rows, titles), toldMarks.update(*outFlag, words, said, titles)); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%s, %d cores\n\n%s\n%s", containers.KafkaImage, runtime.NumCPU(), &table{columns: columns, texts: 2, lines: rows}, &table{columns: toldColumns, texts: len(toldColumns), lines: said})
}

// choose returns the scenarios of a list of names and groups, in the order of the
// table.
func choose(all []scenario, list string) ([]scenario, error) {
	chosen := make(map[string]bool)
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		found := false
		for _, sc := range all {
			if name == sc.name || name == sc.group || name == rowsAll || name == rowsCI && sc.ci {
				chosen[sc.name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no row or group is called %q", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(sc scenario) bool { return !chosen[sc.name] }), nil
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []scenario{{name: "a", group: "x", ci: true}, {name: "b", group: "x"}, {name: "c", group: "y", ci: true}}
	for list, want := range map[string]string{"all": "abc", "x": "ab", "c,a": "ac", "ci": "ac", "b, b": "b", "z": "", "": ""} {
		got, err := choose(all, list)
		names := ""
		for _, sc := range got {
			names += sc.name
		}
		if names != want || (err != nil) != (want == "") {
			t.Errorf("choose(%q) = %q, %v, want %q", list, names, err, want)
		}
	}
}

func TestNamesOfRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{rowsAll: true, rowsCI: true}
	for _, sc := range scenarios() {
		if seen[sc.name] || sc.name == "" || sc.title == "" || sc.group == "" || sc.run == nil {
			t.Errorf("row %q: a row has a name of its own, a title, a group and a function", sc.name)
		}
		seen[sc.name] = true
	}
	for _, sc := range scenarios() {
		if seen[sc.group] {
			t.Errorf("%q is the name of a row and of a group", sc.group)
		}
	}
}
