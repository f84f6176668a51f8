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

	"github.com/evalworker/evalworker/kafka/conn"
	"github.com/evalworker/evalworker/kafka/fetch"
)

// The causes with which the context of a handler ends.
var (
	errPartitionLost = errors.New("the partition belongs to another worker now")
	errStopped       = errors.New("the time to shut down is over")
)

const (
	// joinBackoff is the pause after the group could not be joined.
	joinBackoff = 500 * time.Millisecond
	// metadataTTL bounds how old the picture of the cluster is, and how long
	// kafka-go waits for it.
	metadataTTL = requestTimeout
	// lookAgain is the least time between two pictures that are made anew because
	// a request failed.
	refreshInterval = time.Second
	// requestTimeout bounds one request to the group's coordinator.
	requestTimeout = 5 * time.Second
	// commitMoment is how long a commit that is under way is waited for when there
	// are to be no more. A broker that is well takes a tenth of it.
	commitGrace = 500 * time.Millisecond
	// lastCommitTimeout bounds the commit with which a member lets go.
	lastCommitTimeout = 3 * time.Second
	// leaveTimeout bounds the wait until the coordinator knows that we leave.
	leaveTimeout = 5 * time.Second
	// leaveHungTimeout is the same when the coordinator has just failed to
	// answer the last commit: it is not worth the wait.
	leaveHungTimeout = time.Second
	// endTimeout is the part of the grace that a member keeps for its end: a
	// last commit and leaving, when nobody answers either.
	endTimeout = lastCommitTimeout + leaveHungTimeout
	// busyCheck is how often a member that stops between generations looks
	// whether anything is still in flight.
	busyInterval = 50 * time.Millisecond
	// lastCommitRetry is the pause between attempts at the last commit.
	lastCommitRetry = 50 * time.Millisecond
	// abandonMoment is how long the last commit waits for handlers whose
	// context has just ended.
	abandonGrace = 200 * time.Millisecond
	// abandonTimeout bounds the wait for handlers whose context has ended.
	abandonTimeout = 5 * time.Second
)

// Consumer reads one topic as a member of a consumer group. It is made by New
// and used for one Run.
type Consumer struct {
	cfg     Config
	handle  Handler
	deps    Deps
	observe Observer
	log     *slog.Logger

	dialer      *kafka.Dialer
	fetchDialer *fetch.Dialer
	transport   *kafka.Transport
	client      *kafka.Client
	letters     *deadLetters
	assignor    *assignor

	slots    chan struct{} // one token for each task that is begun
	budget   *byteBudget   // bytes of the messages that are begun, or wait for a slot
	workers  chan struct{} // one token for each goroutine that does tasks
	tasks    chan task     // to one of them that is idle
	finished chan struct{} // closed when there will be no more tasks
	handlers sync.WaitGroup
	breaker  *commitBreaker
	stalls   *stalls
	silence  silence
	refusal  refusalState
	outage   outage

	// metadataLimit is what the broker has been found to accept.
	metadataLimit atomic.Int64
	started       atomic.Bool
	joinLog       throttle
	commitLog     throttle
	fetchLog      throttle
	topicLog      throttle
	letterLog     throttle

	// topicMissing is since when the topic has had no partitions, each time
	// that this member looked; nil when it had some.
	topicMissing atomic.Pointer[time.Time]
	// lastCommit is when the broker last accepted a commit; nil: never.
	lastCommit atomic.Pointer[time.Time]
	// looked is when connections were last given up to look anew; nil: never.
	refreshed atomic.Pointer[time.Time]

	// ends are those of the partitions when the group was last seen to be new; nil
	// for one that never was. The goroutine of Run only.
	startEnds map[int]logBounds
	// sawTopicGone: the last session ended because the topic was deleted.
	// Sessions only, which follow one another.
	sawTopicGone bool
	// member is this member's id in the last session; sessions only.
	member string
	// late commits for the last session, until the next begins. Sessions, and
	// the goroutine of Run when there are no more.
	trailing *trailingCommits

	mu             sync.Mutex         // guards what Status reads
	partitions     map[int]*partition // written by the goroutine of the present generation alone
	joined         bool
	notJoinedSince time.Time // since when this is no member; of no meaning while it is one
	ended          bool      // Run is about to return
	generation     int32
}

// New makes a Consumer. It connects to nothing yet. A fault in the
// configuration is an fault.Faults.
func New(cfg Config, deps Deps) (*Consumer, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	if deps.Handle == nil {
		return nil, errors.New("stream: no handler")
	}
	c := &Consumer{
		cfg:     cfg,
		handle:  deps.Handle,
		deps:    deps,
		observe: deps.Observe,
		log:     deps.Log,
		dialer:  conn.NewDialer(cfg.Config),
		fetchDialer: fetch.NewDialer(fetch.Config{
			ClientID: cfg.ClientID, MaxWait: cfg.FetchMaxWait, MaxBytes: fetchMaxBytes, Timeout: requestTimeout,
			MaxRecord: unreadFactor * max(cfg.MaxMessageBytes, fetchMaxBytes),
		}, conn.NewBufferedDialer(cfg.Config, fetchReadAhead)),
		transport:      conn.NewTransport(cfg.Config),
		assignor:       &assignor{assigned: notLeader},
		slots:          make(chan struct{}, cfg.MaxInFlight),
		budget:         newByteBudget(cfg.MaxInFlightBytes),
		workers:        make(chan struct{}, cfg.MaxInFlight),
		tasks:          make(chan task),
		finished:       make(chan struct{}),
		breaker:        newCommitBreaker(),
		partitions:     make(map[int]*partition),
		notJoinedSince: time.Now(),
	}
	if c.observe == nil {
		c.observe = nopObserver{}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.log = c.log.With(keyComponent, "stream", keyTopic, cfg.Topic, keyGroup, cfg.Group)
	c.transport.MetadataTTL = metadataTTL
	c.transport.MetadataTopics = []string{cfg.Topic, cfg.DeadLetters()}
	c.client = conn.NewClient(cfg.Config, c.transport)
	c.letters = newDeadLetters(cfg, c.transport)
	c.stalls = newStalls(c.log)
	c.metadataLimit.Store(maxMetadata)
	return c, nil
}

// Run consumes until ctx ends. It then takes in nothing more, waits up to
// Config.Grace for the messages in flight while the group still counts on this
// member, commits, leaves the group and waits, bounded, until that is known.
//
// A broker that cannot be reached, a group that cannot be joined or a topic
// that is not there are no reasons to return: Run keeps trying, and Status
// tells. It returns nil when everything taken in is finished and committed, and
// an error that says what others will have to repeat when it is not.
func (c *Consumer) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("stream: Run was called before")
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
		// A partition that is new to the group has held nothing that the group
		// could have wanted to pass over: see beginGroup for a group that is new.
		StartOffset: kafka.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("join group %s: %w", c.cfg.Group, err)
	}
	grace, stop := graceAfter(ctx, c.cfg.Grace)
	defer stop()

	back, stopBack := graceAfter(ctx, max(c.cfg.Grace-endTimeout, 0))
	defer stopBack()

	told, stopTelling := context.WithCancel(context.WithoutCancel(ctx))
	var side sync.WaitGroup
	side.Go(func() { c.summarizeDeadLetters(told) })
	defer side.Wait()
	defer stopTelling()

	committed := c.generations(ctx, grace, back, group)
	return errors.Join(c.leave(group, committed), c.stopWorkers())
}

// generations serves one generation after the other until the consumer is to
// stop. It gives the error of the last commit; release finds out whether a
// member that ends between generations has left anything uncommitted. A member
// that is to stop joins once more to finish what is in flight, as long as grace
// lasts, and to commit what is finished, as long as back does.
func (c *Consumer) generations(ctx, grace, back context.Context, group *kafka.ConsumerGroup) error {
	defer func() { c.trailing.stop() }()
	wait := ctx
	for {
		asked := time.Now()
		gen, err := group.Next(wait)
		switch {
		case err == nil:
		case ctx.Err() == nil:
			c.silence.note(asked, err)
			if c.noteRefusal(err) {
				continue
			}
			c.refusal.over()
			err = c.cfg.Describe(c.cfg.Explain(err))
			if isOutage(err) {
				c.outage.note(err)
			}
			if n, ok := c.joinLog.allow(); ok {
				c.log.Warn("group not joined; trying again", keyError, err, keyCount, n)
			}
			continue
		case wait.Err() == nil: // stopping, and joining failed
			continue
		case wait == ctx && c.inFlight() > 0: // stopping while the group rebalances: its end is worth waiting for
			busy, stop := c.whileBusy(grace)
			defer stop() // once: wait is never ctx again
			wait = busy  //nolint:fatcontext // replaced, not nested
			continue
		case wait != back && c.uncommitted() > 0 && back.Err() == nil:
			wait = back
			continue
		case wait == back:
			return fmt.Errorf("group %s not joined again: %w", c.cfg.Group, context.DeadlineExceeded)
		default:
			return nil
		}

		// Exactly one function a generation, because the first that returns
		// ends it; and on a generation that has ended already it runs beside
		// the following one, which is why the next is not asked for before.
		var (
			ended   = make(chan struct{})
			stopped = make(chan error, 1)
		)
		gen.Start(func(gctx context.Context) {
			defer close(ended)
			if stop, err := newGeneration(c, gen, ctx, grace, back).serve(gctx); stop {
				stopped <- err
				<-gctx.Done() // returning before leave would join the group once more
			}
		})
		select {
		case err := <-stopped:
			return err
		case <-ended:
		}
	}
}

// whileBusy gives a context that ends with grace, and before that when nothing is
// in flight any more.
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

// leave leaves the group. ConsumerGroup.Next reports that the group is closed
// before the coordinator knows that we leave; a process that ends in between
// makes the others wait for the session timeout. So we wait for Close.
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
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-left:
		return committed
	case <-timer.C:
		return errors.Join(committed, fmt.Errorf("leave group %s: no answer within %v; its partitions wait for the session timeout", c.cfg.Group, limit))
	}
}

// lookAnew is told of requests that failed: where brokers and leaders are may be
// why, and kafka-go finds out only when its picture of the cluster is due again.
func (c *Consumer) refreshMetadata(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	// Many partitions fail together, and connections are dear where there is a login.
	now := time.Now()
	last := c.refreshed.Load()
	if last != nil && now.Sub(*last) < refreshInterval || !c.refreshed.CompareAndSwap(last, &now) {
		return
	}
	c.transport.CloseIdleConnections() // the next request begins with a new picture; those under way go on
}

// release ends what is still running and waits for it, bounded.
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
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		c.handlers.Wait()
	}()
	timer := time.NewTimer(abandonTimeout)
	defer timer.Stop()
	select {
	case <-quiet:
	case <-timer.C:
		err = errors.Join(err, fmt.Errorf("%d handlers still run %v after their context ended", len(c.slots), abandonTimeout))
	}
	return err
}

// inFlight gives the number of messages that are begun and not finished, on the
// partitions that this member holds.
func (c *Consumer) inFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.partitions {
		n += p.tracker.inFlight()
	}
	return n
}

// uncommitted gives the number of partitions on which the broker does not know
// all that is finished.
func (c *Consumer) uncommitted() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.partitions {
		if !p.tracker.isCommitted() {
			n++
		}
	}
	return n
}

// leftSession notes that this is no member of the group any more.
func (c *Consumer) noteLeft() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined {
		c.notJoinedSince = time.Now()
	}
	c.joined, c.generation = false, 0
}

// graceAfter gives a context that ends the given time after ctx. stop frees it.
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
