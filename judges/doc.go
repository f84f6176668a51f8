// Package judges evaluates answers with a language model.
//
// A [Judge] is a [Rubric] put to a [Model]. The model answers each criterion on
// its own, with evidence and a reason before the verdict, in one strict JSON
// schema; this package combines the criteria. It never asks a model for an
// overall result, and never repairs, completes or guesses a verdict.
//
//	rubric := judges.BuiltIn()["faithfulness"]
//	model, err := model.New(model.DefaultConfig(), model.Deps{Log: log})
//	...
//	judge, err := judges.New(judges.Config{Name: "faithfulness"}, rubric, model)
//	...
//	verdict, err := judge.Evaluate(ctx, event)
//
// # Guarantees
//
// A judge that failed is an error with an [eval.Reason], never a fail and never
// a pass. Code decides what it can without a model: a missing input, and an
// output without substance. A quote that a rubric demands is looked up in the
// data; a criterion whose quote was made up becomes cannot_judge.
//
// What is judged is data. It goes into one JSON object in the user message,
// with role markers and invisible characters neutralised, below a system
// message that is the same, byte for byte, for every event. This contains
// prompt injection; it does not detect it.
//
// Content never reaches a log or an error: errors hold a status, a code and a
// type, and none of what the server or the model wrote.
//
// # Bounds
//
// All judges that share one entry of models share its limits: calls in flight,
// calls a minute, and a pause of everybody when the server asks for one. Who
// comes too late waits, until his context ends; a call that would be left less
// time than answers usually take is not made. Retries are a bounded share of all
// calls. A breaker stops calls to an endpoint that is down.
//
// # What this package does not do
//
// It does not sample, redact, report or store. It does not measure how right a
// judge is: that takes labels by people.
package judges
