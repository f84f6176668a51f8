// Package modelserver is an OpenAI-compatible server whose answers come from a
// function instead of a model. The demo runs it when there is no key, and tests
// run it to make a model answer, stall or break exactly as they need.
//
// It is no model: it understands nothing of what it is asked. A [Script] sees
// the request as a judge wrote it, with the parts that a script decides by
// already taken out: the ids of the criteria and the data to be judged.
//
//	script := func(r modelserver.Request) modelserver.Reply {
//		var verdicts []modelserver.Verdict
//		for _, id := range r.Criteria {
//			verdicts = append(verdicts, modelserver.Verdict{ID: id, Reason: "scripted", Verdict: "pass"})
//		}
//		return modelserver.Answer(verdicts)
//	}
//	srv := httptest.NewServer(modelserver.New(script))
//
// The server serves POST /v1/chat/completions and the path of an Azure
// deployment, without streaming. A request body is bounded at 16 MB; a larger
// one is answered with 413. It keeps no state and starts no goroutine.
package modelserver
