package components

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// KafkaImage is the broker that tests run against.
const KafkaImage = "apache/kafka:4.1.1"

// startTimeout bounds the start of a container; a broker takes some 7 s.
const startTimeout = 2 * time.Minute

// removeTimeout bounds the end of a container.
const removeTimeout = 30 * time.Second

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
type Kafka struct {
	container testcontainers.Container
	docker    *testcontainers.DockerClient
	addr      string
}

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

// newBroker starts a container. Its port on this machine is chosen here and not
// by the engine, which would give another one when the broker is started again,
// and so the address to advertise is known before the start.
func newBroker(ctx context.Context, cfg KafkaConfig, m member) (*Kafka, error) {
	clientPortSpec := network.MustParsePort(fmt.Sprintf("%d/tcp", clientPort))
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, errors.Join(err, docker.Close())
	}
	req := testcontainers.ContainerRequest{
		Image:        KafkaImage,
		ExposedPorts: []string{clientPortSpec.String()},
		Cmd:          []string{"bash", "-c", startScript},
		Env:          brokerEnv(cfg, m, port),
		Files:        cfg.Files,
		WaitingFor:   wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
	}
	req.HostConfigModifier = func(host *container.HostConfig) {
		host.PortBindings = network.PortMap{clientPortSpec: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(port)}}}
	}
	if m.network != "" {
		req.Networks = []string{m.network}
		req.NetworkAliases = map[string][]string{m.network: {m.host}}
		req.WaitingFor = nil // it cannot start before the others are there
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{ContainerRequest: req, Started: true})
	k := &Kafka{container: c, docker: docker, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
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

// freePort gives a port of the loopback interface that nobody listens on now.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Addr is the broker's host:port.
func (k *Kafka) Addr() string { return k.addr }

// Pause freezes the broker's processes: connections stay open and nothing
// answers.
func (k *Kafka) Pause(ctx context.Context) error {
	_, err := k.docker.ContainerPause(ctx, k.container.GetContainerID(), client.ContainerPauseOptions{})
	return k.wrap("pause", err)
}

// Unpause lets a paused broker go on.
func (k *Kafka) Unpause(ctx context.Context) error {
	_, err := k.docker.ContainerUnpause(ctx, k.container.GetContainerID(), client.ContainerUnpauseOptions{})
	return k.wrap("unpause", err)
}

// Kill ends the broker with SIGKILL. What it had not flushed is still in the
// page cache, as after the crash of a process.
func (k *Kafka) Kill(ctx context.Context) error {
	_, err := k.docker.ContainerKill(ctx, k.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return k.wrap("kill", err)
}

// Start starts a broker that was killed, at the same address, and waits until
// it serves.
func (k *Kafka) Start(ctx context.Context) error {
	_, err := k.docker.ContainerStart(ctx, k.container.GetContainerID(), client.ContainerStartOptions{})
	if err != nil {
		return k.wrap("start", err)
	}
	return k.await(ctx)
}

// Exec runs a command in the container, such as one of Kafka's own tools in
// /opt/kafka/bin, and gives what it printed.
func (k *Kafka) Exec(ctx context.Context, command ...string) (string, error) {
	code, out, err := k.container.Exec(ctx, command)
	if err != nil {
		return "", k.wrap("run "+command[0], err)
	}
	text, err := io.ReadAll(out)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit %d: %s", code, strings.TrimSpace(string(text)))
	}
	return string(text), k.wrap("run "+command[0], err)
}

// Close removes the container. It takes no context: a test that has ended must
// still clean up.
func (k *Kafka) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	var err error
	if k.container != nil {
		_ = k.Unpause(ctx) // one that is not paused says so; a paused one cannot be removed
		err = k.container.Terminate(ctx, testcontainers.StopTimeout(0))
	}
	return errors.Join(k.wrap("remove", err), k.docker.Close())
}

// await waits until the broker answers on its port: that its log says so is not
// enough after a restart, whose log is behind that of the first start.
func (k *Kafka) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := serves(ctx, k.addr)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return k.wrap("wait for", err)
		}
	}
}

func (k *Kafka) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s broker %s: %w", what, k.addr, err)
}
