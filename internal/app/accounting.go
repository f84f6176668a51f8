package app

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/telemetry"
)

// Accounting counts finished events since the worker started. What is consumed is
// counted where messages come in, the rest where they end.
type Accounting = eval.Accounting

// accounting holds the counters of an Accounting, for many goroutines.
type accounting struct {
	consumed, unwanted, sampledOut, evaluated, deadLettered atomic.Int64
}

func (a *accounting) snapshot() Accounting {
	s := Accounting{
		Unwanted: a.unwanted.Load(), SampledOut: a.sampledOut.Load(), Evaluated: a.evaluated.Load(), DeadLettered: a.deadLettered.Load(),
	}
	s.Consumed = a.consumed.Load()
	return s
}

// settle checks the equation of accounting when nothing is in flight. A difference that
// stands still from one look to the next is a fault of this program: some event has no
// end, or two.
func (a *App) settle(inFlight int) {
	now := a.counts.snapshot()
	if inFlight > 0 {
		return
	}
	missing := now.Missing()
	if missing != 0 && now != a.unsettled {
		a.unsettled = now // a message may be between its two counts
		return
	}
	a.telemetry.Unaccounted(missing)
	if missing == 0 {
		if since, told := a.unsettledLog.Over(); told {
			a.log.Info("the accounting of events settles again", slog.Duration("after", time.Since(since)))
		}
		return
	}
	if seen, ok := a.unsettledLog.Allow(); ok {
		a.log.Error("the accounting of events does not settle: please report this, with /statusz", slog.Int64("missing", missing), slog.Int64("consumed", now.Consumed), seen.Attr())
	}
}

// recorder passes the ends of events on to the accounting, telemetry and the
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

func (r recorder) Skipped(d eval.Disposition, n int) {
	if d == eval.DispositionUnwanted {
		r.counts.unwanted.Add(int64(n))
	} else {
		r.counts.sampledOut.Add(int64(n))
	}
	for _, next := range r.all {
		next.Skipped(d, n)
	}
}

func (r recorder) Cases(rep *eval.Report, n int) {
	for _, next := range r.all {
		next.Cases(rep, n)
	}
}

// observer turns the consumer's observations into accounting and metrics; the consumer has its own log.
type observer struct {
	counts    *accounting
	telemetry *telemetry.Telemetry
}

func (o observer) Consumed(n int) { o.counts.consumed.Add(int64(n)) }

func (o observer) DeadLettered(reason eval.Reason) {
	o.counts.deadLettered.Add(1)
	o.telemetry.DeadLettered(reason)
}

// Tags of the metric that counts messages that the consumer skipped.
const (
	sinkConsumer           = "consumer"
	reasonLostToRetention  = "lost_to_retention"
	reasonControlRecord    = "control_record"
	reasonOffsetOutOfRange = "offset_out_of_range"
)

func (o observer) LostToRetention(_ int, n int64) {
	o.telemetry.Dropped(sinkConsumer, reasonLostToRetention, int(n))
}

func (o observer) ControlRecord() { o.telemetry.Dropped(sinkConsumer, reasonControlRecord, 1) }

func (o observer) OffsetReset(int, int64, int64) {
	o.telemetry.Dropped(sinkConsumer, reasonOffsetOutOfRange, 1)
}

// reportTo reports each delivered message and each commit of a consumer to a data stream. A
// consumer asks once for each delivery whether the message needs any work.
func reportTo(stream *telemetry.DataStream, d *consumer.Deps) {
	skip := d.Skip
	d.Skip = func(m *event.Message) bool {
		stream.Consumed(m)
		return skip(m)
	}
	d.Committed = stream.Committed
}

// judgeCall records one call of a model.
func (a *App) judgeCall(c model.Call) {
	a.telemetry.JudgeCall(telemetry.JudgeCall{
		Eval: c.Eval, Model: c.Model, Latency: c.Duration, InputTokens: c.Usage.InputTokens, OutputTokens: c.Usage.OutputTokens,
		CostNanoUSD: c.Usage.CostNanoUSD, CostKnown: c.Usage.CostKnown, Reason: c.Reason,
	})
}
