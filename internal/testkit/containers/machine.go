package containers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// startTimeout bounds the start of a container; a broker takes some 7 s.
const startTimeout = 2 * time.Minute

// removeTimeout bounds the removal of a container.
const removeTimeout = 30 * time.Second

// machine is a server in a container. Its port is chosen here, because the engine
// would choose another one when the server is started again.
type machine struct {
	kind      string // kind of server, for errors
	addr      string
	serves    func(ctx context.Context, addr string) error
	docker    *testcontainers.DockerClient
	container testcontainers.Container // nil until it has been created
}

// newMachine returns a machine without a container, and its port.
func newMachine(ctx context.Context, kind string, serves func(context.Context, string) error) (machine, int, error) {
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return machine{}, 0, fmt.Errorf("docker: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return machine{}, 0, errors.Join(err, docker.Close())
	}
	return machine{kind: kind, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), serves: serves, docker: docker}, port, nil
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func bind(inside, outside int) func(*container.HostConfig) {
	return bindAll(map[int]int{inside: outside})
}

// bindAll binds ports of a container (the keys) to ports of this machine.
func bindAll(ports map[int]int) func(*container.HostConfig) {
	return func(host *container.HostConfig) {
		host.PortBindings = network.PortMap{}
		for inside, outside := range ports {
			port := network.MustParsePort(strconv.Itoa(inside) + "/tcp")
			host.PortBindings[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(outside)}}
		}
	}
}

// Addr is the server's host:port.
func (m *machine) Addr() string { return m.addr }

// Pause freezes the server's processes: connections stay open, without answers.
func (m *machine) Pause(ctx context.Context) error {
	_, err := m.docker.ContainerPause(ctx, m.container.GetContainerID(), client.ContainerPauseOptions{})
	return m.wrap("pause", err)
}

// Unpause resumes a paused server.
func (m *machine) Unpause(ctx context.Context) error {
	_, err := m.docker.ContainerUnpause(ctx, m.container.GetContainerID(), client.ContainerUnpauseOptions{})
	return m.wrap("unpause", err)
}

// Kill ends the server with SIGKILL. Data that it had not flushed is still in the
// page cache, as after the crash of a process.
func (m *machine) Kill(ctx context.Context) error {
	_, err := m.docker.ContainerKill(ctx, m.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return m.wrap("kill", err)
}

// stopSeconds is how long a server has to end by itself.
const stopSeconds = 60

// Stop ends the server in good order, and waits until it has ended.
func (m *machine) Stop(ctx context.Context) error {
	_, err := m.docker.ContainerStop(ctx, m.container.GetContainerID(), client.ContainerStopOptions{Timeout: new(stopSeconds)})
	return m.wrap("stop", err)
}

// Start starts a server that was stopped or killed, at the same address, and waits until
// it serves.
func (m *machine) Start(ctx context.Context) error {
	_, err := m.docker.ContainerStart(ctx, m.container.GetContainerID(), client.ContainerStartOptions{})
	if err != nil {
		return m.wrap("start", err)
	}
	return m.await(ctx)
}

// Exec runs a command in the container, such as one of Kafka's own tools in
// /opt/kafka/bin, and returns its output.
func (m *machine) Exec(ctx context.Context, command ...string) (string, error) {
	code, out, err := m.container.Exec(ctx, command)
	if err != nil {
		return "", m.wrap("run "+command[0], err)
	}
	text, err := io.ReadAll(out)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit %d: %s", code, strings.TrimSpace(string(text)))
	}
	return string(text), m.wrap("run "+command[0], err)
}

// Close removes the container. It takes no context: a test that has ended must
// still clean up.
func (m *machine) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	var err error
	if m.container != nil {
		_ = m.Unpause(ctx) // a paused container cannot be removed; for others this fails
		err = m.container.Terminate(ctx, testcontainers.StopTimeout(0))
	}
	return errors.Join(m.wrap("remove", err), m.docker.Close())
}

// await waits until the server answers on its port. After a restart its log would
// not be enough, because the line of the first start is still in it.
func (m *machine) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := m.serves(ctx, m.addr)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m.wrap("wait for", err)
		}
	}
}

func (m *machine) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s %s: %w", what, m.kind, m.addr, err)
}

// answerTimeout bounds one check of whether a server answers.
const answerTimeout = 2 * time.Second

// serves asks a broker for its API versions, which it answers before
// authentication. A connection alone proves nothing, because the engine's proxy
// accepts it before the broker has started.
func serves(ctx context.Context, addr string) error {
	return ask(ctx, addr, func(_ context.Context, conn net.Conn) error {
		// ApiVersions (key 18) version 0, correlation id 1, client id null; see
		// https://kafka.apache.org/protocol#protocol_messages.
		request := binary.BigEndian.AppendUint32(nil, 10)
		request = append(request, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff)
		if _, err := conn.Write(request); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	})
}

// servesTLS is serves for a TLS listener. It does not verify the certificate; the
// tests that use the broker do.
func servesTLS(ctx context.Context, addr string) error {
	return ask(ctx, addr, func(ctx context.Context, conn net.Conn) error {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
	})
}

// ask asks a question over a new connection.
func ask(ctx context.Context, addr string, question func(context.Context, net.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return question(ctx, conn)
}
