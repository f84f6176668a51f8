package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/sampler"
)

type discard struct{}

func (discard) Report(*eval.Report)                                            {}
func (discard) Skipped(eval.Disposition, int)                                  {}
func (discard) Cases(*eval.Report, int)                                        {}
func (discard) Names(e *event.Event) *event.Event                              { return e }
func (discard) Event(e *event.Event) (*event.Event, error)                     { return e, nil }
func (discard) Offer(context.Context, *eval.Report, *event.Event) (int, error) { return 0, nil }

// BenchmarkPipeline shows what the program adds to an event, evaluators left out.
func BenchmarkPipeline(b *testing.B) {
	e := event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req_1", Feature: "support_agent", PromptName: "triage", PromptVersion: "3",
		Model: "m", Provider: "p", Status: "success", Environment: "prod", Input: event.Text(strings.Repeat("question ", 100)),
		Output:       event.Text(strings.Repeat("answer ", 100)),
		TraceContext: event.TraceContext{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
	value := marshal(b, &e)
	headers := e.Headers()
	for _, rate := range []float64{0, 1} {
		b.Run(fmt.Sprintf("rate=%g", rate), func(b *testing.B) {
			s, err := sampler.New(sampler.Config{DefaultRate: rate, Salt: "bench"}, []sampler.Evaluator{{Name: "correctness", Judge: true}})
			if err != nil {
				b.Fatal(err)
			}
			p, err := pipeline.New(&policy.Policy{Sampler: s, Evaluators: []policy.Evaluator{{
				Evaluator: judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) { return pass, nil }),
			}}}, pipeline.Deps{Redactor: discard{}, Keeper: discard{}, Recorder: discard{}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			m := event.Message{Value: value, Headers: headers}
			b.ReportAllocs()
			for b.Loop() {
				if p.Skip(&m) {
					continue
				}
				if err := p.Handle(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func marshal(b *testing.B, e *event.Event) []byte {
	b.Helper()
	out, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	return out
}
