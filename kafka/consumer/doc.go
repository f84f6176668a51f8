// Package stream takes events out of Kafka, hands them to a function and commits
// what is finished. Its border with the rest of the program is two function
// types: [Handler] and Deps.Skip. It knows nothing of what an event means.
//
//	consumer, err := consumer.New(cfg, consumer.Deps{Handle: pipeline.Handle, Skip: pipeline.Skip, Log: log})
//	if err != nil {
//		return err
//	}
//	return consumer.Run(ctx) // until ctx ends; drains, commits and leaves the group
//
// # Guarantees
//
// At least once: no message is lost by a crash, a rebalance, a deploy or an
// outage of the broker, as long as the broker keeps it; what retention deletes
// before it is read is counted. A crash repeats at most what its victim had
// finished within one commit interval; a clean stop repeats nothing.
//
// Everything is bounded: handlers in flight (Config.MaxInFlight) and what their
// messages hold (MaxInFlightBytes), what is tracked of a partition (Window), and
// what an outage of the broker could make repeat (MaxCommitOutage). When a bound
// is reached, fetching waits, and the lag shows it.
//
// # How
//
// Each partition is read from a connection of its own, with kafka/fetch. A
// message that Deps.Skip wants to be passed over is looked at where it was read,
// and only one that is handled is copied.
//
// Each partition has a tracker, which knows the offset below which everything
// is finished and the finished runs above it. One goroutine commits for all
// partitions, with the generation and the member's id, so that a member that
// has lost its partitions cannot set offsets back. The runs travel in the
// commit's metadata and are skipped by whoever takes the partition over.
//
// A rebalance stops all partitions of all members, as kafka-go's groups do. The
// assignment is sticky; a partition that stays goes on in place, its handlers
// running through. Config.RevokeDrain decides how much of the work on
// partitions that move is waited for before it is cancelled.
//
// On shutdown fetching stops, messages in flight are waited for while heartbeats
// and commits go on, and the group is left before Run returns; others take over
// at once instead of after the session timeout. A broker that takes no commit is
// waited for, within the grace: the member joins once more and commits then.
//
// # What to know in operation
//
//   - The group id must be evalworker's alone. Members only understand the
//     assignment of this package; a Java consumer in the same group may crash on
//     kafka-go's subscription, and a group of the newer consumer protocol
//     (KIP-848) refuses it.
//   - kafka-consumer-groups --describe works at any time. --reset-offsets works
//     while no worker runs; it clears the metadata, so that everything from the
//     new offset on is done again.
//   - The first worker of an empty group waits for the broker's
//     group.initial.rebalance.delay.ms (3 s by default), and again when a second
//     one joins meanwhile. A group that lives does not wait.
//   - Markers of transactions are dropped and counted. Transactions are read
//     uncommitted.
//   - A partition whose stored offset lies beyond its end is read according to
//     Config.OutOfRange. A topic that is deleted and made again is read from its
//     first message.
//   - A topic that is replaced by one of the same name and number of partitions,
//     and that grows past the stored offsets before the next look at it
//     (Config.PartitionWatch), cannot be told from the old one: the protocol that
//     kafka-go speaks carries no topic ids.
//   - After an outage of the coordinator all workers join anew, and the first to
//     be back is given every partition. It leaves those that it did not have
//     alone for two heartbeats, until the others are back: what they had
//     finished and could not commit is then not done again.
//   - A partition that is added to the topic is read from its first message,
//     also when Config.Start is "last".
//   - A member that joins or leaves asks every partition to stand still for up
//     to HeartbeatInterval + RevokeDrain.
//
// # What it is not
//
// It does not process messages in order, does not decode them, and does not
// make handling idempotent: that is the handler's part.
package consumer
