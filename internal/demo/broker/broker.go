package broker

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Config configures a broker. The zero value is a broker without topics on a free
// port.
type Config struct {
	// Topics to create: name to number of partitions.
	Topics map[string]int32
	// Addr is the host:port to listen on; empty: a free port of the loopback
	// interface. With a fixed port a broker can be restarted at the same address.
	Addr string
	// MinSessionTimeout is the shortest group session that the broker accepts.
	// Zero is 100ms, far below the 6s of Apache Kafka, so that tests of a crash
	// are fast.
	MinSessionTimeout time.Duration
	// MaxMessageBytes bounds one batch of messages; zero is Kafka's 1 MiB.
	MaxMessageBytes int
	// Dir keeps topics and groups on disk, so that a broker started again with
	// the same folder continues; empty keeps them in memory.
	Dir string
	// TLS encrypts every connection; nil: no encryption.
	TLS *tls.Config
	// Users may log in; if there are any, all other clients are rejected.
	Users []User
}

// User is a login with all permissions.
type User struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Name      string
	Password  string
}

// Validate returns every fault of the configuration.
func (c Config) Validate() fault.List {
	var faults fault.List
	for _, name := range slices.Sorted(maps.Keys(c.Topics)) {
		if n := c.Topics[name]; name == "" || n < 1 {
			faults.Add("topics", fmt.Sprintf("topic %q with %d partitions", name, n), "a name and at least one partition")
		}
	}
	if _, _, err := c.hostPort(); err != nil {
		faults.Add("addr", fmt.Sprintf("%q is not host:port", c.Addr), "for example 127.0.0.1:9092")
	}
	for _, u := range c.Users {
		if !slices.Contains([]string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, u.Mechanism) || u.Name == "" {
			faults.Add("users", fmt.Sprintf("user %q by %q", u.Name, u.Mechanism), "a name, and PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
		}
	}
	if c.MinSessionTimeout < 0 {
		faults.Add("min_session_timeout", "below zero", "a duration, or zero for 100ms")
	}
	if c.MaxMessageBytes < 0 {
		faults.Add("max_message_bytes", "below zero", "a number of bytes, or zero for Kafka's default")
	}
	return faults
}

func (c Config) hostPort() (host string, port uint16, err error) {
	if c.Addr == "" {
		return "127.0.0.1", 0, nil
	}
	host, text, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, uint16(n), err
}

// Broker is a running broker. All methods are safe for concurrent use.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	close   sync.Once
}

// Start runs a broker until Close.
func Start(cfg Config) (*Broker, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	host, port, err := cfg.hostPort()
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	opts := []kfake.Opt{
		kfake.Ports(int(port)),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			//nolint:noctx // kfake has no context here, and listening on loopback does not block
			return net.Listen(network, net.JoinHostPort(host, strconv.Itoa(int(port))))
		}),
		kfake.GroupMinSessionTimeout(cmp.Or(cfg.MinSessionTimeout, 100*time.Millisecond)),
	}
	if cfg.MaxMessageBytes > 0 {
		opts = append(opts, kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(cfg.MaxMessageBytes)}))
	}
	if cfg.Dir != "" {
		opts = append(opts, kfake.DataDir(cfg.Dir))
	}
	if cfg.TLS != nil {
		opts = append(opts, kfake.TLS(cfg.TLS))
	}
	if len(cfg.Users) > 0 {
		opts = append(opts, kfake.EnableSASL())
	}
	for _, u := range cfg.Users {
		opts = append(opts, kfake.Superuser(u.Mechanism, u.Name, u.Password))
	}
	for name, n := range cfg.Topics {
		opts = append(opts, kfake.SeedTopics(n, name))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	return &Broker{cluster: cluster, addr: cluster.ListenAddrs()[0]}, nil
}

// Addr returns the broker's host:port.
func (b *Broker) Addr() string { return b.addr }

// Close ends the broker and every connection to it. It may be called twice.
func (b *Broker) Close() { b.close.Do(b.cluster.Close) }

// CreateTopic creates a topic. It returns an error when the topic exists.
func (b *Broker) CreateTopic(name string, partitions int32) error {
	if err := b.cluster.CreateTopic(name, partitions, nil); err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return nil
}

// DeleteTopic deletes a topic with its messages and with the offsets that groups
// have committed for it.
func (b *Broker) DeleteTopic(name string) error {
	if err := b.cluster.DeleteTopic(name); err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return nil
}

// DeleteRecords deletes the messages of a partition below an offset, as retention
// does.
func (b *Broker) DeleteRecords(topic string, partition int32, before int64) error {
	if err := b.cluster.DeleteRecords(topic, partition, before); err != nil {
		return fmt.Errorf("delete records of %s/%d: %w", topic, partition, err)
	}
	return nil
}

// CommittedOffset returns the offset and metadata that a group has committed for a
// partition; ok is false when there is no commit.
func (b *Broker) CommittedOffset(group, topic string, partition int32) (offset int64, metadata string, ok bool) {
	info := b.cluster.GroupInfo(group)
	if info == nil {
		return 0, "", false
	}
	commit, ok := info.Commits[topic][partition]
	return commit.Offset, commit.Metadata, ok
}

// Members returns the current number of a group's members.
func (b *Broker) Members(group string) int {
	info := b.cluster.GroupInfo(group)
	if info == nil {
		return 0
	}
	return len(info.Members)
}
