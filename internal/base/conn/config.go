package conn

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Config says how to reach the cluster.
type Config struct {
	// Brokers are host:port addresses of any brokers of the cluster, at least one; the
	// others are found through them.
	Brokers []string `yaml:"brokers" doc:"Addresses (host:port) of any brokers of the cluster; KAFKA_BROKERS sets them too."`
	// ClientID names this program in the brokers' logs and quotas.
	ClientID string `yaml:"client_id" doc:"Name of this program in the brokers' logs and quotas."`
	// DialTimeout bounds one attempt to open a connection, handshakes included.
	DialTimeout time.Duration `yaml:"dial_timeout" doc:"Time for one attempt to connect."`
	// TLS encrypts connections and SASL logs in on them; both are off by default.
	TLS  TLS  `yaml:"tls" doc:"Encryption; files are read again for each connection, so a rotated one needs no restart. KAFKA_TLS_... variables set these too."`
	SASL SASL `yaml:"sasl" doc:"Login; KAFKA_SASL_... variables set these too."`
}

// DefaultConfig returns the settings for a broker on this machine.
func DefaultConfig() Config {
	return Config{
		Brokers:     []string{"localhost:9092"},
		ClientID:    "evalworker",
		DialTimeout: 5 * time.Second,
	}
}

// Validate returns every fault of the configuration.
func (c Config) Validate() fault.List {
	var faults fault.List
	if len(c.Brokers) == 0 {
		faults.Add("brokers", "no broker address", "want at least one host:port, for example localhost:9092")
	}
	for i, addr := range c.Brokers {
		if problem := addressProblem(addr); problem != "" {
			faults.Add(fmt.Sprintf("brokers[%d]", i), problem, "want host:port, for example localhost:9092")
		}
	}
	if c.DialTimeout <= 0 {
		faults.Add("dial_timeout", fmt.Sprintf("%v is not above zero", c.DialTimeout), "want a duration above zero, for example 5s")
	}
	faults.Under("tls", c.TLS.validate())
	faults.Under("sasl", c.SASL.validate(c.TLS.Enabled, c.Brokers))
	return faults
}

// Warning returns a warning about a login that protects the password but nothing
// that is sent after it: that is allowed, but probably a mistake. Otherwise it is "".
func (c Config) Warning() string {
	host := firstRemote(c.Brokers)
	if c.SASL.Mechanism == "" || c.TLS.Enabled || host == "" {
		return ""
	}
	return fmt.Sprintf("%s without TLS: the password stays secret, but events travel to %s for anybody on the way to read; set kafka.tls.enabled: true", c.SASL.Mechanism, host)
}

func addressProblem(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return fmt.Sprintf("%q is not host:port", addr)
	case host == "":
		return fmt.Sprintf("%q has no host", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Sprintf("%q has no port between 1 and 65535", addr)
	}
	return ""
}
