// Package dlq reads the topic of dead letters and publishes letters back to
// where they came from.
//
//	q, err := deadletter.Open(cfg.Kafka)
//	if err != nil {
//		return err
//	}
//	defer q.Close()
//	totals, err := q.Redrive(ctx, deadletter.Filter{Reason: eval.ReasonPanic}, deadletter.DefaultOptions(), report)
//
// # Guarantees
//
// A letter that was redriven is not redriven by a later run: a mark says so. A
// run that ends between publishing and marking has the letters of one batch (100
// at most) published again by the next run, and a write that is interrupted may
// be there twice: at least once, as everywhere here. Two runs at the same time
// do not know of each other and redrive the same letters twice.
//
// Two letters are of one message when place, key, value and headers are the same;
// one is redriven and both are marked. A later run knows of it from the marked
// letters that it passes before their twins, those that were cut left out.
//
// A letter is refused, with the reason, when it has been redriven
// Options.MaxRedrives times; when it would die again for sure, which is tried
// with the decoder and the size limit of this program; when it was cut and the
// whole is no longer in its origin topic; and when its origin is another topic
// than the configured one, so that nobody who can write a letter chooses where
// it is published.
//
// A read ends at the ends that the partitions had when it began, whatever is
// written meanwhile. Memory is bounded by one fetch (4 MiB as the broker keeps
// it, or one batch of its writer when that is larger), one batch of letters, the
// hashes of the last 200,000 messages that were sent or passed as redriven, and 16
// bytes for each run of letters that were redriven.
//
// # Marks
//
// Kafka deletes no single message. What is done is therefore noted in the topic
// of dead letters itself: a mark is a message with the header
// evalworker-redriven, in the partition of the letters that it names by offset.
// It is younger than they are, so retention takes them first, and whoever may
// read letters may read marks. A consumer group's offsets would have been
// another place: they are one number a partition where letters are chosen by
// reason, their metadata holds 4 KB, and brokers forget them after a week in
// which nobody was in the group, when the letters may still be there.
//
// The price is that every question reads the partitions twice: first for the
// marks, then for the letters.
//
// # What it is not
//
// It does not decide what becomes a dead letter: kafka/consumer does. It does
// not print: content is in Letter.Value, and whoever shows it redacts it.
package deadletter
