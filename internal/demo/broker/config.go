package broker

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// Config says what the broker starts with. The zero value is a broker without
// topics on a free port.
type Config struct {
	// Topics to create: name to number of partitions.
	Topics map[string]int32
	// Addr is the host:port to listen on; empty takes a free port of the
	// loopback interface. A fixed port lets a broker be restarted in place.
	Addr string
	// MinSessionTimeout is the shortest group session that the broker accepts.
	// Zero stands for 100ms, far below the 6s of Apache Kafka, so that a test
	// of a crash need not wait.
	MinSessionTimeout time.Duration
	// MaxMessageBytes bounds one batch of messages; zero is Kafka's 1 MiB.
	MaxMessageBytes int
	// Dir keeps topics and groups on disk, so that a broker that is started
	// again in the same place goes on; empty keeps them in memory.
	Dir string
	// TLS is what every connection has to be made with; nil: none is encrypted.
	TLS *tls.Config
	// Users may log in, and then nobody else may do anything.
	Users []User
}

// User is somebody who may log in, and do everything.
type User struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Name      string
	Password  string
}

// Validate gives every fault of the configuration.
func (c Config) Validate() fault.List {
	var faults fault.List
	for name, n := range c.Topics {
		if name == "" || n < 1 {
			faults.Add("topics", fmt.Sprintf("topic %q with %d partitions", name, n), "a name and at least one partition")
		}
	}
	slices.SortFunc(faults, func(a, b fault.Fault) int { return strings.Compare(a.Problem, b.Problem) })
	if c.Addr != "" {
		_, port, err := net.SplitHostPort(c.Addr)
		if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 0 || n > 65535 {
			faults.Add("addr", fmt.Sprintf("%q is not host:port", c.Addr), "for example 127.0.0.1:9092")
		}
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
