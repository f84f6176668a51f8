// Package consumer reads events from Kafka, hands them to a function and commits
// what is finished. Two function types separate it from the rest of the program,
// [Handler] and Deps.Skip; it does not know what an event means.
//
//	c, err := consumer.New(cfg, consumer.Deps{Handle: pipeline.Handle, Skip: pipeline.Skip, Log: log})
//	if err != nil {
//		return err
//	}
//	return c.Run(ctx) // until ctx ends; drains, commits and leaves the group
//
// # One event's way
//
//	              one goroutine and one connection a partition
//	reader.go     read       the next message of a fetch, in place (kafka/fetch)
//	                 |
//	              inspect    not wanted, or finished by an earlier owner: done here,
//	                 |       with no copy, no goroutine and no allocation
//	                 |
//	              handOver   waits for room (Window entries of the tracker,
//	                 |       MaxInFlightBytes, MaxInFlight slots) and while commits have
//	                 |       failed for longer than MaxCommitOutage; then copies the message
//	                 v
//	              up to MaxInFlight goroutines
//	worker.go     work       one task after the other
//	                 |
//	              handle     again after RetryMin to RetryMax while the error is not
//	                 |       permanent; after a permanent one putAside, which writes a
//	                 |       dead letter for as long as the broker takes to accept it
//	                 |
//	              call       Handler; a panic is a permanent error
//	                 v
//	tracker.go    finish     the offset below which everything is done moves up; above
//	                 |       it, finished offsets are kept as runs (from, to)
//	                 v
//	              one goroutine a generation
//	commit.go     commit     every CommitInterval, one request for all partitions, with
//	                         generation and member: the offset, and the runs above it as
//	                         the commit's metadata, lowest first, at most 4,000 bytes
//
// Run (consumer.go) joins the group and serves one generation after the other
// (generation.go). A generation takes over its partitions (assignment.go), starts
// their readers and commits until it ends:
//
//	rebalance     readers stop; drain up to RevokeDrain; last commit; handlers that end
//	              later are committed too, until the next generation begins. Assignment is sticky (assignor.go): the
//	              handlers of a partition that stays run on, others are cancelled when
//	              the new assignment is known.
//	stop          readers stop; drain up to Grace while heartbeats and commits go on;
//	              last commit; leave the group, so that others take over at once. When
//	              the commit is not accepted, join once more within Grace and commit.
//	lost          commits are refused as stale: no commit, on to the next generation.
//	topic gone    no commit; the offsets of the old topic mean nothing in a new one.
//
// # Guarantees
//
// At least once: no message is lost by a crash, a rebalance, a deploy or an outage of
// the broker, as long as the broker keeps it; what retention deletes before it is read
// is counted. A crash repeats what was in flight, and of what was finished at most one
// commit interval, or MaxCommitOutage while commits fail; a stop repeats only what does not finish within Grace. A member that has lost its partitions cannot set offsets
// back. Everything is bounded; when a bound is reached, reading waits and the lag grows.
//
// It does not process messages in order, does not decode them, and does not make
// handling idempotent: that is the handler's part.
//
// # What to know in operation
//
//   - The group id must be evalworker's alone. Members understand only the assignment
//     of this package; a Java consumer in the same group may crash on kafka-go's
//     subscription, and a group of the newer consumer protocol (KIP-848) refuses it.
//   - kafka-consumer-groups --describe works at any time. --reset-offsets works while
//     no worker runs; it clears the metadata, so that everything from the new offset on
//     is done again.
//   - The first worker of an empty group waits for the broker's
//     group.initial.rebalance.delay.ms (3 s), and again when a second one joins meanwhile.
//   - Markers of transactions are dropped and counted. Transactions are read uncommitted.
//   - A partition whose stored offset is beyond its end is read according to
//     Config.OutOfRange. A partition that is added to the topic, and a topic that is
//     deleted and made again, are read from the first message, also when Config.Start
//     is "last".
//   - A topic that is replaced by one of the same name and number of partitions, and
//     that grows past the stored offsets within Config.PartitionWatch, looks like the
//     old one: the protocol that kafka-go speaks carries no topic ids.
//   - After an outage of the coordinator the first worker to be back is assigned every
//     partition. It leaves those that it did not have alone for three heartbeats, so that
//     what the others had finished and could not commit is not done again.
//   - A member that joins or leaves stops every partition for up to HeartbeatInterval +
//     RevokeDrain.
package consumer
