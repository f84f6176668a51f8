// Package judges evaluates answers with a language model.
//
// A [Judge] puts a [Rubric] to a [Model]. The model answers each criterion on its
// own, with evidence and a reason before the verdict, in one strict JSON schema;
// this package combines the criteria. It never asks a model for an overall result,
// and never repairs, completes or guesses a verdict. What servers and models put around
// an answer, such as reasoning or a code fence, comes off before ([Unwrap]).
//
//	rubric := judges.BuiltIn()["faithfulness"]
//	m, err := model.New(model.DefaultConfig(), model.Deps{Log: log})
//	...
//	judge, err := judges.New(judges.Config{Name: "faithfulness"}, rubric, m)
//	...
//	verdict, err := judge.Evaluate(ctx, event)
//
// Package judges/model provides models behind an OpenAI-compatible server, with
// retries, limits and a circuit breaker. [ModelFunc] makes any function a model.
//
// # Guarantees
//
// A judge that cannot reach a verdict returns an error with an [eval.Reason], never
// a fail and never a pass. A missing input and an output without substance are
// decided in code, without a model. A quote that a rubric demands is looked up in
// the data; a criterion whose quote is not found becomes cannot_judge.
//
// The event is data. It goes into one JSON object in the user message, with role
// markers and invisible characters neutralised, below a system message that is the
// same, byte for byte, for every event. This contains prompt injection; it does not
// detect it.
//
// Content never reaches a log or an error.
//
// # What this package does not do
//
// It does not sample, redact, report or store. It does not measure how often a
// judge is right: that needs labels by people.
package judges
