// Package faults proves the first promise, nothing is lost and little is
// repeated, on Apache Kafka: it runs the program itself, as processes, against a
// broker in a container, does to both what production does to them, and counts.
//
//	make faults                        # every row, some ten minutes
//	make faults ROWS=sigkill,sigterm   # some rows; a group's name stands for its rows
//	make faults-short                  # the rows that continuous integration runs
//
// What a row prints is said in docs/reliability.md, which the run writes the
// table of. Nothing here is imported by the program.
//
// # How events are counted
//
// Applications publish through the emitter. The only evaluator is a judge at
// rate 1, and its model is a server in the test's own process that knows each
// worker by the path it calls and each event by the id in its input. What that
// server answered was evaluated, by whom and when. What the topic holds, read
// back at the end, says how often each event was published and to which
// partition; the dead-letter topic says what was put aside. So nothing that is
// counted comes from the worker's own word, and where its word is taken as well
// (the accounting, what retention deleted) it has to agree.
//
// Where models fail, their answers no longer tell what was evaluated: there, after
// w.reportTo, the spans that reach an agent of the test's own are counted. Replies
// are spoilt by a front before the model (newFront). Rows about the store count
// what it holds, by its own tables.
//
// # To add a row
//
// Put a scenario into the slice of a file NAME_rows_test.go, and a new slice
// into scenarios. Its function is given a world of its own: a topic, a group, a
// model, and workers that it starts, stops and kills.
//
//	func stopRow(w *world) {
//		w.begin(8, "A", "B")                  // topic, workers that have joined, then events
//		w.publish(4000)
//		w.answered(1000)
//		a := w.workers["A"]
//		a.stop()                              // SIGTERM; waits for the exit
//		w.row.recover = w.resumed(a.exited, "A") // until all partitions are consumed by others
//		w.finish()                            // all evaluated, all workers stopped, counted
//		w.nothingRepeated()
//	}
//
// A row changes the configuration of its workers through w.config, one section a
// key, and the answers of the model through w.model.script. It asserts its bounds
// with w.bound, which names the broken one in the table, and adds what else a
// reader should know with w.note.
package faults
