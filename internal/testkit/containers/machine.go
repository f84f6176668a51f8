package containers

import (
	"context"
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

// removeTimeout bounds the end of a container.
const removeTimeout = 30 * time.Second

// machine is a server in a container. Its port is chosen here and not by the
// engine, which would give another one when the server is started again.
type machine struct {
	kind      string // of server, for errors
	addr      string
	serves    func(ctx context.Context, addr string) error
	docker    *testcontainers.DockerClient
	container testcontainers.Container // nil until it has been made
}

// newMachine gives a machine without a container, and its port.
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

// freePort gives a port of the loopback interface that nobody listens on now.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// bind makes a port of a container one of this machine.
func bind(inside, outside int) func(*container.HostConfig) {
	return func(host *container.HostConfig) {
		port := network.MustParsePort(strconv.Itoa(inside) + "/tcp")
		host.PortBindings = network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(outside)}}}
	}
}

// Addr is the server's host:port.
func (m *machine) Addr() string { return m.addr }

// Pause freezes the server's processes: connections stay open and nothing
// answers.
func (m *machine) Pause(ctx context.Context) error {
	_, err := m.docker.ContainerPause(ctx, m.container.GetContainerID(), client.ContainerPauseOptions{})
	return m.wrap("pause", err)
}

// Unpause lets a paused server go on.
func (m *machine) Unpause(ctx context.Context) error {
	_, err := m.docker.ContainerUnpause(ctx, m.container.GetContainerID(), client.ContainerUnpauseOptions{})
	return m.wrap("unpause", err)
}

// Kill ends the server with SIGKILL. What it had not flushed is still in the
// page cache, as after the crash of a process.
func (m *machine) Kill(ctx context.Context) error {
	_, err := m.docker.ContainerKill(ctx, m.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return m.wrap("kill", err)
}

// Start starts a server that was killed, at the same address, and waits until
// it serves.
func (m *machine) Start(ctx context.Context) error {
	_, err := m.docker.ContainerStart(ctx, m.container.GetContainerID(), client.ContainerStartOptions{})
	if err != nil {
		return m.wrap("start", err)
	}
	return m.await(ctx)
}

// Exec runs a command in the container, such as one of Kafka's own tools in
// /opt/kafka/bin, and gives what it printed.
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
		_ = m.Unpause(ctx) // one that is not paused says so; a paused one cannot be removed
		err = m.container.Terminate(ctx, testcontainers.StopTimeout(0))
	}
	return errors.Join(m.wrap("remove", err), m.docker.Close())
}

// await waits until the server answers on its port: that its log says so is not
// enough after a restart, whose log is behind that of the first start.
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
