// Package openai publishes every chat completion of a go-openai client as an event.
//
//	client := openai.Wrap(goopenai.NewClient(key), em, event.Event{
//		Feature: "support", PromptName: "triage", PromptVersion: "v3",
//	})
//	answer, err := client.CreateChatCompletion(ctx, request)
//
// The wrapped client has all methods of the library's; answers, streams and errors are
// the library's own. What is known only at a request, such as a session, comes with the
// context:
//
//	ctx = openai.With(ctx, func(e *event.Event) { e.SessionID = session })
//
// An event holds the messages, the tools, the whole answer with its calls of tools, the
// tokens, the finish reason, latency and time to the first token, and the class of an
// error. Its trace is the emitter's affair (emitter.Config.TraceContext). A stream is
// published when it ends, fails or is closed, as far as it came.
//
// It is a package of its own so that only applications that use go-openai depend on it.
// Nothing in it makes a request fail: an event that the emitter does not take, for a full
// buffer or its size, is counted by the emitter (Stats) and lost.
package openai
