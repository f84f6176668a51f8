// Package clients proves that the clients for applications deliver, from the request to
// the span of its score: it runs small programs with the providers' own libraries,
// 1,000 requests each, and looks at what arrives at every station.
//
//	program ── provider's library ──► model (the test's own)
//	   └─ our client ──► emitter serve ──► Kafka ──► evalworker run ──► Datadog's agent (a double)
//
// The program in Go runs twice: straight to Kafka, and through emitter serve.
//
//	EVALWORKER_TEST_CLIENTS=required go test ./test/clients -count=1 -v
//
// Programs, sidecar and worker are processes; sidecar and worker are built from cmd/. The
// Kafka is the embedded broker, or Apache Kafka where EVALWORKER_TEST_REAL=required asks
// for it. The worker evaluates every event by a rule and by a judge.
//
// # What is compared
//
// Each request has a trace of its own, which the test chooses and the program makes the
// active span, as a tracer would. So the test knows of each of the 1,000 requests what
// was asked and what the model answered, and finds:
//
//   - in the topic one event of it, which holds every field of the answer, joined when it
//     was streamed, the trace, and the error if there was one; nothing else is in the
//     topic, and no dead letter;
//   - at the agent one eval.score span for each evaluator, with a link to the span of the
//     request, and the outcomes that the answer deserves.
//
// Requests are of several kinds: streams, calls of tools, answers 429 that the library
// tries again, requests that are cancelled, and errors ([kind] in the tests).
//
// # What the programs need
//
// Libraries are pinned by clients/python/tests/requirements.txt, clients/node/package.json
// and the files of the same kind here, and installed into bin/, once. This happens only with
// EVALWORKER_TEST_CLIENTS=required, which also makes a missing interpreter a failure. Without
// it, a program whose language or libraries are missing is skipped with one line; "off"
// skips all.
//
// Lines of a program that exist only because it publishes end with the comment "publishing".
// The test counts them, imports and the handling of errors included, and prints the number;
// more than five are a failure, in Go more than eight.
package clients
