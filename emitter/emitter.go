package emitter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/evalworker/evalworker/event"
)

// Emitter publishes events. All methods are safe for concurrent use. Those of a nil
// Emitter do nothing, so that an application can leave publishing out; a zero Emitter,
// which New has not made, refuses every event with [ErrClosed].
type Emitter struct {
	cfg     Config
	topic   *topicClient   // nil with a sidecar
	sidecar *sidecarClient // nil without one

	// life ends when Close gives up or is done, and with it every wait for the
	// network.
	life    context.Context
	end     context.CancelCauseFunc
	slots   chan struct{}  // one token for each batch on its way
	wake    chan struct{}  // makes the collector look again; holds one
	senders sync.WaitGroup // the collector, and a goroutine for each batch
	scratch sync.Pool      // *[]byte, for encoding
	copies  sync.Pool      // *event.Event, of what is being emitted
	notices notices

	mu      sync.Mutex
	queue   []message     // guarded by mu; accepted, in no batch yet
	queued  int           // guarded by mu; bytes in queue
	events  int           // guarded by mu; accepted and not yet settled
	bytes   int           // guarded by mu; of those
	seq     uint64        // guarded by mu; events accepted so far
	closed  bool          // guarded by mu
	blocked int           // guarded by mu; calls of Emit that wait for room
	room    chan struct{} // guarded by mu; closed and replaced when there is room again
	flushes []*flush      // guarded by mu
	unsent  UnsentError   // guarded by mu; given up and not yet reported
	trouble trouble       // guarded by mu
	stats   Stats         // guarded by mu; its counters alone

	closing sync.Once
	done    chan struct{} // closed when Close is done
	result  error         // written before done is closed
}

// Stats are the emitter's counters since New, and what its buffer holds now. Always
// Accepted = Sent + Unsent + BufferedEvents.
type Stats struct {
	Accepted uint64 // events that Emit has buffered
	Sent     uint64 // acknowledged by all in-sync replicas
	Unsent   uint64 // given up
	Full     uint64 // dropped, because there was no room
	Rejected uint64 // not accepted, because they are invalid or too large
	Filtered uint64 // left out by Config.Prepare
	Withheld uint64 // of Accepted, those without their content: event.Event.ContentWithheld says why
	Retries  uint64 // attempts to look up the topic or to write a batch that failed and may be made again
	Panics   uint64 // of Config.TraceContext, Prepare, Unsent and Logger, which were contained

	BufferedEvents int
	BufferedBytes  int

	LastError    error     // of the latest attempt that failed, in words that say what to mend; nil if none has
	LastErrorAt  time.Time // when it failed
	FailingSince time.Time // since when attempts fail; zero if events have been written since LastErrorAt
}

// flush is a call of Flush that waits.
type flush struct {
	upTo uint64 // sequence number of the last event that it waits for
	left int    // events that are not settled yet
	done chan struct{}
}

// New returns an emitter and starts the goroutine that collects its batches, which
// Close ends. No connection is opened before the first event, so a cluster that is
// away when an application starts costs it nothing.
func New(cfg Config) (*Emitter, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("configure emitter: %w", err)
	}
	cfg = cfg.withDefaults()
	life, end := context.WithCancelCause(context.Background())
	e := &Emitter{
		cfg: cfg, life: life, end: end,
		slots: make(chan struct{}, cfg.InFlight),
		wake:  make(chan struct{}, 1),
		room:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	if cfg.Sidecar != "" {
		e.sidecar = newSidecarClient(cfg)
	} else {
		e.topic = newTopicClient(cfg)
	}
	e.notices.log, e.notices.panicked = cfg.Logger, e.countPanic
	e.spawn(e.collect)
	return e, nil
}

// spawn runs a goroutine that Close waits for.
func (e *Emitter) spawn(run func()) {
	e.senders.Add(1)
	go func() {
		defer e.senders.Done()
		run()
	}()
}

// absent reports whether there is no emitter to act: it is nil, or New has not made it.
func (e *Emitter) absent() bool { return e == nil || e.topic == nil && e.sidecar == nil }

// absence returns what becomes of an event without an emitter.
func (e *Emitter) absence() error {
	if e == nil {
		return nil
	}
	return ErrClosed
}

// Connect finds out whether the cluster, or the sidecar, can be reached and lets this
// application in, which New does not check. It is optional, for programs that prefer to fail at
// their start rather than count unsent events. The error is [ErrNoAccess] when the
// connection cannot succeed until someone mends something: a password, a
// certificate, a permission. Any other error may be temporary.
func (e *Emitter) Connect(ctx context.Context) error {
	if e.absent() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.WriteTimeout)
	defer cancel()
	if e.sidecar != nil {
		return e.sidecar.connect(ctx)
	}
	topic, err := e.topic.lookUp(ctx)
	if err == nil {
		// Any other error of the topic may pass: it may be about to be created.
		if refused := e.topic.describe(topicError(topic)); errors.Is(refused, ErrNoAccess) {
			err = refused
		}
	}
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", explain(err))
	}
	return nil
}

// Emit puts one event into the buffer. It fills in Kind and OccurredAt if they are
// zero, and the trace context if the event has none. The caller may change what
// the event points to as soon as Emit has returned.
//
// Media in the content is replaced, Config.Prepare is called, and an event that is still
// larger than Config.MaxEventBytes goes without its content. An event that Config.Prepare
// leaves out is no error.
//
// The error is [ErrFull] or [ErrClosed], the context's own if it ended before there
// was room (with Config.Block), or an [event.Error], which is permanent: no request
// id, an unknown kind, beyond a bound of the workers ([event.Event.Check]), or larger
// than Config.MaxEventBytes even without content ([ErrTooLarge]). Text that is not UTF-8 is mended, and a
// number that JSON does not have is left out.
func (e *Emitter) Emit(ctx context.Context, ev event.Event) error {
	if e.absent() {
		return e.absence()
	}
	if err := e.admit(); err != nil {
		return e.noted(err)
	}
	own, _ := e.copies.Get().(*event.Event)
	if own == nil {
		own = new(event.Event)
	}
	*own = ev
	m, kept, err := e.message(ctx, own)
	*own = event.Event{} // what it held is the application's
	e.copies.Put(own)
	if !kept {
		e.countFiltered()
		return nil
	}
	return e.noted(e.accept(ctx, m, err))
}

// Forward puts an event into the buffer that is already encoded. The value is
// published as it is, including fields that this version does not know, and must not
// be changed afterwards. ev is its decoded form, for the envelope; nothing is filled
// in. Media and an event that is too large are treated as by Emit; with Config.Prepare,
// or without its content, an event has only the fields that this version knows. The
// errors are those of Emit.
func (e *Emitter) Forward(ctx context.Context, ev *event.Event, value []byte) error {
	if e.absent() {
		return e.absence()
	}
	if err := e.admit(); err != nil {
		return e.noted(err)
	}
	own := *ev
	value, ok := e.cfg.prepareEncoded(&own, validUTF8(value), e.contain)
	if !ok {
		e.countFiltered()
		return nil
	}
	m, err := e.cfg.fit(&own, value)
	return e.noted(e.accept(ctx, m, err))
}

// admit rejects events while there is no room, before they are encoded: a cluster
// that is away must not cost an application more than one that is not.
func (e *Emitter) admit() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return ErrClosed
	case !e.cfg.Block && (e.events >= e.cfg.BufferEvents || e.bytes >= e.cfg.BufferBytes):
		e.stats.Full++
		return ErrFull
	}
	return nil
}

// accept puts a message into the buffer, or counts the reason why not.
func (e *Emitter) accept(ctx context.Context, m message, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.stats.Rejected++
		return err
	}
	for {
		switch {
		case e.closed:
			return ErrClosed
		case e.events < e.cfg.BufferEvents && e.bytes+m.size <= e.cfg.BufferBytes:
			e.put(m)
			return nil
		case !e.cfg.Block:
			e.stats.Full++
			return ErrFull
		}
		if err := e.waitForRoom(ctx); err != nil {
			e.stats.Full++
			return fmt.Errorf("wait for room to emit %.100s: %w", m.id, err)
		}
	}
}

// waitForRoom releases mu until something was settled. The channel is read under
// the lock, so whatever makes room after this call closes it.
func (e *Emitter) waitForRoom(ctx context.Context) error {
	room := e.room
	e.blocked++
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.blocked--
	}()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// put adds a message to the queue. The caller holds mu.
func (e *Emitter) put(m message) {
	e.seq++
	m.seq = e.seq
	e.queue = append(e.queue, m)
	e.queued += m.size
	e.events++
	e.bytes += m.size
	e.stats.Accepted++
	if m.withheld != "" {
		e.stats.Withheld++
	}
	// The first message starts the collector's linger; one that fills a batch ends it.
	if len(e.queue) == 1 || e.full() {
		e.nudge()
	}
}

// full reports whether the queue holds a whole batch. The caller holds mu.
func (e *Emitter) full() bool {
	return len(e.queue) >= e.cfg.BatchEvents || e.queued >= e.cfg.BatchBytes
}

func (e *Emitter) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// settle counts messages as sent, or as given up if err is not nil.
func (e *Emitter) settle(ms []message, err error) {
	if len(ms) == 0 {
		return
	}
	e.release(ms, err)
	if err != nil {
		e.notices.add(noticeUnsent, len(ms), slog.String("request_id", fmt.Sprintf("%.100s", ms[0].id)), slog.String("error", err.Error()))
		e.handBack(ms, err)
	}
	e.notices.flush(false)
}

// handBack passes messages that were given up to Config.Unsent.
func (e *Emitter) handBack(ms []message, err error) {
	if e.cfg.Unsent == nil {
		return
	}
	for part := range slices.Chunk(ms, e.cfg.BatchEvents) {
		events := make([]UnsentEvent, len(part))
		for i := range part {
			events[i] = UnsentEvent{RequestID: part[i].id, Value: oneLine(part[i].value), Time: part[i].time}
		}
		e.contain("Unsent", func() { e.cfg.Unsent(events, err) })
	}
}

// oneLine returns a JSON value without line breaks, of which content may have some
// between its parts.
func oneLine(value []byte) []byte {
	if bytes.IndexByte(value, '\n') < 0 {
		return value
	}
	var out bytes.Buffer
	if json.Compact(&out, value) != nil {
		return value // of Forward, and no JSON
	}
	return out.Bytes()
}

func (e *Emitter) release(ms []message, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range ms {
		e.bytes -= ms[i].size
		for _, f := range e.flushes {
			if ms[i].seq <= f.upTo {
				f.left--
			}
		}
	}
	e.events -= len(ms)
	if err != nil {
		e.stats.Unsent += uint64(len(ms))
		e.unsent.add(ms, err)
		if t := &e.trouble; !errors.Is(err, errClosing) {
			t.err, t.at = err, time.Now()
			if t.since.IsZero() && !aboutRecords(err) { // refused without another attempt, as what comes will be
				t.since, t.count, t.written = t.at, 1, false
			}
		}
	} else {
		e.stats.Sent += uint64(len(ms))
		e.trouble.written = true
	}
	e.flushes = slices.DeleteFunc(e.flushes, func(f *flush) bool {
		if f.left == 0 {
			close(f.done)
		}
		return f.left == 0
	})
	if e.blocked > 0 {
		close(e.room)
		e.room = make(chan struct{})
	}
}

// Stats returns the counters, all as of one moment.
func (e *Emitter) Stats() Stats {
	if e.absent() {
		return Stats{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.BufferedEvents, s.BufferedBytes = e.events, e.bytes
	s.LastError, s.LastErrorAt, s.FailingSince = e.trouble.err, e.trouble.at, e.trouble.since
	return s
}
