// Package policy builds one revision of what is evaluated and how: the sampler, and
// the evaluators with their rubrics, schemas and models.
//
//	builder := policy.NewBuilder(policy.Deps{Log: log})
//	defer builder.Close()
//	p, err := builder.Build(&cfg) // again for each revision of cfg
//	plan := p.Sampler.Decide(&envelope)
//	for _, pick := range plan.Picks {
//		verdict, err := p.Evaluators[pick.Evaluator].Evaluate(ctx, event)
//	}
//
// [Config] is the part of the configuration file that may change while a worker
// runs. All rules for a valid revision are here and nowhere else: [Config.Validate]
// reports every fault in the configuration, [Config.Missing] reports that a worker
// needs at least one evaluator, and [Builder.Build] fails on either. Start, reload,
// "evalworker check" and the tools therefore agree.
//
// A [Policy] is immutable. Its revision is a digest of everything that can change
// the sampler's plans, and the version of each evaluator is a digest of what its
// verdicts depend on: options, rubric or schema, model. A report carries both, so a
// verdict can be traced to the policy that produced it.
//
// A model whose settings did not change is kept across revisions, because its
// limits, its breaker and its knowledge of its server are worth keeping.
//
// The package reads rubric and schema files and opens no connection; judges call
// their models during evaluation. It does not watch files; internal/config does.
package policy
