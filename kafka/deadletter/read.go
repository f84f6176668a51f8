package deadletter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
)

// Filter chooses letters. What is zero chooses all.
type Filter struct {
	IDs    []ID        // these alone
	Reason eval.Reason // that died of this
	Key    string      // of messages with this key
	Prefix string      // of messages whose key begins so
	// Since and Until bound the time of death; Until itself is outside.
	Since, Until time.Time
	// Match chooses by what a letter is; nil: all.
	Match func(*Letter) bool
	// Limit is how many letters are listed, or redriven, at most; 0: all. What a
	// redrive refuses, or finds to be a duplicate, does not count.
	Limit int
}

// All reports whether the filter leaves nothing out.
func (f Filter) All() bool {
	return len(f.IDs) == 0 && f.Match == nil && f.Reason == "" && f.Key == "" && f.Prefix == "" && f.Since.IsZero() && f.Until.IsZero() && f.Limit == 0
}

func (f Filter) wants(l *Letter) bool {
	return (f.Reason == "" || l.Reason == f.Reason) &&
		f.wantsKey(string(l.Key)) &&
		(f.Since.IsZero() || !l.Time.Before(f.Since)) &&
		(f.Until.IsZero() || l.Time.Before(f.Until)) &&
		(f.Match == nil || f.Match(l))
}

// wantsKey holds Key and Prefix against a key. A letter is chosen by either.
func (f Filter) wantsKey(key string) bool {
	switch {
	case f.Key == "" && f.Prefix == "":
		return true
	case f.Key != "" && key == f.Key:
		return true
	}
	return f.Prefix != "" && strings.HasPrefix(key, f.Prefix)
}

// reading is one read of the dead letters: what is asked of each partition, and
// which letters were redriven.
type reader struct {
	q       *Queue
	parts   []part
	step    func(done, total int64) // never nil
	done    int64                   // offsets that were passed in finished spans
	total   int64
	missing []ID // asked for, and outside of what the topic holds
}

// part is what is read of one partition.
type part struct {
	id     int
	marks  marks
	whole  span   // where marks may be
	wanted []span // where the letters are
}

// open looks where the letters of a filter are, and reads the marks.
func (q *Queue) open(ctx context.Context, f Filter, progress func(done, total int64)) (*reader, error) {
	spans, err := q.spans(ctx)
	if err != nil {
		return nil, err
	}
	if !f.Since.IsZero() {
		if err := q.since(ctx, spans, f.Since); err != nil {
			return nil, err
		}
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	r := &reader{q: q, step: progress}
	r.plan(spans, f.IDs)
	for i := range r.parts {
		p := &r.parts[i]
		r.total += p.whole.to - p.whole.from
		for _, w := range p.wanted {
			r.total += w.to - w.from
		}
	}
	for i := range r.parts {
		p := &r.parts[i]
		if err := r.scan(ctx, p.whole, p.addMark); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// choose makes the parts: the spans, or of them what holds the ids.
func (r *reader) plan(spans []span, ids []ID) {
	if len(ids) == 0 {
		for _, s := range spans {
			r.parts = append(r.parts, part{id: s.partition, whole: s, wanted: []span{s}})
		}
		return
	}
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b ID) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for _, id := range slices.Compact(ids) {
		i := slices.IndexFunc(spans, func(s span) bool { return s.partition == id.Partition })
		if i < 0 || id.Offset < spans[i].from || id.Offset >= spans[i].to {
			r.missing = append(r.missing, id)
			continue
		}
		if n := len(r.parts); n == 0 || r.parts[n-1].id != id.Partition {
			r.parts = append(r.parts, part{id: id.Partition, whole: span{id.Partition, id.Offset, spans[i].to}})
		}
		p := &r.parts[len(r.parts)-1]
		if n := len(p.wanted); n > 0 && p.wanted[n-1].to == id.Offset {
			p.wanted[n-1].to++
			continue
		}
		p.wanted = append(p.wanted, span{id.Partition, id.Offset, id.Offset + 1})
	}
}

// scan reads one span and tells how far the reading is.
func (r *reader) scan(ctx context.Context, s span, fn func(*kafka.Record) error) error {
	defer func() {
		r.done += s.to - s.from
		r.step(r.done, r.total)
	}()
	return r.q.scan(ctx, r.q.Topic(), s, func(rec *kafka.Record) error {
		r.step(r.done+rec.Offset-s.from, r.total)
		return fn(rec)
	})
}

// mark notes a record that is a mark. One that cannot be read marks nothing:
// the letters are then redriven once more, which is the better mistake.
func (p *part) addMark(rec *kafka.Record) error {
	if _, ok := header(rec.Headers, HeaderRedriven); !ok {
		return nil
	}
	value, err := bytesOf(rec.Value)
	if err != nil {
		return err
	}
	if runs, err := decodeRuns(value, rec.Offset); err == nil {
		p.marks.add(runs...)
	}
	return nil
}

// letters gives the letters of a part, marks left out. each ends it with errStop.
func (r *reader) letters(ctx context.Context, p *part, each func(*Letter) error) error {
	for _, s := range p.wanted {
		stopped := false
		err := r.scan(ctx, s, func(rec *kafka.Record) error {
			if _, mark := header(rec.Headers, HeaderRedriven); mark {
				return nil
			}
			l, err := letterOf(p.id, rec)
			if err != nil {
				return fmt.Errorf("read letter %v: %w", ID{p.id, rec.Offset}, err)
			}
			l.Redriven = p.marks.has(rec.Offset)
			err = each(l)
			stopped = stopped || err != nil
			return err
		})
		if err != nil {
			return err
		}
		if stopped {
			return errStop
		}
	}
	return nil
}
