package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/judges/model"
)

// TestProgressLines: where there is no terminal, a line every 10 s says how far the work
// is, how fast it goes, and what it waits for; none for a short one.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	good := replay.Result{Report: &eval.Report{Event: &event.Event{}, Verdicts: []eval.Verdict{{Outcome: eval.OutcomePass}}}}
	failed := replay.Result{Report: &eval.Report{Event: &event.Event{}, Verdicts: []eval.Verdict{{Outcome: eval.OutcomeError}, {Outcome: eval.OutcomePass}}}}
	for name, tt := range map[string]struct {
		size int64
		work func(p *evalProgress)
		want string
	}{
		"short": {100, func(p *evalProgress) {
			p.add(&good)
			<-time.After(9 * time.Second)
		}, ""},
		"long": {1000, func(p *evalProgress) {
			for i := range 25 {
				r := good
				r.Bytes = int64(i * 20)
				p.add(&r)
				<-time.After(time.Second)
			}
			r := failed
			r.Bytes = 1000
			p.add(&r)
			<-time.After(6 * time.Second)
		}, "progress: 10 lines (18 %), 1.0 a second, 0 errors\nprogress: 20 lines (38 %), 1.0 a second, 0 errors\nprogress: 26 lines (100 %), 0.6 a second, 1 error\n"},
		"waiting": {-1, func(p *evalProgress) {
			p.wait(model.Waiting{Model: "small", Reason: eval.ReasonUnavailable, For: 0, Limit: time.Minute})
			<-time.After(11 * time.Second)
			p.resume("small")
			p.add(&good)
			<-time.After(10 * time.Second)
		}, "waiting for model small (unavailable) since 0s; gives up after 1m0s\n" +
			"progress: 0 lines, 0.0 a second, 0 errors, waiting for model small (unavailable)\n" +
			"model small answers\nprogress: 1 line, 0.1 a second, 0 errors\n"},
		"given up": {-1, func(p *evalProgress) {
			p.wait(model.Waiting{Model: "small", Reason: eval.ReasonUnavailable, For: 0, Limit: time.Second})
			p.giveUp("small", "gave up")
			<-time.After(11 * time.Second)
		}, "waiting for model small (unavailable) since 0s; gives up after 1s\ngave up\nprogress: 0 lines, 0.0 a second, 0 errors\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				p := newEvalProgress(&out, cli.Shared(&out), tt.size)
				<-time.After(time.Millisecond) // work and lines are never due together
				tt.work(p)
				p.finish()
				<-time.After(time.Minute)
				if out.String() != tt.want {
					t.Errorf("wrote:\n%s\nwant:\n%s", &out, tt.want)
				}
			})
		})
	}
}
