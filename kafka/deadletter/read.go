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

// Filter chooses letters. A zero field chooses all.
type Filter struct {
	IDs    []ID        // these letters
	Reason eval.Reason // that died for this reason
	Key    string      // of messages with this key
	Prefix string      // of messages whose key begins with this
	// Since and Until bound the time of death; Until itself is outside.
	Since, Until time.Time
	// Match chooses letters by any other property; nil: all.
	Match func(*Letter) bool
	// Limit is how many letters are listed, or redriven, at most; 0: all. Letters that
	// a redrive skips, and duplicates, do not count.
	Limit int
}

// All reports whether the filter chooses every letter.
func (f Filter) All() bool {
	return len(f.IDs) == 0 && f.Match == nil && f.Reason == "" && f.Key == "" && f.Prefix == "" && f.Since.IsZero() && f.Until.IsZero() && f.Limit == 0
}

func (f Filter) matches(l *Letter) bool {
	return (f.Reason == "" || l.Reason == f.Reason) &&
		f.matchesKey(string(l.Key)) &&
		(f.Since.IsZero() || !l.Time.Before(f.Since)) &&
		(f.Until.IsZero() || l.Time.Before(f.Until)) &&
		(f.Match == nil || f.Match(l))
}

// matchesKey reports whether a key is Key or begins with Prefix.
func (f Filter) matchesKey(key string) bool {
	switch {
	case f.Key == "" && f.Prefix == "":
		return true
	case f.Key != "" && key == f.Key:
		return true
	}
	return f.Prefix != "" && strings.HasPrefix(key, f.Prefix)
}

// reader is one read of the dead letters: where the wanted letters are in each
// partition, and which letters were redriven.
type reader struct {
	q       *Queue
	parts   []part
	step    func(done, total int64) // never nil
	done    int64                   // offsets in the spans that were read
	total   int64
	missing []ID // ids of the filter that the topic does not hold
}

// part is the part of a read that is about one partition.
type part struct {
	id     int
	marks  marks
	whole  span   // where marks may be
	wanted []span // where the letters are
}

// open finds out where the letters of a filter are, and reads the marks.
func (q *Queue) open(ctx context.Context, f Filter, progress func(done, total int64)) (*reader, error) {
	spans, err := q.spans(ctx)
	if err != nil {
		return nil, err
	}
	if !f.Since.IsZero() {
		if err := q.trimBefore(ctx, spans, f.Since); err != nil {
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

// plan sets the parts: the whole spans, or the pieces of them that hold the ids.
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

// scan reads one span and reports the progress.
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

func isMark(r *kafka.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h kafka.Header) bool { return h.Key == HeaderRedriven })
}

// addMark adds a record if it is a mark. A mark that cannot be parsed is ignored: to
// redrive its letters again is better than never.
func (p *part) addMark(rec *kafka.Record) error {
	if !isMark(rec) {
		return nil
	}
	value, err := kafka.ReadAll(rec.Value)
	if err != nil {
		return err
	}
	if runs, err := decodeRuns(value, rec.Offset); err == nil {
		p.marks.add(runs...)
	}
	return nil
}

// letters calls each with the letters of a part. It returns errStop if each did.
func (r *reader) letters(ctx context.Context, p *part, each func(*Letter) error) error {
	for _, s := range p.wanted {
		stopped := false
		err := r.scan(ctx, s, func(rec *kafka.Record) error {
			if isMark(rec) {
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
