package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/telemetry"
)

// TestHugeNamesDoNotCostTheirNeighbours: an agent rejects a whole payload because of one
// tag of 26 MB, so tags are cut before they are sent.
func TestHugeNamesDoNotCostTheirNeighbours(t *testing.T) {
	p := start(t, false)
	w := worker(t, p, nil)
	huge := strings.Repeat("é", 15<<20)
	for i := range 12 {
		e := request(t, time.Minute, datadogHeaders("1"))
		r := report(e, eval.OutcomePass)
		if i == 5 {
			e.PromptVersion = huge
			r.Verdicts[0].Rule, r.Verdicts[0].Version, r.Verdicts[1].Label = huge, huge, huge
		}
		w.Report(r)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := p.got(t)
	if len(spans) != 3*12 {
		t.Errorf("%d of 36 spans arrived", len(spans))
	}
	cut := 0
	for _, s := range spans {
		for _, key := range []string{"eval.rule", "eval.version", "prompt.version", "gen_ai.evaluation.score.label"} {
			if n := len(s.text(key)); n > 2048 {
				t.Errorf("%s has %d bytes", key, n)
			} else if n > 1000 {
				cut++
			}
		}
	}
	if cut == 0 {
		t.Error("no huge value arrived, cut")
	}
}

// TestHungAgent: while the agent accepts connections and answers nothing, reports do not
// wait for it, and the end of the worker is in time and says what was lost.
func TestHungAgent(t *testing.T) {
	p := start(t, true)
	w := worker(t, p, func(c *telemetry.Config) { c.CloseTimeout, c.Queue = 3*time.Second, 1024 })
	e := request(t, time.Minute, datadogHeaders("1"))
	const reports = 5000
	for range reports {
		w.Report(report(e, eval.OutcomePass))
	}
	err := w.Close(t.Context()) // without its limit it would wait until the test is over
	stats := w.Stats()
	var lost int64
	for _, d := range stats.Drops {
		lost += d.Count
	}
	if err == nil && lost == 0 {
		t.Errorf("nothing is said to be lost: %+v", stats)
	}
	if !p.used("/v1.0/traces") && !p.used("/v0.4/traces") {
		t.Error("the agent was never asked: this test shows nothing")
	}
}
