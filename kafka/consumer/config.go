package consumer

import (
	"fmt"
	"time"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Start is where a new group begins: one that has never committed anything for the
// topic. Any other group reads a new partition from its first message.
type Start string

// Where a new group begins.
const (
	StartFirst Start = "first" // with the oldest message that is still there
	StartLast  Start = "last"  // with the messages that are published from then on
)

// OutOfRange is where to go on when the stored offset is beyond the end of the
// partition, which then is not the one that the offset was stored for.
type OutOfRange string

// Where to go on from an offset out of range.
const (
	OutOfRangeFirst OutOfRange = "first" // with the oldest message; some may be done twice
	OutOfRangeLast  OutOfRange = "last"  // at the end; some may never be done
)

// Config says what a Consumer reads, and within which bounds.
type Config struct {
	conn.Config `yaml:",inline"`

	// Topic that the events are published to.
	Topic string `yaml:"topic" doc:"Topic that the events are published to."`
	// Group is the consumer group, which must be this program's alone.
	Group string `yaml:"group" doc:"Consumer group; it must be evalworker's alone."`
	// DeadLetterTopic receives messages that can never be processed; empty means the
	// topic with ".dead" appended.
	DeadLetterTopic string `yaml:"dead_letter_topic" doc:"Topic for what can never be processed; empty: the topic's name with .dead added."`
	// Start is where a new group begins: first or last.
	Start Start `yaml:"start" doc:"Where a new group begins: first (the oldest message) or last (messages from now on)."`
	// OutOfRange is where to go on from an offset beyond the end: first or last.
	OutOfRange OutOfRange `yaml:"out_of_range" doc:"Where to go on when the stored offset lies beyond the end: first or last."`

	// MaxInFlight bounds the handlers that run at once in this process. At the
	// bound, fetching waits.
	MaxInFlight int `yaml:"max_in_flight" doc:"Events in flight at once; when all places are taken, fetching waits."`
	// MaxInFlightBytes bounds keys, values and headers of those messages, in bytes
	// as fetched; the work on them takes a few times as much. At the bound, fetching
	// waits; a message that is larger than the whole is worked on alone. Messages of
	// more than a quarter share three quarters, so that they do not hold up others.
	MaxInFlightBytes int `yaml:"max_in_flight_bytes" doc:"What they hold together, in bytes as fetched; when all is taken, fetching waits."`
	// Window bounds the tracked entries of one partition: messages in flight and the
	// runs of finished ones between them, all of which must fit into a commit. At the
	// bound, its fetching waits.
	Window int `yaml:"window" doc:"Messages tracked of one partition, at most 1400; when full, its fetching waits."`
	// MaxMessageBytes bounds key, value and headers of a message; a larger one becomes
	// a dead letter. Each partition may hold one that waits, beside those in flight.
	MaxMessageBytes int `yaml:"max_message_bytes" doc:"A larger message becomes a dead letter; one of over 40 MiB, or four times this, without its content."`
	// FetchMaxWait bounds how long a broker holds a fetch that finds nothing. It
	// delays no message.
	FetchMaxWait time.Duration `yaml:"fetch_max_wait" doc:"Time that a broker holds a fetch that finds nothing."`

	// CommitInterval is how often finished work is committed. A crash repeats what
	// was finished in one interval; a commit costs the broker some 6 ms.
	CommitInterval time.Duration `yaml:"commit_interval" doc:"Time between commits; a crash repeats what was finished in one interval and the commit itself."`
	// MaxCommitOutage is how long commits may fail before no new work begins: a crash
	// would repeat all that is done meanwhile.
	MaxCommitOutage time.Duration `yaml:"max_commit_outage" doc:"Time for which commits may fail before no new work begins."`

	// SessionTimeout is how long the group waits for a silent member before its
	// partitions go to others.
	SessionTimeout time.Duration `yaml:"session_timeout" doc:"Silence after which the group gives a worker's partitions to others."`
	// HeartbeatInterval is how often a member shows that it lives, and how soon it
	// learns that the group rebalances.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval" doc:"Time between signs of life; also how soon a rebalance is noticed."`
	// RebalanceTimeout is how long a rebalance waits for its members.
	RebalanceTimeout time.Duration `yaml:"rebalance_timeout" doc:"Time that a rebalance waits for its members."`
	// RevokeDrain is how long a rebalance waits here for messages in flight, while all
	// partitions stand still. A shorter one cancels more of the work on partitions
	// that move away.
	RevokeDrain time.Duration `yaml:"revoke_drain" doc:"Time that a rebalance waits for events in flight here."`
	// PartitionWatch is how often the group's leader looks for new partitions, and the
	// lag is brought up to date.
	PartitionWatch time.Duration `yaml:"partition_watch" doc:"Time between looks for new partitions, and between updates of the lag."`

	// RetryMin and RetryMax bound the pause before the handler is called again after
	// a dependency failed. It doubles each time.
	RetryMin time.Duration `yaml:"retry_min" doc:"First pause when a dependency is down; it doubles with each attempt."`
	RetryMax time.Duration `yaml:"retry_max" doc:"Longest pause when a dependency is down."`

	// Grace is how long a shutdown waits for messages in flight. The program sets it.
	Grace time.Duration `yaml:"-"`
}

// DefaultConfig returns a Config that reads the usual topic from a local broker.
func DefaultConfig() Config {
	return Config{
		Config:            conn.DefaultConfig(),
		Topic:             "llm.requests.completed",
		Group:             "evalworker",
		Start:             StartFirst,
		OutOfRange:        OutOfRangeFirst,
		MaxInFlight:       256,
		MaxInFlightBytes:  16 << 20,
		Window:            1000,
		MaxMessageBytes:   10 << 20,
		FetchMaxWait:      250 * time.Millisecond,
		CommitInterval:    100 * time.Millisecond,
		MaxCommitOutage:   5 * time.Second,
		SessionTimeout:    10 * time.Second,
		HeartbeatInterval: time.Second,
		RebalanceTimeout:  30 * time.Second,
		RevokeDrain:       time.Second,
		PartitionWatch:    5 * time.Second,
		RetryMin:          200 * time.Millisecond,
		RetryMax:          30 * time.Second,
		Grace:             25 * time.Second,
	}
}

// DeadLetters returns the topic of the dead letters, with the default applied.
func (c Config) DeadLetters() string {
	if c.DeadLetterTopic != "" {
		return c.DeadLetterTopic
	}
	return c.Topic + ".dead"
}

// Validate returns every fault of the configuration.
func (c Config) Validate() fault.List {
	faults := c.Config.Validate()
	checkTopic(&faults, "topic", c.Topic)
	checkTopic(&faults, "dead_letter_topic", c.DeadLetters())
	if c.DeadLetters() == c.Topic {
		faults.Add("dead_letter_topic", "the same as topic", "want another topic, or every dead letter would be read again")
	}
	if c.Group == "" {
		faults.Add("group", "empty", "want the name of a consumer group that only evalworker uses")
	}
	if c.Start != StartFirst && c.Start != StartLast {
		faults.Add("start", fmt.Sprintf("%q is unknown", string(c.Start)), "want first or last")
	}
	if c.OutOfRange != OutOfRangeFirst && c.OutOfRange != OutOfRangeLast {
		faults.Add("out_of_range", fmt.Sprintf("%q is unknown", string(c.OutOfRange)), "want first or last")
	}

	count := func(path string, got, least, most int, reason string) {
		if got < least || got > most {
			faults.Add(path, fmt.Sprintf("%d is out of range", got), fmt.Sprintf("want a number from %d to %d%s", least, most, reason))
		}
	}
	count("max_in_flight", c.MaxInFlight, 1, 100_000, "")
	count("max_in_flight_bytes", c.MaxInFlightBytes, 1<<20, 1<<40, "")
	count("window", c.Window, 1, maxWindow, ": what is finished out of order has to fit into a commit's metadata, or a crash repeats it")
	count("max_message_bytes", c.MaxMessageBytes, 1<<10, 1<<30, "")

	duration := func(path string, got, least, most time.Duration, reason string) {
		if got < least || got > most {
			faults.Add(path, fmt.Sprintf("%v is out of range", got), fmt.Sprintf("want a duration from %v to %v%s", least, most.Round(time.Millisecond), reason))
		}
	}
	duration("fetch_max_wait", c.FetchMaxWait, 10*time.Millisecond, 5*time.Second, "")
	duration("commit_interval", c.CommitInterval, 10*time.Millisecond, time.Minute, "")
	duration("max_commit_outage", c.MaxCommitOutage, 2*c.CommitInterval, time.Hour, "")
	duration("session_timeout", c.SessionTimeout, 100*time.Millisecond, time.Hour, "")
	duration("heartbeat_interval", c.HeartbeatInterval, 10*time.Millisecond, c.SessionTimeout/3, ", a third of session_timeout")
	duration("rebalance_timeout", c.RebalanceTimeout, 100*time.Millisecond, time.Hour, "")
	// No heartbeats are sent during the drain, and the commit comes after it.
	duration("revoke_drain", c.RevokeDrain, 0, min(c.SessionTimeout, c.RebalanceTimeout)/2, ", half of session_timeout and of rebalance_timeout")
	duration("partition_watch", c.PartitionWatch, 10*time.Millisecond, time.Hour, "")
	duration("retry_min", c.RetryMin, time.Millisecond, time.Hour, "")
	duration("retry_max", c.RetryMax, c.RetryMin, time.Hour, "")
	duration("grace", c.Grace, 0, 24*time.Hour, "")
	return faults
}

// checkTopic checks Kafka's rule for the names of topics.
func checkTopic(faults *fault.List, path, name string) {
	legal := name != "" && name != "." && name != ".." && len(name) <= 249
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		default:
			legal = false
		}
	}
	if !legal {
		faults.Add(path, fmt.Sprintf("%q is not the name of a topic", name), "want at most 249 letters, digits, dots, underscores and hyphens")
	}
}
