package app

import (
	"sync/atomic"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/pipeline"
)

// Accounting counts finished events since the worker started. At rest,
// Consumed = SampledOut + Evaluated + DeadLettered: the left side is counted
// where messages come in, the right side where they end.
type Accounting struct {
	Consumed     int64 `json:"consumed"`
	SampledOut   int64 `json:"sampled_out"`
	Evaluated    int64 `json:"evaluated"`
	DeadLettered int64 `json:"dead_lettered"`
}

// Settled reports whether the equation holds.
func (a Accounting) Settled() bool {
	return a.Consumed == a.SampledOut+a.Evaluated+a.DeadLettered
}

// accounting counts for an Accounting in many goroutines.
type accounting struct {
	consumed, sampledOut, evaluated, deadLettered atomic.Int64
}

func (a *accounting) snapshot() Accounting {
	s := Accounting{SampledOut: a.sampledOut.Load(), Evaluated: a.evaluated.Load(), DeadLettered: a.deadLettered.Load()}
	s.Consumed = a.consumed.Load()
	return s
}

// recorder passes what became of events on to the accounting, telemetry and the
// program that embeds the worker.
type recorder struct {
	counts *accounting
	all    []pipeline.Recorder
}

func (r recorder) Report(rep *eval.Report) {
	r.counts.evaluated.Add(1)
	for _, next := range r.all {
		next.Report(rep)
	}
}

func (r recorder) SampledOut(n int) {
	r.counts.sampledOut.Add(int64(n))
	for _, next := range r.all {
		next.SampledOut(n)
	}
}

func (r recorder) Cases(rep *eval.Report, n int) {
	for _, next := range r.all {
		next.Cases(rep, n)
	}
}
