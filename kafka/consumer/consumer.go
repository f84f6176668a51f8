package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/kafka/fetch"
)

// The causes with which the context of a handler ends.
var (
	errPartitionLost = errors.New("the partition belongs to another worker now")
	errStopped       = errors.New("the time to shut down is over")
)

const (
	joinBackoff    = 500 * time.Millisecond // after the group could not be joined
	requestTimeout = 5 * time.Second        // of one request to the group's coordinator
	// metadataTTL bounds the age of kafka-go's metadata, and the wait for it.
	metadataTTL = requestTimeout
	// leaveTimeout bounds the wait until the coordinator knows that we leave;
	// leaveHungTimeout when it has just failed to answer the last commit.
	leaveTimeout     = 5 * time.Second
	leaveHungTimeout = time.Second
	// endTimeout is the part of the grace that a member reserves for a last commit and
	// for leaving, in case no broker answers either.
	endTimeout = lastCommitTimeout + leaveHungTimeout
	// busyInterval is how often a member that stops between generations checks whether
	// anything is still in flight.
	busyInterval   = 50 * time.Millisecond
	abandonTimeout = 5 * time.Second // of the wait for handlers whose context has ended
)

// Consumer reads one topic as a member of a consumer group, for one Run.
type Consumer struct {
	cfg     Config
	deps    Deps
	observe Observer
	log     *slog.Logger
	started atomic.Bool

	dialer      *kafka.Dialer
	fetchDialer *fetch.Dialer
	transport   *kafka.Transport
	client      *kafka.Client
	letters     *deadLetters
	assignor    *assignor
	foreign     []string // the other topics in the group that have been logged

	slots    chan struct{} // one token for each task in flight
	budget   *byteBudget   // bytes of the messages in flight, and of those that wait for a slot
	workers  chan struct{} // one token for each worker
	tasks    chan task     // to a worker that is idle
	finished chan struct{} // closed when there will be no more tasks
	handlers sync.WaitGroup
	breaker  *commitBreaker

	handlerRetries retries
	letterRetries  retries
	refusal        refusalState
	outage         outage.Outage // of joining the group and of commits

	joinLog, commitLog, fetchLog, topicLog, foreignLog    outage.Limiter
	metadataLog, offsetsLog, resetLog, lostLog, panicsLog outage.Limiter
	letterLog                                             letterLog

	metadataLimit atomic.Int64              // bytes of commit metadata that the broker has been found to accept
	lastCommit    atomic.Pointer[time.Time] // when the broker last accepted a commit; nil: never
	refreshed     atomic.Pointer[time.Time] // when refreshMetadata last acted; nil: never
	unanswered    atomic.Pointer[time.Time] // when the cluster last left a request without an answer; nil: never
	topicMissing  atomic.Pointer[time.Time] // since when the topic has had no partitions; nil: it has

	startEnds map[int]logBounds // beginGroup only: the topic's bounds when the group was last seen to be new

	// Used by generations only, which follow one another.
	sawTopicGone bool   // the last one ended because the topic was deleted
	member       string // this member's id in the last one
	stopTrailing func() // ends the trailing commits of the last one

	mu             sync.Mutex         // guards what Status reads
	partitions     map[int]*partition // written by the goroutine of the present generation alone
	joined         bool
	notJoinedSince time.Time // meaningless while joined
	ended          bool      // Run is about to return
	generation     int32
}

// New returns a Consumer, without connecting. Faults in cfg are a [fault.List].
func New(cfg Config, deps Deps) (*Consumer, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if deps.Handle == nil {
		return nil, errors.New("consumer: no handler")
	}
	connector := conn.NewConnector(cfg.Config)
	c := &Consumer{
		cfg:     cfg,
		deps:    deps,
		observe: deps.Observe,
		log:     deps.Log,
		dialer:  connector.Dialer(),
		fetchDialer: fetch.NewDialer(fetch.Config{
			ClientID: cfg.ClientID, MaxWait: cfg.FetchMaxWait, MaxBytes: fetchMaxBytes, Timeout: requestTimeout,
			MaxRecord: unreadFactor * max(cfg.MaxMessageBytes, fetchMaxBytes),
		}, connector.BufferedDialer(fetchReadAhead)),
		transport:      connector.Transport(),
		assignor:       &assignor{topic: cfg.Topic, assigned: notLeader},
		slots:          make(chan struct{}, cfg.MaxInFlight),
		budget:         newByteBudget(cfg.MaxInFlightBytes),
		workers:        make(chan struct{}, cfg.MaxInFlight),
		tasks:          make(chan task),
		finished:       make(chan struct{}),
		breaker:        newCommitBreaker(),
		handlerRetries: retries{cause: "handlers wait for a dependency"},
		letterRetries:  retries{cause: "dead letters are not accepted"},
		partitions:     make(map[int]*partition),
		notJoinedSince: time.Now(),
		stopTrailing:   func() {},
	}
	if c.observe == nil {
		c.observe = nopObserver{}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.log = c.log.With("component", "consumer", "topic", cfg.Topic, "group", cfg.Group)
	c.transport.MetadataTTL = metadataTTL
	c.transport.MetadataTopics = []string{cfg.Topic, cfg.DeadLetters()}
	c.client = conn.NewClient(cfg.Config, c.transport)
	c.letters = newDeadLetters(cfg, c.transport)
	c.metadataLimit.Store(maxMetadata)
	return c, nil
}

// Run consumes until ctx ends. It then begins nothing more, waits up to Config.Grace
// for the messages in flight as a member of the group, commits, leaves the group and
// waits, within a bound, until the coordinator confirms that.
//
// When a broker cannot be reached, a group cannot be joined or a topic does not exist,
// it keeps trying, and Status reports it. It returns nil when everything that was
// begun is committed, and otherwise an error that says what is repeated.
func (c *Consumer) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("consumer: Run was called before")
	}
	defer c.transport.CloseIdleConnections()

	if !c.beginGroup(ctx) {
		return nil
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                c.cfg.Group,
		Brokers:           c.cfg.Brokers,
		Dialer:            c.dialer,
		Topics:            []string{c.cfg.Topic},
		GroupBalancers:    []kafka.GroupBalancer{c.assignor},
		HeartbeatInterval: c.cfg.HeartbeatInterval,
		SessionTimeout:    c.cfg.SessionTimeout,
		RebalanceTimeout:  c.cfg.RebalanceTimeout,
		JoinGroupBackoff:  joinBackoff,
		Timeout:           requestTimeout,
		StartOffset:       kafka.FirstOffset, // for a new group see beginGroup
	})
	if err != nil {
		return fmt.Errorf("join group %s: %w", c.cfg.Group, err)
	}
	grace, stopGrace := graceAfter(ctx, c.cfg.Grace)
	defer stopGrace()
	rejoin, stopRejoin := graceAfter(ctx, max(c.cfg.Grace-endTimeout, 0))
	defer stopRejoin()

	logging, stopLogging := context.WithCancel(context.WithoutCancel(ctx))
	var side sync.WaitGroup
	side.Go(func() { c.summarizeDeadLetters(logging) })
	defer side.Wait()
	defer stopLogging()

	committed := c.generations(ctx, grace, rejoin, group)
	return errors.Join(c.leave(group, committed), c.stopWorkers())
}

// generations serves one generation after the other until the consumer is to stop,
// and returns the error of the last commit; stopWorkers reports what a member that
// ends between generations leaves uncommitted. A member that is to stop joins once
// more to finish what is in flight, until grace ends, and to commit, until rejoin does.
func (c *Consumer) generations(ctx, grace, rejoin context.Context, group *kafka.ConsumerGroup) error {
	defer func() { c.stopTrailing() }()
	wait := ctx
	for {
		sent := time.Now()
		gen, err := group.Next(wait)
		switch {
		case err == nil:
		case ctx.Err() == nil:
			c.noteUnanswered(sent, err)
			if c.noteRefusal(err) {
				c.outage.End() // a broker that refuses can be reached
				continue
			}
			c.refusal.end()
			err = c.describe(err)
			if isOutage(err) {
				c.outage.Fail(err)
			}
			if seen, ok := c.joinLog.AllowErr(err); ok {
				seen.Since = since(&c.outage, seen.Since)
				seen.On(c.log).Warn("group not joined; trying again", keyError, err)
			}
			continue
		case wait.Err() == nil: // stopping, and joining failed
			continue
		case wait == ctx && c.inFlight() > 0: // stopping during a rebalance: the next generation can finish this
			busy, stop := c.whileBusy(grace)
			defer stop() // once: wait is never ctx again
			wait = busy  //nolint:fatcontext // replaced, not nested
			continue
		case wait != rejoin && c.uncommitted() > 0 && rejoin.Err() == nil:
			wait = rejoin
			continue
		case wait == rejoin:
			return fmt.Errorf("group %s not joined again: %w", c.cfg.Group, context.DeadlineExceeded)
		default:
			return nil
		}

		// There is exactly one function per generation, because the first to return ends
		// it. It is waited for, because it runs even if the generation has ended already.
		ended, stopped := make(chan struct{}), make(chan error, 1)
		gen.Start(func(gctx context.Context) {
			defer close(ended)
			g := &generation{
				c: c, gen: gen, app: ctx, grace: grace, rejoin: rejoin,
				topicGone: make(chan struct{}, 1), topicGrown: make(chan struct{}, 1),
			}
			if stop, err := g.serve(gctx); stop {
				stopped <- err
				<-gctx.Done() // returning before leave would join the group once more
			}
		})
		select {
		case err := <-stopped:
			if err != nil {
				err = fmt.Errorf("last commit: %w", c.describe(err))
			}
			return err
		case <-ended:
		}
	}
}

// whileBusy returns a context that ends with grace, or when nothing is in flight any more.
func (c *Consumer) whileBusy(grace context.Context) (busy context.Context, stop func()) {
	busy, cancel := context.WithCancel(grace)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer cancel()
		tick := time.NewTicker(busyInterval)
		defer tick.Stop()
		for c.inFlight() > 0 {
			select {
			case <-tick.C:
			case <-busy.Done():
				return
			}
		}
	})
	return busy, func() {
		cancel()
		watching.Wait()
	}
}

// leave leaves the group and waits until the coordinator confirms it. A process that
// ended earlier would make the others wait for the session timeout.
func (c *Consumer) leave(group *kafka.ConsumerGroup, committed error) error {
	limit := leaveTimeout
	if errors.Is(committed, context.DeadlineExceeded) {
		limit = leaveHungTimeout
	}
	left := make(chan struct{})
	go func() { // ends when the requests of kafka-go do, at the latest with their timeouts
		defer close(left)
		_ = group.Close() // its error is always nil
	}()
	if !waitFor(left, limit) {
		return errors.Join(committed, fmt.Errorf("leave group %s: no answer within %v; its partitions wait for the session timeout", c.cfg.Group, limit))
	}
	return committed
}

// stopWorkers ends the handlers that still run and waits for them, within a bound.
func (c *Consumer) stopWorkers() error {
	c.noteLeft()
	unfinished, uncommitted := c.inFlight(), c.uncommitted()
	c.mu.Lock()
	c.ended = true
	for _, p := range c.partitions {
		p.cancel(errStopped)
	}
	c.mu.Unlock()
	var err error
	if unfinished > 0 {
		err = fmt.Errorf("%d messages were not finished within %v; they are done again", unfinished, c.cfg.Grace)
	}
	if uncommitted > 0 {
		err = errors.Join(err, fmt.Errorf("what was finished last on %d partitions is not committed; it is done again", uncommitted))
	}
	close(c.finished)
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		c.handlers.Wait()
	}()
	if !waitFor(idle, abandonTimeout) {
		err = errors.Join(err, fmt.Errorf("%d handlers still run %v after their context ended", len(c.slots), abandonTimeout))
	}
	return err
}

// waitFor waits until done is closed, and reports false when limit is over first.
func waitFor(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// inFlight returns the number of messages in flight on this member's partitions.
func (c *Consumer) inFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.partitions {
		n += p.tracker.progress().working
	}
	return n
}

// uncommitted returns the number of partitions with finished work not committed.
func (c *Consumer) uncommitted() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.partitions {
		if !p.tracker.progress().saved {
			n++
		}
	}
	return n
}

// noteLeft records that this is not a member of the group any more.
func (c *Consumer) noteLeft() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined {
		c.notJoinedSince = time.Now()
	}
	c.joined, c.generation = false, 0
}

// graceAfter returns a context that ends the given time after ctx. stop releases it.
func graceAfter(ctx context.Context, d time.Duration) (grace context.Context, stop func()) {
	grace, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, func() { cancel(errStopped) })
		context.AfterFunc(grace, func() { timer.Stop() })
	})
	return grace, func() {
		unhook()
		cancel(nil)
	}
}
