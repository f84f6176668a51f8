package containers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/wait"
)

// KafkaImage is the broker that tests run against.
const KafkaImage = "apache/kafka:4.1.1"

// The ports inside a broker's container.
const (
	clientPort     = 9092
	controllerPort = 9093
	brokerPort     = 9094 // between the brokers of a cluster
)

// KafkaConfig says how a broker is made. The zero value is a broker of its own
// that talks plain text and knows no users.
type KafkaConfig struct {
	// Env is laid over the environment of the image, KAFKA_* being settings of
	// the broker.
	Env map[string]string
	// Files are put into the container before it starts.
	Files []testcontainers.ContainerFile
	// Protocol that clients speak: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
	// Empty: PLAINTEXT.
	Protocol string
}

// startScript starts a broker, also for the second time: the image's own script
// writes the configuration and formats the log, and refuses a log that is
// formatted already.
const startScript = `if [ -e /tmp/formatted ]; then exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties; fi
touch /tmp/formatted
exec /etc/kafka/docker/run`

// Kafka is a broker in a container. Its address stays when it is killed and
// started again.
type Kafka struct{ machine }

// StartKafka starts a broker and waits until it serves. The caller ends it with
// Close.
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

// newBroker starts a container. The address to advertise is known before that.
func newBroker(ctx context.Context, cfg KafkaConfig, m member) (*Kafka, error) {
	answers := serves
	if strings.HasSuffix(cfg.Protocol, "SSL") {
		answers = servesTLS
	}
	box, port, err := newMachine(ctx, "broker", answers)
	if err != nil {
		return nil, err
	}
	k := &Kafka{box}
	req := testcontainers.ContainerRequest{
		Image:        KafkaImage,
		ExposedPorts: []string{strconv.Itoa(clientPort) + "/tcp"},
		Cmd:          []string{"bash", "-c", startScript},
		Env:          brokerEnv(cfg, m, port),
		Files:        cfg.Files,
		WaitingFor:   wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
	}
	req.HostConfigModifier = bind(clientPort, port)
	if m.network != "" {
		req.Networks = []string{m.network}
		req.NetworkAliases = map[string][]string{m.network: {m.host}}
		req.WaitingFor = nil // it cannot start before the others are there
	}
	k.container, err = testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: req, Started: true, Logger: log.NewNoopLogger(),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", KafkaImage, err), k.Close())
	}
	return k, nil
}

// brokerEnv gives the settings of a broker that is a controller too.
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
	maps.Copy(env, cfg.Env)
	return env
}
