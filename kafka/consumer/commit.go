package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/kafka/conn"
)

// membership is on whose behalf a commit is made. The coordinator refuses that
// of a member of an earlier generation; it would take any commit that names no
// member, also from one that has lost the partition.
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

// commit tells the broker what has been finished since the last commit, in one
// request for all partitions: a request costs the same for one as for many. It
// is called by one goroutine at a time.
//
// What the broker does not accept is told again the next time. errStale and
// errTopicGone say that there is no use in that.
func (c *Consumer) commit(ctx context.Context, as membership, parts []*partition) error {
	marks := make(map[int]checkpoint, len(parts))
	trackers := make(map[int]*tracker, len(parts))
	commits := make([]kafka.OffsetCommit, 0, len(parts))
	limit := int(c.metadataLimit.Load())
	for _, p := range parts {
		if m, ok := p.tracker.checkpoint(); ok {
			marks[p.id], trackers[p.id] = m, p.tracker
			commits = append(commits, m.request(p.id, limit))
		}
	}
	if len(commits) == 0 {
		c.breaker.reset() // all that is finished is known
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var failed error
	accepted := false
	for len(commits) > 0 {
		sent := time.Now()
		answers, err := c.offsetCommit(ctx, as, commits)
		if err != nil {
			for _, commit := range commits {
				trackers[commit.Partition].unanswered()
			}
			failed = errors.Join(failed, err)
			break
		}
		var large []kafka.OffsetCommit
		for _, commit := range commits {
			switch answer, answered := answers[commit.Partition]; {
			case !answered:
				failed = errors.Join(failed, fmt.Errorf("partition %d: no answer", commit.Partition))
			case answer == nil:
				accepted = true
				trackers[commit.Partition].accepted(marks[commit.Partition], sent)
			case errors.Is(answer, kafka.OffsetMetadataTooLarge) && commit.Metadata != "":
				large = append(large, commit)
				limit = min(limit, len(commit.Metadata)/2)
			default:
				failed = errors.Join(failed, classifyCommit(commit.Partition, answer))
			}
		}
		commits = commits[:0]
		for _, refused := range large {
			commits = append(commits, marks[refused.Partition].request(refused.Partition, limit))
		}
	}
	if limit < int(c.metadataLimit.Load()) {
		c.metadataLimit.Store(int64(limit))
		c.log.Warn("the broker refused this much commit metadata; writing less", "bytes", limit)
	}
	if accepted {
		now := time.Now()
		c.lastCommit.Store(&now)
	}
	if failed == nil {
		c.breaker.reset()
		c.outage.over()
	}
	return failed
}

// classifyCommit says what an answer means for the generation. Any other error
// passes: a coordinator that has moved, or that is not there for a moment.
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

// sendCommits makes one request and joins the errors of all partitions.
func (c *Consumer) sendCommits(ctx context.Context, as membership, commits []kafka.OffsetCommit) error {
	answers, err := c.offsetCommit(ctx, as, commits)
	for id, answer := range answers {
		if answer != nil {
			err = errors.Join(err, fmt.Errorf("commit partition %d: %w", id, answer))
		}
	}
	return err
}

// offsetCommit makes one request and gives the answer for each partition. The
// coordinator takes any number for an offset, so what is sent is checked here.
func (c *Consumer) offsetCommit(ctx context.Context, as membership, commits []kafka.OffsetCommit) (map[int]error, error) {
	for _, commit := range commits {
		if commit.Offset < 0 {
			return nil, fmt.Errorf("commit partition %d: offset %d is none", commit.Partition, commit.Offset)
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
		c.silence.note(sent, err)
		c.refreshMetadata(err)
		return nil, fmt.Errorf("commit %d partitions: %w", len(commits), conn.Bare(err))
	}
	answers := make(map[int]error, len(commits))
	for _, p := range res.Topics[c.cfg.Topic] {
		answers[p.Partition] = p.Error
	}
	return answers, nil
}
