// Package deadletter reads the topic of dead letters and redrives letters: it
// publishes their messages again to the topic where they died.
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
// A letter that was redriven is not redriven by a later run, because it is marked.
// Delivery is at least once: after a run that ends between publishing and marking,
// the next run publishes the letters of one batch (at most 100) again, and an
// interrupted write may be there twice. Two runs at the same time do not know of each
// other and redrive the same letters twice.
//
// Two letters are of the same message if place, key, value and headers are equal. One
// is redriven and both are marked. A later run recognises a duplicate if it reads the
// marked letter first and that letter was not truncated.
//
// A letter is skipped, with the reason, if it has been redriven Options.MaxRedrives
// times; if it would certainly die again, which is tried with the decoder and the size
// limit of this program; if it was truncated and the whole message is no longer in its
// origin topic; and if its origin is another topic than the configured one, so that
// writing a letter does not let anyone choose where it is published.
//
// A read ends at the ends that the partitions had when it began. Memory is bounded by
// one fetch (4 MiB as the broker stores it, or one batch of its writer if that is
// larger), one batch of letters, the hashes of the last 200,000 messages that were
// sent or passed as redriven, and 16 bytes for each run of redriven letters.
//
// # Marks
//
// Kafka cannot delete a single message, so what is done is noted in the topic of dead
// letters itself: a mark is a message with the header evalworker-redriven, in the
// partition of the letters that it names by offset. It is younger than they are, so
// retention deletes them first, and everyone who may read letters may read marks. The
// offsets of a consumer group would not do: they are one number a partition while
// letters are chosen by reason, their metadata holds 4 KB, and brokers forget them
// after a week without members, when the letters may still be there.
//
// The price is that every question reads the partitions twice: first for the marks,
// then for the letters.
//
// # What it does not do
//
// It does not decide what becomes a dead letter: a permanent error of the handler does,
// or kafka/consumer for a message that is too large to hand over; the consumer writes it. It does not redact: Letter.Value is content, and a program that shows it must.
package deadletter
