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
// Servers differ in what they take and in how they answer. A parameter that a server
// refuses is left out from then on, and a reply is read whatever the types of members
// that do not matter.
//
// Every error carries an [eval.Reason]. Errors and logs hold a status, a code, a type
// or the class of a transport error, never what the server or the model wrote, and
// never the key. Go's HTTP transport writes what a server sends out of turn to the
// standard log, which a program has to silence: log.SetOutput(io.Discard).
//
// # What this package does not do
//
// It does not interpret the answer: it asks in a looser answer format when the server
// does not support the strict one, and leaves the content to the judge.
package model
