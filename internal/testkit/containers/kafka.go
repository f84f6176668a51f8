package containers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

// KafkaImage is the broker that tests run against.
const KafkaImage = "apache/kafka:4.1.1"

// The ports inside a broker's container.
const (
	clientPort     = 9092
	controllerPort = 9093
	brokerPort     = 9094 // between the brokers of a cluster
	detourPort     = 9095 // of clients that reach the broker through a forwarder
)

// KafkaConfig configures a broker. The zero value is a single broker that speaks
// plain text and has no users.
type KafkaConfig struct {
	// Env is added to the environment of the image, where KAFKA_* are settings of
	// the broker.
	Env map[string]string
	// Files are copied into the container before it starts.
	Files []testcontainers.ContainerFile
	// Protocol of clients: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; empty:
	// PLAINTEXT.
	Protocol string
	// Detour, if set, gives the broker a second listener in plain text, and returns the
	// host:port that the broker with an id tells the clients of it: that of a forwarder of
	// the test, which passes bytes on to [Kafka.Behind].
	Detour func(id int) string
}

// startScript starts a broker, even a second time: the image's own script writes the
// configuration and formats the log, but fails on a log that is already formatted.
const startScript = `if [ -e /tmp/formatted ]; then exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties; fi
touch /tmp/formatted
exec /etc/kafka/docker/run`

// Kafka is a broker in a container. It keeps its addresses when it is killed and
// started again.
type Kafka struct {
	machine
	behind string // host:port of the listener for a detour; empty: there is none
}

// Behind is the host:port of the listener that [KafkaConfig.Detour] asks for.
func (k *Kafka) Behind() string { return k.behind }

// StartKafka starts a broker and waits until it serves. The caller must Close it.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	k, err := newBroker(ctx, cfg, member{id: 1, host: "localhost", voters: "1@localhost:" + strconv.Itoa(controllerPort)})
	if err != nil {
		return nil, err
	}
	if err := k.await(ctx); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// member is a broker's place in its cluster.
type member struct {
	id       int
	host     string // its name to the other brokers
	voters   string // all controllers
	network  string // empty for a broker of its own
	replicas int    // of internal topics; 0: 1
}

// newBroker starts a container.
func newBroker(ctx context.Context, cfg KafkaConfig, m member) (*Kafka, error) {
	answers := serves
	if strings.HasSuffix(cfg.Protocol, "SSL") {
		answers = servesTLS
	}
	box, port, err := newMachine(ctx, "broker", answers)
	if err != nil {
		return nil, err
	}
	k := &Kafka{machine: box}
	ports, exposed := map[int]int{clientPort: port}, []string{strconv.Itoa(clientPort) + "/tcp"}
	if cfg.Detour != nil {
		another, err := freePort(ctx)
		if err != nil {
			return nil, errors.Join(err, k.Close())
		}
		k.behind = net.JoinHostPort("127.0.0.1", strconv.Itoa(another))
		ports[detourPort], exposed = another, append(exposed, strconv.Itoa(detourPort)+"/tcp")
	}
	req := testcontainers.ContainerRequest{
		Image:        KafkaImage,
		ExposedPorts: exposed,
		Cmd:          []string{"bash", "-c", startScript},
		Env:          brokerEnv(cfg, m, port),
		Files:        cfg.Files,
		WaitingFor:   wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
	}
	req.HostConfigModifier = bindAll(ports)
	if m.network != "" {
		req.Networks = []string{m.network}
		req.NetworkAliases = map[string][]string{m.network: {m.host}}
		req.WaitingFor = nil // it cannot start before the others do
	}
	k.container, err = testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: req, Started: true, Logger: log.NewNoopLogger(),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", KafkaImage, err), k.Close())
	}
	return k, nil
}

// brokerEnv returns the settings of a broker that is also a controller.
func brokerEnv(cfg KafkaConfig, m member, port int) map[string]string {
	protocol := cfg.Protocol
	if protocol == "" {
		protocol = "PLAINTEXT"
	}
	replicas := strconv.Itoa(max(m.replicas, 1))
	env := map[string]string{
		"CLUSTER_ID":                                             "5L6g3nShT-eMCtK--X86sw",
		"KAFKA_NODE_ID":                                          strconv.Itoa(m.id),
		"KAFKA_PROCESS_ROLES":                                    "broker,controller",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":                         m.voters,
		"KAFKA_LISTENERS":                                        fmt.Sprintf("CLIENT://:%d,CONTROLLER://:%d,BROKER://:%d", clientPort, controllerPort, brokerPort),
		"KAFKA_ADVERTISED_LISTENERS":                             fmt.Sprintf("CLIENT://127.0.0.1:%d,BROKER://%s:%d", port, m.host, brokerPort),
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":                   "CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT,CLIENT:" + protocol,
		"KAFKA_CONTROLLER_LISTENER_NAMES":                        "CONTROLLER",
		"KAFKA_INTER_BROKER_LISTENER_NAME":                       "BROKER",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":                 "0",
		"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":                     "5",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":                 replicas,
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR":         replicas,
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":                    "1",
		"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": replicas,
		"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR":            "1",
		"KAFKA_HEAP_OPTS":                                        "-Xms128m -Xmx1g",
	}
	if cfg.Detour != nil {
		env["KAFKA_LISTENERS"] += fmt.Sprintf(",DETOUR://:%d", detourPort)
		env["KAFKA_ADVERTISED_LISTENERS"] += ",DETOUR://" + cfg.Detour(m.id)
		env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] += ",DETOUR:PLAINTEXT"
	}
	maps.Copy(env, cfg.Env)
	return env
}

// Cluster is a set of brokers that replicate each other's topics.
type Cluster struct {
	Brokers []*Kafka
	network *testcontainers.DockerNetwork
}

// StartCluster starts n brokers on a new network and waits until all serve. The
// caller must Close it.
func StartCluster(ctx context.Context, n int, cfg KafkaConfig) (_ *Cluster, err error) {
	c := &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.network, err = network.New(ctx); err != nil {
		return nil, fmt.Errorf("make a network for brokers: %w", err)
	}
	voters := make([]string, n)
	for i := range n {
		voters[i] = fmt.Sprintf("%d@%s:%d", i+1, hostOf(i), controllerPort)
	}
	for i := range n {
		k, err := newBroker(ctx, cfg, member{
			id: i + 1, host: hostOf(i), voters: strings.Join(voters, ","), network: c.network.Name, replicas: n,
		})
		if err != nil {
			return nil, err
		}
		c.Brokers = append(c.Brokers, k)
	}
	for _, k := range c.Brokers {
		if err := k.await(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func hostOf(i int) string { return fmt.Sprintf("broker-%d", i+1) }

// Addrs returns the addresses of all brokers.
func (c *Cluster) Addrs() []string {
	out := make([]string, len(c.Brokers))
	for i, k := range c.Brokers {
		out[i] = k.Addr()
	}
	return out
}

// Close removes the brokers and their network.
func (c *Cluster) Close() error {
	var err error
	for _, k := range c.Brokers {
		err = errors.Join(err, k.Close())
	}
	if c.network != nil {
		ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
		defer cancel()
		err = errors.Join(err, c.network.Remove(ctx))
	}
	return err
}

// brokerPEM is the path of a secured broker's key and certificate.
const brokerPEM = "/etc/kafka/secrets/broker.pem"

// SecuredKafka is the certificate of a broker and its only user, who logs in by
// SCRAM-SHA-512.
type SecuredKafka struct {
	CertFile, KeyFile  string // PEM, the key as PKCS #8; for 127.0.0.1
	Username, Password string
}

// StartSecuredKafka starts a broker that requires TLS and a login.
func StartSecuredKafka(ctx context.Context, s SecuredKafka, cfg KafkaConfig) (*Kafka, error) {
	key, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return nil, err
	}
	cert, err := os.ReadFile(s.CertFile)
	if err != nil {
		return nil, err
	}
	const prefix = "KAFKA_LISTENER_NAME_CLIENT_"
	env := map[string]string{
		prefix + "SSL_KEYSTORE_TYPE":       "PEM",
		prefix + "SSL_KEYSTORE_LOCATION":   brokerPEM,
		prefix + "SASL_ENABLED_MECHANISMS": "SCRAM-SHA-512",
		// The image turns three underscores into a hyphen.
		prefix + "SCRAM___SHA___512_SASL_JAAS_CONFIG": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
	}
	maps.Copy(env, cfg.Env)
	cfg.Env, cfg.Protocol = env, "SASL_SSL"
	cfg.Files = append(cfg.Files, testcontainers.ContainerFile{
		Reader: strings.NewReader(string(key) + string(cert)), ContainerFilePath: brokerPEM, FileMode: 0o644,
	})
	k, err := StartKafka(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, err = k.Exec(ctx, "/opt/kafka/bin/kafka-configs.sh", "--bootstrap-server", fmt.Sprintf("localhost:%d", brokerPort),
		"--alter", "--entity-type", "users", "--entity-name", s.Username, "--add-config", "SCRAM-SHA-512=[password="+s.Password+"]")
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}
