package containers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// Variables that name servers that already run.
const (
	EnvKafka    = "KAFKA_BROKERS"            // addresses, separated by commas
	EnvPostgres = "EVALWORKER_TEST_POSTGRES" // URL of a database whose user may create others
)

// envUsed names the file in which tests record the components that they would use.
// It is a file so that processes that a test starts can share it.
const envUsed = "EVALWORKER_TEST_USED"

// UseKafka returns the brokers of an Apache Kafka, if this run has one. Otherwise
// the test is run once more if [Main] can start one.
func UseKafka(t testing.TB) (addrs []string, ok bool) {
	t.Helper()
	v, ok := lookUp(t, EnvKafka)
	if !ok {
		return nil, false
	}
	return strings.Split(v, ","), true
}

// UsePostgres returns the URL of an empty database for the test, if this run has a
// PostgreSQL. Otherwise the test is run once more if [Main] can start one.
func UsePostgres(t testing.TB) (url string, ok bool) {
	t.Helper()
	server, ok := lookUp(t, EnvPostgres)
	if !ok {
		return "", false
	}
	url, err := newDatabase(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
		defer cancel()
		if err := dropDatabase(ctx, server, url); err != nil {
			t.Error(err)
		}
	})
	return url, true
}

// lookUp returns the value of a variable, or records that the test would have used it.
func lookUp(t testing.TB, env string) (string, bool) {
	t.Helper()
	if v := os.Getenv(env); v != "" {
		return v, true
	}
	if path := os.Getenv(envUsed); path != "" {
		if err := recordUse(path, env, t.Name()); err != nil {
			t.Fatal(err)
		}
	}
	return "", false
}

// recordUse appends a line in one write, so that those of several processes do not mix.
func recordUse(path, env, test string) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // Main made it
	if errors.Is(err, fs.ErrNotExist) {
		return nil // this process outlived the run
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = fmt.Fprintf(f, "%s %s\n", env, test)
	return err
}

// recordedUses returns, by variable, the top-level tests that would have used it.
func recordedUses(path string) (map[string]map[string]bool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // Main made it
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]bool{}
	for line := range strings.Lines(string(text)) {
		env, test, _ := strings.Cut(strings.TrimSpace(line), " ")
		test, _, _ = strings.Cut(test, "/")
		if out[env] == nil {
			out[env] = map[string]bool{}
		}
		out[env][test] = true
	}
	return out, nil
}

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

// NeedEngine skips a test of the containers themselves when there is no engine, or
// fails it if one is required.
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

// Need skips a test whose component did not start, for example because the image
// cannot be pulled, or fails it if components are required.
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
