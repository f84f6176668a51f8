package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// Action is what was done with a letter, or would be done without DryRun.
type Action string

// The actions.
const (
	ActionRedriven  Action = "redriven"
	ActionSkipped   Action = "refused"
	ActionDuplicate Action = "duplicate" // another letter of the same message was redriven; this one is only marked
)

// SkipReason says why a letter was not redriven.
type SkipReason string

// The reasons.
const (
	SkipNotFound  SkipReason = "not_found"      // no letter has the id
	SkipRedriven  SkipReason = "redriven"       // it was chosen by id, and redriven by an earlier run
	SkipForeign   SkipReason = "foreign"        // it names no origin: no worker wrote it
	SkipTopic     SkipReason = "other_topic"    // its origin is not the configured topic
	SkipLimit     SkipReason = "redrives"       // it was redriven too often
	SkipHopeless  SkipReason = "hopeless"       // it would certainly die again
	SkipTruncated SkipReason = "truncated"      // it was truncated, and the whole message is gone
	SkipTooLarge  SkipReason = "broker_refuses" // the broker accepts no message that large
)

// Options say how to redrive.
type Options struct {
	// MaxRedrives is how often a message may be redriven in all; 1 or more.
	MaxRedrives int
	// Force redrives what would certainly die again, for a worker that is newer than
	// this program or configured otherwise.
	Force bool
	// DryRun publishes nothing and marks nothing.
	DryRun bool
	// Progress is called with the number of offsets that were read, and of all; nil:
	// it is not.
	Progress func(done, total int64)
}

// DefaultOptions redrives a message three times at most.
func DefaultOptions() Options { return Options{MaxRedrives: 3} }

// Validate returns every fault of the options.
func (o Options) Validate() fault.List {
	var faults fault.List
	if o.MaxRedrives < 1 {
		faults.Add("max-redrives", fmt.Sprintf("%d is below one", o.MaxRedrives), "want 1 or more")
	}
	return faults
}

// Result is the outcome for one letter.
type Result struct {
	Letter *Letter // only its ID is set if there is no such letter
	Action Action
	Skip   SkipReason // of a letter that was skipped
	Detail string     // the reason in words; ids and names, no content
}

// Totals count the results of a redrive.
type Totals struct {
	Redriven, Skipped, Duplicates int
	// AlreadyRedriven counts the chosen letters that an earlier run redrove. They are
	// left alone and have no Result.
	AlreadyRedriven int
}

// Redrive publishes the chosen letters to the configured topic and marks them, batch
// by batch, and calls each with the results. A letter is published and marked before
// its result says so.
//
// The message is the one that died: its key, value and headers, in the partition
// where it was, with the additional header evalworker-redrives. It counts as
// published when all replicas in sync have it.
//
// When ctx ends, the batch in flight is finished first. The error is ErrEmpty if there
// is no topic of dead letters yet; after any other error the totals count what was
// done.
func (q *Queue) Redrive(ctx context.Context, f Filter, o Options, each func(Result) error) (Totals, error) {
	run := &redriveRun{q: q, opts: o, filter: f, each: each}
	if err := o.Validate().Err(); err != nil {
		return run.totals, err
	}
	r, err := q.open(ctx, f, o.Progress)
	if err != nil {
		return run.totals, err
	}
	if run.partitions, err = q.partitions(ctx, q.cfg.Topic); err != nil {
		return run.totals, err
	}
	if len(run.partitions) == 0 {
		return run.totals, fmt.Errorf("topic %s does not exist: make it, or name another with kafka.topic", q.cfg.Topic)
	}
	for _, id := range r.missing {
		if err := run.skip(&Letter{ID: id}, SkipNotFound, "there is no such letter"); err != nil {
			return run.totals, err
		}
	}
	for i := range r.parts {
		err := run.redrivePart(ctx, r, &r.parts[i])
		if errors.Is(err, errStop) {
			break
		}
		if err != nil {
			return run.totals, err
		}
	}
	return run.totals, nil
}

// redriveRun is one call of Redrive.
type redriveRun struct {
	q          *Queue
	opts       Options
	filter     Filter
	each       func(Result) error
	partitions []int // of the origin topic
	totals     Totals
	sent       identitySet // by this run, and by earlier ones whose marked letters were read
	batch      batch
}

// redrivePart redrives the letters of one partition.
func (r *redriveRun) redrivePart(ctx context.Context, in *reader, p *part) error {
	r.batch = batch{partition: p.id}
	err := in.letters(ctx, p, func(l *Letter) error { return r.decide(ctx, l) })
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	if flushed := r.flush(ctx); flushed != nil {
		return flushed
	}
	return err
}

// decide adds a letter to the batch or skips it; errStop: the limit is reached.
func (r *redriveRun) decide(ctx context.Context, l *Letter) error {
	if l.Redriven && l.Truncated == "" { // of a truncated letter the message is not known
		r.sent.add(identify(l.Origin, l.message()))
	}
	if !r.filter.matches(l) {
		return nil
	}
	if l.Redriven {
		if len(r.filter.IDs) > 0 {
			return r.skip(l, SkipRedriven, "it was redriven before")
		}
		r.totals.AlreadyRedriven++
		return nil
	}
	if err := r.checkLimit(ctx); err != nil {
		return err
	}
	m, reason, detail, err := r.prepare(ctx, l)
	if err != nil {
		return err
	}
	if reason != "" {
		return r.skip(l, reason, detail)
	}
	id := identify(l.Origin, m)
	if r.batch.publishes(id) {
		// Whether the broker accepts the other letter has to be known first.
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	if r.sent.has(id) {
		r.batch.add(l, id, nil)
		return r.flushIfFull(ctx)
	}
	m = m.withRedrives(l.Redrives + 1)
	if fault := certainFault(m, r.q.cfg.MaxMessageBytes); fault != nil && !r.opts.Force {
		return r.skip(l, SkipHopeless, "it would die again: "+fault.Error())
	}
	r.batch.add(l, id, m)
	return r.flushIfFull(ctx)
}

// checkLimit returns errStop when the limit is reached. Letters that are skipped do
// not count, because all later runs would meet them again.
func (r *redriveRun) checkLimit(ctx context.Context) error {
	if r.filter.Limit == 0 || r.totals.Redriven+r.batch.messages < r.filter.Limit {
		return nil
	}
	// The broker may reject some of the batch.
	if err := r.flush(ctx); err != nil {
		return err
	}
	if r.totals.Redriven < r.filter.Limit {
		return nil
	}
	return errStop
}

// prepare returns the message that died, or why it is not available or may not be
// published.
func (r *redriveRun) prepare(ctx context.Context, l *Letter) (*message, SkipReason, string, error) {
	switch {
	case l.Origin.Topic == "":
		return nil, SkipForeign, "it does not name its origin: no worker wrote it", nil
	case l.Origin.Topic != r.q.cfg.Topic:
		return nil, SkipTopic, fmt.Sprintf("it died in topic %s, and kafka.topic is %s", l.Origin.Topic, r.q.cfg.Topic), nil
	case l.Redrives >= r.opts.MaxRedrives && l.Redrives == 1:
		return nil, SkipLimit, fmt.Sprintf("it was redriven once and died again; --max-redrives is %d", r.opts.MaxRedrives), nil
	case l.Redrives >= r.opts.MaxRedrives:
		return nil, SkipLimit, fmt.Sprintf("it was redriven %d times and died each time; --max-redrives is %d", l.Redrives, r.opts.MaxRedrives), nil
	}
	if l.Truncated == "" {
		return l.message(), "", "", nil
	}
	m, state, err := r.q.original(ctx, l)
	if err == nil && state != OriginPresent {
		return nil, SkipTruncated, fmt.Sprintf("it lacks its %s, and the whole is no longer at %v (%s)", l.Truncated, l.Origin, state), nil
	}
	return m, "", "", err
}

// certainFault returns the fault for which a message would die in a worker of this
// version and configuration, if that is certain. m is the message as it would be
// published, with the header of a redrive.
func certainFault(m *message, maxBytes int) error {
	if n := m.size(); n > maxBytes {
		return fmt.Errorf("%s: %d bytes, and kafka.max_message_bytes is %d", eval.ReasonTooLarge, n, maxBytes)
	}
	if n := len(m.headers); n > consumer.MaxHeaders {
		return fmt.Errorf("%s: %d headers, of which %d are allowed", eval.ReasonTooLarge, n, consumer.MaxHeaders)
	}
	_, err := event.Decode(m.value)
	return err
}

// WouldDie returns the fault for which a letter would certainly die again, in a worker
// of this version and configuration; "" if that is not known, as for a truncated
// letter.
func (q *Queue) WouldDie(l *Letter) string {
	if l.Truncated != "" {
		return ""
	}
	if err := certainFault(l.message().withRedrives(l.Redrives+1), q.cfg.MaxMessageBytes); err != nil {
		return err.Error()
	}
	return ""
}

func (r *redriveRun) flushIfFull(ctx context.Context) error {
	if len(r.batch.items) < r.q.batchSize && r.batch.bytes < batchBytes {
		return nil
	}
	return r.flush(ctx)
}

// flush publishes the batch, marks it, and reports it.
func (r *redriveRun) flush(ctx context.Context) error {
	if len(r.batch.items) == 0 {
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	b := r.batch
	r.batch = batch{partition: b.partition}
	var err error
	if !r.opts.DryRun {
		// Not interrupted, because published letters have to be marked. Each request ends
		// after retryLimit at the latest.
		err = r.q.deliver(context.WithoutCancel(ctx), r.partitions, &b)
	}
	for i := range b.items {
		if err != nil && !b.items[i].done {
			continue // not done, or not known to be
		}
		if reported := r.report(&b.items[i]); reported != nil {
			return errors.Join(err, reported)
		}
	}
	return err
}

// report counts an item that is done and passes its result on.
func (r *redriveRun) report(item *item) error {
	switch {
	case item.rejected:
		return r.skip(item.letter, SkipTooLarge, fmt.Sprintf("the broker accepts no message of %d bytes", item.letter.Bytes()))
	case item.message == nil:
		r.totals.Duplicates++
		return r.each(Result{Letter: item.letter, Action: ActionDuplicate})
	}
	r.sent.add(item.identity)
	r.totals.Redriven++
	return r.each(Result{Letter: item.letter, Action: ActionRedriven})
}

func (r *redriveRun) skip(l *Letter, reason SkipReason, detail string) error {
	r.totals.Skipped++
	return r.each(Result{Letter: l, Action: ActionSkipped, Skip: reason, Detail: detail})
}
