package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
)

// membership names the member that commits. The coordinator refuses a member of an
// earlier generation; it would accept any commit that names no member.
type membership struct {
	generation int
	member     string
}

// memberless commits for a group that has no members.
var memberless = membership{generation: -1}

// What a failed commit means for the generation.
var (
	errStale     = errors.New("the generation is over")
	errTopicGone = errors.New("the topic is gone")
)

// commit sends what has been finished since the last commit, in one request for all
// partitions: a request costs the same for one as for many. One goroutine at a time
// calls it. What the broker does not accept is sent again with the next commit, which
// is useless after errStale and errTopicGone.
func (c *Consumer) commit(ctx context.Context, as membership, parts []*partition) error {
	checkpoints := make(map[int]checkpoint, len(parts))
	trackers := make(map[int]*tracker, len(parts))
	commits := make([]kafka.OffsetCommit, 0, len(parts))
	limit := int(c.metadataLimit.Load())
	for _, p := range parts {
		if cp, ok := p.tracker.checkpoint(); ok {
			checkpoints[p.id], trackers[p.id] = cp, p.tracker
			commits = append(commits, cp.request(p.id, limit))
		}
	}
	if len(commits) == 0 {
		c.breaker.reset() // the broker knows all that is finished
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var failed error
	for len(commits) > 0 {
		sent := time.Now()
		answers, err := c.offsetCommit(ctx, as, commits)
		if err != nil {
			for _, commit := range commits {
				trackers[commit.Partition].commitUnanswered()
			}
			failed = errors.Join(failed, err)
			break
		}
		var tooLarge []kafka.OffsetCommit
		for _, commit := range commits {
			switch answer, answered := answers[commit.Partition]; {
			case !answered:
				failed = errors.Join(failed, fmt.Errorf("partition %d: no answer", commit.Partition))
			case answer == nil:
				c.lastCommit.Store(new(time.Now()))
				// The same offset is committed again for what is finished above it, and see doubt.
				if trackers[commit.Partition].commitAccepted(checkpoints[commit.Partition], sent) && c.deps.Committed != nil {
					c.deps.Committed(commit.Partition, commit.Offset)
				}
			case errors.Is(answer, kafka.OffsetMetadataTooLarge) && commit.Metadata != "":
				tooLarge = append(tooLarge, commit)
				limit = min(limit, len(commit.Metadata)/2)
			default:
				failed = errors.Join(failed, classifyCommit(commit.Partition, answer))
			}
		}
		commits = commits[:0]
		for _, commit := range tooLarge {
			commits = append(commits, checkpoints[commit.Partition].request(commit.Partition, limit))
		}
	}
	if limit < int(c.metadataLimit.Load()) {
		c.metadataLimit.Store(int64(limit))
		c.log.Warn("the broker refused this much commit metadata; writing less", "bytes", limit)
	}
	if failed == nil {
		c.breaker.reset()
		c.outage.End()
		if since, told := c.commitLog.Over(); told {
			c.log.Info("offsets are committed again", keyAfter, time.Since(since))
		}
	}
	return failed
}

// classifyCommit adds errStale or errTopicGone to an answer that means it. Any other
// error is transient: the coordinator has moved, or is away for a moment.
func classifyCommit(partition int, answer error) error {
	err := fmt.Errorf("commit partition %d: %w", partition, answer)
	switch {
	case errors.Is(answer, kafka.IllegalGeneration), errors.Is(answer, kafka.UnknownMemberId):
		return errors.Join(errStale, err)
	case errors.Is(answer, kafka.UnknownTopicOrPartition):
		return errors.Join(errTopicGone, err)
	}
	return err
}

// offsetCommit makes one request and returns the answer for each partition. The
// coordinator accepts any number as an offset, so offsets are checked here.
func (c *Consumer) offsetCommit(ctx context.Context, as membership, commits []kafka.OffsetCommit) (map[int]error, error) {
	for _, commit := range commits {
		if commit.Offset < 0 {
			return nil, fmt.Errorf("commit partition %d: offset %d is below zero", commit.Partition, commit.Offset)
		}
	}
	sent := time.Now()
	res, err := c.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID:      c.cfg.Group,
		GenerationID: as.generation,
		MemberID:     as.member,
		Topics:       map[string][]kafka.OffsetCommit{c.cfg.Topic: commits},
	})
	if err != nil {
		c.noteUnanswered(sent, err)
		c.refreshMetadata(err)
		return nil, fmt.Errorf("commit offsets: %w", conn.TrimMethod(err))
	}
	answers := make(map[int]error, len(commits))
	for _, p := range res.Topics[c.cfg.Topic] {
		answers[p.Partition] = p.Error
	}
	return answers, nil
}

// commitBreaker holds back new work while commits fail: a crash would repeat all
// that is finished meanwhile.
type commitBreaker struct {
	mu       sync.Mutex
	lastGood time.Time     // when the broker last knew all that was finished
	changed  chan struct{} // closed, and replaced, at each reset
}

func newCommitBreaker() *commitBreaker {
	return &commitBreaker{lastGood: time.Now(), changed: make(chan struct{})}
}

// reset notes that commits work.
func (b *commitBreaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastGood = time.Now()
	close(b.changed)
	b.changed = make(chan struct{})
}

// failing returns since when commits have failed, and a channel that the next reset closes.
func (b *commitBreaker) failing() (since time.Time, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lastGood, b.changed
}

// wait waits until commits have failed for no longer than limit.
func (b *commitBreaker) wait(ctx context.Context, limit time.Duration) error {
	for {
		since, changed := b.failing()
		if time.Since(since) <= limit {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// trailingPerInterval is the number of trailing commits in a commit interval: what
// finishes after the last of them is done again.
const trailingPerInterval = 5

// startTrailing goes on committing for a generation that this member has let go of,
// while the group waits for its other members to do the same. The broker accepts such
// commits until the next generation exists, so what finishes meanwhile on a partition
// that moves away is not done again.
//
// The commits never mix with those of the next generation: before it begins, it calls
// stop, which waits for them, and the broker refuses one that is still under way,
// because it names the old generation.
func (g *generation) startTrailing() (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(g.app))
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(g.c.cfg.CommitInterval / trailingPerInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// The first error means that the next generation exists, or that no
			// broker accepts a commit.
			if g.c.commit(ctx, g.membership(), g.parts) != nil {
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
