// Package faults proves the first promise, nothing is lost and little is
// repeated, on Apache Kafka: it runs the program itself, as processes, against a
// broker in a container, inflicts on both what happens in production, and counts.
//
//	make faults                        # every row, some 50 minutes
//	make faults ROWS=sigkill,sigterm   # some rows; a group's name stands for its rows
//	make faults-short                  # the rows that continuous integration runs
//	make soak-churn                    # two workers for ten minutes, while all around them changes
//
// docs/reliability.md explains the columns of a row, and the run writes its table.
// The program imports nothing from here.
//
// # How events are counted
//
// Applications publish through the emitter. The only evaluator is a judge at
// rate 1, and its model is a server in the test's own process that knows each
// worker by the path it calls and each event by the id in its input. An answer of
// that server counts as an evaluation, by that worker at that time. The topic, read
// back at the end, shows how often each event was published and to which
// partition; the dead-letter topic shows what was put aside. So no count relies on
// what the worker says, and where the worker counts too (the accounting, what
// retention deleted), it must agree.
//
// Where models fail, their answers no longer show what was evaluated: there, after
// w.reportTo, the spans that reach the test's own agent are counted. A front before
// the model spoils replies (newFront). Rows about the store count the rows of its
// tables.
//
// # To add a row
//
// Put a scenario into the slice of a file NAME_rows_test.go, and a new slice
// into scenarios. Its function gets a world of its own: a topic, a group, a model,
// and workers that it starts, stops and kills.
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
// A row changes the configuration of its workers through w.config, one section per
// key, and the answers of the model through w.model.script. It asserts its bounds
// with w.bound, which names a broken one in the table, and adds remarks with w.note.
// What a worker or a sidecar says while a fault lasts is recorded, and compared with the cause, by
// k.fault() before it and w.tells during it.
package faults
