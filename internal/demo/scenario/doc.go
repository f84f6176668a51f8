// Package scenario simulates a world: customers who ask a support agent, an agent
// whose prompt exists in several versions, and a judge who knows how good every
// answer is. The demo, the command "emitter simulate" and tests of statistics use it.
//
// A world is data in the folder data: the tickets with their labelled answers, the
// tenants and models, and one file per scenario with the rates of each prompt
// version. No code knows which version is broken; [Load] reads the data, and
// [Scenario.Events] draws from it.
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
// The same scenario, seed and options yield the same events, byte for byte, in every
// process. A strict reader accepts every event. Events does no I/O, starts no
// goroutine and can be used from several goroutines at once, because each range has
// its own generator.
//
// # What it is not
//
// It is not a benchmark of judges: [Scenario.Judge] looks up its verdicts, adds a
// little noise, and understands nothing. Names, numbers and addresses of people are
// generated on the fly; no file contains them.
package scenario
