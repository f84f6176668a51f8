// Package modelserver is an OpenAI-compatible server whose answers come from a
// function instead of a model. The demo runs it when there is no key, and tests
// run it when they need a model to answer, stall or break in a certain way.
//
// A [Script] receives the request of a judge, with the parts that scripts need
// already extracted: the ids of the criteria and the data to be judged.
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
// The server serves POST /v1/chat/completions and the path of an Azure deployment,
// without streaming. It answers a request body above 16 MB with 413. It keeps no
// state and starts no goroutine.
package modelserver
