// Package openai publishes every chat completion of a go-openai client as an event.
//
//	client := openai.Wrap(goopenai.NewClient(key), em)
//	answer, err := client.CreateChatCompletion(ctx, request)
//
// The wrapped client has all methods of the library's; answers, streams and errors are
// the library's own. What holds for all requests is given to [Wrap], and what is known only
// at a request, such as a session, comes with the context:
//
//	ctx = openai.With(ctx, func(e *event.Event) { e.SessionID = session })
//
// An event holds the messages, the tools, the answer, its tokens and finish reason, latency
// and time to the first token, the attempts of the HTTP client, and the class of an error.
// Of an answer it has every field that go-openai has; of a stream, joined, every field that
// the provider sends. Its trace is the emitter's affair (emitter.Config.TraceContext).
//
// A stream is published once, as far as it came: when it ends, fails or is closed, or at a
// later collection of memory when the application forgets it.
//
// It is a package of its own so that only applications that use go-openai depend on it.
// Nothing in it makes a request fail: what panics while an event is made is left out of it,
// and an event that the emitter does not take, for a full buffer or its size, is counted by
// the emitter (Stats) and lost.
package openai
