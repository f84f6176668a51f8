package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/kafka/fetch"
)

const (
	// fetchMaxBytes bounds one answer of a broker. It is read from the connection as
	// it is used, and never held as a whole.
	fetchMaxBytes = 10 << 20
	// fetchReadAhead is how much a connection reads from its socket at once. More is
	// not faster, and a worker may have a hundred partitions.
	fetchReadAhead = 64 << 10
	// unreadFactor times Config.MaxMessageBytes is the largest message that is still
	// read, to be put aside with its value: a few bytes can be decompressed to any number.
	unreadFactor = 4
	headerMemory = 40 // what a header takes beside its key and value
	// missingLimit is how often in a row a partition may be unknown when it is opened
	// before the topic counts as deleted: not all brokers know a new one at once.
	missingLimit = 5
	// behindLimit is how long a broker may report a lower end of the partition than
	// others did and still count as the leader: the end may lag after a change of leader.
	behindLimit = 2 * time.Second
	// gapInterval bounds how often the broker is asked why offsets are missing. Gaps
	// within it of each other are put down to compaction.
	gapInterval = time.Second
)

var reopenBackoff = backoff.Backoff{Min: 200 * time.Millisecond, Max: 5 * time.Second}

var (
	errPartitionGone = errors.New("the partition is gone")
	// errNoLeader: the partition was read from a broker that does not lead it. A
	// broker cut off from the others goes on answering that there is nothing new.
	errNoLeader = errors.New("the broker knows less of the partition than others do")
	// errUnread: the message is so large that not even its value was read.
	errUnread = errors.New("not read")
	// errHeaders: the message has so many headers that none of them was read.
	errHeaders = errors.New("its headers were not read")
)

// reader reads one partition over one connection. It belongs to the goroutine that
// reads the partition.
type reader struct {
	c *Consumer
	g *generation
	p *partition

	next        int64     // the offset that the next message has if none is missing
	gapChecked  time.Time // when the broker was last asked about a gap
	behindSince time.Time // since when the broker has reported a lower end than others; zero: it does not

	// The message that was read last, in memory that the next one overwrites.
	msg     event.Message
	control bool  // it is the marker at the end of a transaction
	unread  int64 // its size, if it was too large to be read
	headers int64 // the number of its headers, if they were too many to be read
	size    int   // bytes of its key, value and headers
}

// readPartition reads a partition until ctx ends, and opens it again after errors.
func (g *generation) readPartition(ctx context.Context, p *partition) {
	if !backoff.Wait(ctx, p.startDelay) {
		return
	}
	missing := 0
	for attempt := 1; ; attempt++ {
		began := time.Now()
		err := g.readConnection(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > reopenBackoff.Max {
			attempt = 1
		}
		if missing++; !errors.Is(err, kafka.UnknownTopicOrPartition) {
			missing = 0
		}
		if missing >= missingLimit || errors.Is(err, errPartitionGone) {
			signal(g.topicGone)
		}
		err = g.c.describe(err)
		p.outage.Fail(err)
		if !g.c.noteRefusal(err) {
			if seen, ok := g.c.fetchLog.AllowErr(err); ok {
				seen.Since = since(&p.outage, seen.Since)
				seen.On(g.c.log).Warn("fetching interrupted; trying again", keyPartition, p.id, keyError, err)
			}
		}
		if !reopenBackoff.Wait(ctx, attempt) {
			return
		}
	}
}

// readConnection opens a partition at its tracker's next offset and reads it until
// something fails. It adds the broker to the error, which may not name it.
func (g *generation) readConnection(ctx context.Context, p *partition) error {
	if err := g.seek(ctx, p); err != nil {
		return err
	}
	conn, err := g.c.dialLeader(ctx, p.id)
	if err != nil {
		return err
	}
	// A read that waits for the broker ends with the connection.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	r := &reader{
		c: g.c, g: g, p: p, next: p.tracker.progress().next,
		msg: event.Message{Topic: g.c.cfg.Topic, Partition: p.id},
	}
	p.open.Store(true)
	defer p.open.Store(false)
	for {
		if err := r.read(ctx, conn); err != nil {
			from := g.c.cfg.Config
			from.Brokers = []string{conn.RemoteAddr().String()}
			return from.Describe(g.c.explain(err))
		}
		g.noteRead(p)
	}
}

// noteRead records that a partition can be read, and logs when the last of those that could
// not be read can be read again.
func (g *generation) noteRead(p *partition) {
	if _, err := p.outage.Now(); err == nil {
		return
	}
	p.outage.End()
	for _, other := range g.parts {
		if _, err := other.outage.Now(); err != nil {
			return
		}
	}
	if since, told := g.c.fetchLog.Over(); told {
		g.c.log.Info("all partitions are fetched again", keyAfter, time.Since(since))
	}
}

// dialLeader connects to the leader of a partition. It asks the brokers for it in
// random order: one that is wrong about the leader must not be asked each time.
func (c *Consumer) dialLeader(ctx context.Context, id int) (*fetch.Conn, error) {
	var failed error
	for _, i := range rand.Perm(len(c.cfg.Brokers)) {
		conn, err := c.fetchDialer.DialLeader(ctx, c.cfg.Brokers[i], c.cfg.Topic, id)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, fmt.Errorf("connect to the leader of %s/%d: %w", c.cfg.Topic, id, failed)
}

// read makes one fetch. It finishes messages that need no work, and hands the others
// to workers.
func (r *reader) read(ctx context.Context, conn *fetch.Conn) error {
	known, asked := r.p.high.Load(), time.Now()
	if err := conn.Fetch(r.next); err != nil {
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return errors.Join(errPartitionGone, err)
		}
		return err
	}
	if err := r.checkLeader(conn.High(), known); err != nil {
		return err
	}
	r.p.raiseHigh(conn.High(), asked)
	var last time.Time // of the last message
	for {
		switch err := conn.Next(&r.msg); {
		case errors.Is(err, io.EOF):
			if r.next = conn.Offset(); conn.High() != fetch.UnknownHigh && r.next >= conn.High() {
				r.p.noteReadTo(asked)
			} else {
				r.p.noteReadTo(last)
			}
			return nil
		case err != nil:
			return err
		}
		offset := r.msg.Offset
		last = r.msg.Time
		if offset > r.next && time.Since(r.gapChecked) > gapInterval {
			r.gapChecked = time.Now()
			if err := r.g.explainGap(ctx, r.p, offset); err != nil {
				return err
			}
		}
		r.next, r.control = offset+1, conn.Control()
		r.unread, r.headers = conn.Unread(), conn.UnreadHeaders()
		wanted, fault := r.inspect()
		if !wanted {
			continue
		}
		if err := r.handOver(ctx, fault); err != nil {
			return err
		}
	}
}

// checkLeader compares the end of the partition that this broker reports with the end
// that was known before the fetch.
func (r *reader) checkLeader(high, known int64) error {
	switch {
	case high == fetch.UnknownHigh: // nothing was said yet: a client over its quota gets an empty answer
	case high >= known:
		r.behindSince = time.Time{}
	case r.behindSince.IsZero():
		r.behindSince = time.Now()
	case time.Since(r.behindSince) > behindLimit:
		return fmt.Errorf("%w: it ends at %d, not at %d", errNoLeader, high, known)
	}
	return nil
}

// inspect finishes a message that needs no work, without an allocation. wanted is true
// for any other; fault is set when it is to become a dead letter at once.
func (r *reader) inspect() (wanted bool, fault error) {
	m := &r.msg
	if !r.p.tracker.admit(m.Offset) {
		return false, nil
	}
	if r.control {
		r.p.tracker.skip(m.Offset)
		r.c.observe.ControlRecord()
		return false, nil
	}
	r.size = messageBytes(m)
	if r.unread > 0 {
		return true, eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%w: %d bytes", errUnread, r.unread))
	}
	if r.headers > 0 {
		return true, eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%w: %d headers, of which %d are allowed", errHeaders, r.headers, MaxHeaders))
	}
	if limit := r.c.cfg.MaxMessageBytes; r.size > limit {
		return true, eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%d bytes, of which %d are allowed", r.size, limit))
	}
	if r.c.deps.Skip == nil {
		return true, nil
	}
	skipped, fault := r.callSkip()
	if !skipped || fault != nil {
		return true, fault
	}
	r.p.tracker.skip(m.Offset)
	r.c.observe.Consumed(1)
	return false, nil
}

// callSkip calls Skip. A message that makes it panic would end the process at
// every restart; it becomes a dead letter instead.
func (r *reader) callSkip() (skipped bool, fault error) {
	defer func() {
		if v := recover(); v != nil {
			fault = r.c.panicFault("decision", &r.msg, v)
		}
	}()
	return r.c.deps.Skip(&r.msg), nil
}

// handOver copies the message and passes it to a worker, as soon as there is room for
// it in the partition's window, in memory and among the handlers in flight, and while
// commits work. After an error the message was not begun, and is fetched again.
func (r *reader) handOver(ctx context.Context, fault error) error {
	c := r.c
	if err := r.p.tracker.waitRoom(ctx, c.cfg.Window); err != nil {
		return err
	}
	size, err := c.budget.acquire(ctx, r.size+len(r.msg.Headers)*headerMemory)
	if err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		c.budget.release(size)
		return ctx.Err()
	}
	if err := c.breaker.wait(ctx, c.cfg.MaxCommitOutage); err != nil {
		<-c.slots
		c.budget.release(size)
		return err
	}
	t := task{p: r.p, span: r.p.tracker.begin(r.msg.Offset, r.msg.Time), msg: r.copyMessage(), size: size, fault: fault}
	select {
	case c.tasks <- t:
		return nil
	default: // no worker is idle
	}
	// This waits a moment at most: the task has a slot, so one of at most as many
	// workers is idle or about to be.
	select {
	case c.tasks <- t:
	case c.workers <- struct{}{}:
		first := t // so that only a new worker's task is moved to the heap
		c.handlers.Go(func() { c.work(first) })
	}
	return nil
}

// copyMessage returns a copy of the message, in one piece of memory.
func (r *reader) copyMessage() event.Message {
	m := r.msg
	memory := make([]byte, 0, r.size)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		at := len(memory)
		memory = append(memory, b...)
		return memory[at:len(memory):len(memory)]
	}
	m.Key, m.Value = keep(m.Key), keep(m.Value)
	m.Headers = slices.Clone(m.Headers)
	for i := range m.Headers {
		m.Headers[i].Value = keep(m.Headers[i].Value)
	}
	return m
}

// panicFault logs a panic in what is called for a message, and returns the message's fault. The text of a panic's value
// may hold content, so only the run-time's own errors are shown in full.
func (c *Consumer) panicFault(in string, m *event.Message, v any) error {
	text := fmt.Sprintf("a panic with a %T", v)
	if err, ok := v.(runtime.Error); ok {
		text = err.Error()
	}
	fault := eval.Permanent(eval.ReasonPanic, errors.New(text))
	if seen, ok := c.panicsLog.AllowCause(in); ok {
		seen.On(c.log).Error("a panic, which is a fault of this program: the message becomes a dead letter", "in", in, keyPartition, m.Partition, keyOffset, m.Offset,
			keyError, fault, keyStack, string(debug.Stack()))
	}
	return fault
}

func messageBytes(m *event.Message) int {
	n := len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}
