package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Action is what was done with a letter, or in a dry run would be.
type Action string

// The actions.
const (
	ActionRedriven  Action = "redriven"
	ActionRefused   Action = "refused"
	ActionDuplicate Action = "duplicate" // another letter of the same message was redriven; this one is marked only
)

// Refusal says why a letter was not redriven; one of a closed set.
type Refusal string

// The refusals.
const (
	RefusedNotFound  Refusal = "not_found"      // there is no letter of that id
	RefusedBefore    Refusal = "redriven"       // it was asked for by id, and was redriven before
	RefusedForeign   Refusal = "foreign"        // it names no origin: no worker wrote it
	RefusedTopic     Refusal = "other_topic"    // its origin is not the configured topic
	RefusedLimit     Refusal = "redrives"       // it was redriven too often
	RefusedHopeless  Refusal = "hopeless"       // it would die again for sure
	RefusedTruncated Refusal = "truncated"      // it was cut, and the whole is gone
	RefusedTooLarge  Refusal = "broker_refuses" // the broker takes no message as large
)

// Options say how to redrive.
type Options struct {
	// MaxRedrives is how often a message may be redriven in all; 1 or more.
	MaxRedrives int
	// Force redrives what would die again for sure, for a worker that is newer
	// than this program, or is configured otherwise.
	Force bool
	// DryRun publishes nothing and marks nothing.
	DryRun bool
	// Progress is told how many offsets of how many have been passed; may be nil.
	Progress func(done, total int64)
}

// DefaultOptions redrives a message three times at most.
func DefaultOptions() Options { return Options{MaxRedrives: 3} }

// Validate gives every fault of the options.
func (o Options) Validate() fault.List {
	var faults fault.List
	if o.MaxRedrives < 1 {
		faults.Add("max-redrives", fmt.Sprintf("%d is below one", o.MaxRedrives), "want 1 or more")
	}
	return faults
}

// Result is what became of one letter.
type Result struct {
	Letter  *Letter // of an id that is no letter, ID alone
	Action  Action
	Refusal Refusal // of a letter that was refused
	Detail  string  // says the refusal to a person; ids and names, no content
}

// Totals count the results of a redrive.
type Totals struct {
	Redriven, Refused, Duplicates int
	// Before are letters that the filter chose and an earlier run redrove. They
	// are left alone, and no results.
	Before int
}

// Redrive publishes the chosen letters to the configured topic and marks them,
// batch by batch, and calls each with the results. A letter that it names is
// published and marked already when each is told so.
//
// The message is the one that died: its key, value and headers, in the partition
// where it was, with one header more, evalworker-redrives. All replicas in sync
// have it when it counts as published.
//
// When ctx ends, the batch in flight is finished first. The error is ErrEmpty when
// there is no topic yet; after any other error the totals count what was done.
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
		if err := run.skip(&Letter{ID: id}, RefusedNotFound, "there is no such letter"); err != nil {
			return run.totals, err
		}
	}
	for i := range r.parts {
		err := run.part(ctx, r, &r.parts[i])
		if errors.Is(err, errStop) {
			break
		}
		if err != nil {
			return run.totals, err
		}
	}
	return run.totals, nil
}

// redrive is one run of Redrive.
type redriveRun struct {
	q          *Queue
	opts       Options
	filter     Filter
	each       func(Result) error
	partitions []int // of the origin topic
	totals     Totals
	sent       identitySet // by this run, and by earlier ones as far as their letters were passed
	batch      batch
}

// part redrives the letters of one partition.
func (r *redriveRun) part(ctx context.Context, in *reader, p *part) error {
	r.batch = batch{partition: p.id}
	err := in.letters(ctx, p, func(l *Letter) error { return r.letter(ctx, l) })
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	if flushed := r.flush(ctx); flushed != nil {
		return flushed
	}
	return err
}

// letter decides about one letter. It ends the run with errStop at the limit.
func (r *redriveRun) letter(ctx context.Context, l *Letter) error {
	if l.Redriven && l.Truncated == "" { // of one that was cut the message is not known
		r.sent.add(identify(l.Origin, l.message()))
	}
	if !r.filter.wants(l) {
		return nil
	}
	if l.Redriven {
		if len(r.filter.IDs) > 0 {
			return r.skip(l, RefusedBefore, "it was redriven before")
		}
		r.totals.Before++
		return nil
	}
	if err := r.checkLimit(ctx); err != nil {
		return err
	}
	m, refusal, detail, err := r.prepare(ctx, l)
	if err != nil {
		return err
	}
	if refusal != "" {
		return r.skip(l, refusal, detail)
	}
	of := identify(l.Origin, m)
	if r.batch.contains(of) {
		// Whether the other one is accepted has to be known first.
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	if r.sent.has(of) {
		r.batch.add(l, of, nil)
		return r.flushIfFull(ctx)
	}
	m = m.withRedrives(l.Redrives + 1)
	if fault := certainFault(m, r.q.cfg.MaxMessageBytes); fault != nil && !r.opts.Force {
		return r.skip(l, RefusedHopeless, "it would die again: "+fault.Error())
	}
	r.batch.add(l, of, m)
	return r.flushIfFull(ctx)
}

// limit gives errStop when the limit is reached. Letters that are refused do not
// count: they would be in the way of all later runs.
func (r *redriveRun) checkLimit(ctx context.Context) error {
	if r.filter.Limit == 0 || r.totals.Redriven+r.batch.messages() < r.filter.Limit {
		return nil
	}
	// The broker may refuse some of the batch.
	if err := r.flush(ctx); err != nil {
		return err
	}
	if r.totals.Redriven < r.filter.Limit {
		return nil
	}
	return errStop
}

// fill flushes a batch that is full.
func (r *redriveRun) flushIfFull(ctx context.Context) error {
	if len(r.batch.items) < r.q.batch && r.batch.bytes < batchBytes {
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
		// Not to be interrupted: what is published has to be marked. Both take
		// patience at most.
		err = r.q.deliver(context.WithoutCancel(ctx), r.partitions, &b)
	}
	for i := range b.items {
		item := &b.items[i]
		if err != nil && !item.marked {
			continue // nobody knows, or it is not done
		}
		if told := r.report(item); told != nil {
			return errors.Join(err, told)
		}
	}
	return err
}

// tell counts and reports an item that is done.
func (r *redriveRun) report(item *item) error {
	switch {
	case item.rejected:
		return r.skip(item.letter, RefusedTooLarge, fmt.Sprintf("the broker takes no message of %d bytes", item.letter.Bytes()))
	case item.message == nil:
		r.totals.Duplicates++
		return r.each(Result{Letter: item.letter, Action: ActionDuplicate})
	}
	r.sent.add(item.identity)
	r.totals.Redriven++
	return r.each(Result{Letter: item.letter, Action: ActionRedriven})
}

func (r *redriveRun) skip(l *Letter, why Refusal, detail string) error {
	r.totals.Refused++
	return r.each(Result{Letter: l, Action: ActionRefused, Refusal: why, Detail: detail})
}
