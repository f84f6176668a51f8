// Package model calls language models behind any OpenAI-compatible server, and
// stays within the limits of that server.
//
//	m, err := model.New(model.DefaultConfig(), model.Deps{Log: log})
//	...
//	defer m.Close()
//	judge, err := judges.New(judges.Config{Name: "faithfulness"}, rubric, m)
//
// An [Endpoint] is one entry of models in the configuration. All judges that use
// it share its limits. [New] lists the layers that a call passes.
//
// # Guarantees
//
// Calls in flight and calls per minute are bounded. A pause that the server asks for
// applies to all calls. A call waits for its turn until its context ends; it is not
// made if the time left is less than an answer usually takes. Retries are a bounded
// share of all calls. A circuit breaker stops calls to a server that is down.
//
// Every error carries an [eval.Reason]. Errors and logs hold a status, a code and
// a type, never what the server or the model wrote, and never the key.
//
// # What this package does not do
//
// It does not interpret the answer: it switches to a looser answer format when the
// server does not support the strict one, and leaves the content to the judge.
package model
