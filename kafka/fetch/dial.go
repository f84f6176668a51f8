package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/evalworker/evalworker/internal/base/conn"
)

// Supported versions of the fetch request: 4 brought record batches of format 2, and
// 10 zstd. From 11 on a broker may send a reader to another replica.
const (
	minVersion = 4
	maxVersion = 10
)

// Config says how to fetch.
type Config struct {
	ClientID string
	// MaxWait is how long a broker waits for a message when there is none.
	MaxWait time.Duration
	// MaxBytes bounds one answer, unless its first batch is larger.
	MaxBytes int
	// Timeout, above zero, bounds how long a broker may take beyond MaxWait to begin
	// its answer, and then for each piece of 64 KiB.
	Timeout time.Duration
	// MaxRecord bounds the stored size of a message without compression. Only the
	// offset and time of a larger one are read. Zero: no bound.
	MaxRecord int
}

// Dialer opens connections. It is safe for concurrent use.
type Dialer struct {
	cfg     Config
	dialer  *kafka.Dialer
	buffers sync.Pool // *buffers
}

// NewDialer returns a Dialer that connects with dialer, which must have a DialFunc.
func NewDialer(cfg Config, dialer *kafka.Dialer) *Dialer {
	return &Dialer{cfg: cfg, dialer: dialer, buffers: sync.Pool{New: func() any { return new(buffers) }}}
}

// DialLeader connects to the leader of the partition, for which it asks the given
// broker once. An error from the broker is a kafka.Error.
func (d *Dialer) DialLeader(ctx context.Context, broker, topic string, partition int) (*Conn, error) {
	leader, err := d.leader(ctx, broker, topic, partition)
	if err != nil {
		return nil, err
	}
	// kafka-go's connection logs in and asks for versions. After that only the
	// network connection below it is used, on which nothing is under way.
	above, below, err := conn.Dial(ctx, d.dialer, leader)
	if err != nil {
		return nil, err
	}
	version, err := d.version(ctx, above)
	if err != nil {
		_ = above.Close() // it may be closed already
		return nil, err
	}
	return newConn(d, below, version, topic, partition), nil
}

// leader returns the address of the leader of a partition.
func (d *Dialer) leader(ctx context.Context, broker, topic string, partition int) (string, error) {
	all, err := conn.Partitions(ctx, d.dialer, broker, topic, d.cfg.Timeout)
	if err != nil {
		return "", err
	}
	for _, p := range all {
		if p.ID != partition {
			continue
		}
		if p.Leader.Host == "" {
			return "", kafka.LeaderNotAvailable
		}
		return net.JoinHostPort(p.Leader.Host, strconv.Itoa(p.Leader.Port)), nil
	}
	return "", kafka.UnknownTopicOrPartition
}

// version returns the newest version of the fetch request that both sides know.
func (d *Dialer) version(ctx context.Context, nc *kafka.Conn) (int16, error) {
	defer conn.Limit(ctx, nc, d.cfg.Timeout)()
	versions, err := nc.ApiVersions()
	if err != nil {
		return 0, err
	}
	for _, v := range versions {
		if protocol.ApiKey(v.ApiKey) != protocol.Fetch {
			continue
		}
		if v.MinVersion > maxVersion || v.MaxVersion < minVersion {
			return 0, fmt.Errorf("the broker supports versions %d to %d of the fetch request, and this program %d to %d", v.MinVersion, v.MaxVersion, minVersion, maxVersion)
		}
		return min(v.MaxVersion, maxVersion), nil
	}
	return 0, errors.New("the broker does not know the fetch request")
}
