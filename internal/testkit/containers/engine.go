package containers

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// EnvRequired names the variable that makes a missing engine a failure when it is
// "required", and that forbids containers when it is "off".
const EnvRequired = "EVALWORKER_TEST_REAL"

const (
	required = "required"
	off      = "off"
)

// engineTimeout bounds the ping of an engine.
const engineTimeout = 5 * time.Second

// Engine returns nil when a Docker engine answers, else why it does not.
func Engine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return noEngine(err)
	}
	defer func() { _ = docker.Close() }()
	if _, err := docker.Ping(ctx, client.PingOptions{}); err != nil {
		return noEngine(err)
	}
	return nil
}

// noEngine shortens the library's error to one line.
func noEngine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New("no Docker engine: " + line)
}

// NeedEngine skips a test of containers themselves when there is no engine, and
// fails it when one is required.
func NeedEngine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers")
	}
	if os.Getenv(EnvRequired) == off {
		t.Skip(EnvRequired + "=" + off)
	}
	Need(t, Engine(t.Context()))
}

// Need skips a test whose component did not start, as where images cannot be
// pulled, and fails it when components are required.
func Need(t *testing.T, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv(EnvRequired) == required:
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}
