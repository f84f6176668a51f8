// Package scenario is a simulated world: customers who ask a support agent,
// an agent whose prompt exists in several versions, and a judge who knows what
// every answer is worth. The demo, the command "emitter simulate" and tests of
// statistics run on it.
//
// A world is data: the tickets with their labelled answers, the tenants and
// models, and one file a scenario with the rates of each prompt version lie in
// the folder data. No code knows which version is broken; [Load] reads it, and
// [Scenario.Events] draws by it.
//
//	s, err := scenario.Load("regressed")
//	if err != nil {
//		return err
//	}
//	for e := range s.Events(1, scenario.Options{}) {
//		publish(e)
//	}
//
// # Guarantees
//
// The same scenario, seed and options give the same events, byte for byte, in
// every process. Every event is one that a strict reader accepts. Events does no
// I/O, starts no goroutine and may be used from several goroutines at once, each
// range with a generator of its own.
//
// # What it is not
//
// It is no benchmark of judges: [Scenario.Judge] looks its verdict up and adds a
// little noise, and understands nothing. Names, numbers and addresses of people
// are made up as they are drawn; none of them stands in a file.
package scenario
