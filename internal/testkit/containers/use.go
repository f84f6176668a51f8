package containers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Variables that name servers which run already.
const (
	EnvKafka    = "KAFKA_BROKERS"            // addresses, separated by commas
	EnvPostgres = "EVALWORKER_TEST_POSTGRES" // URL of a database whose user may make others
)

// envUsed names the file in which tests note the components that they would use.
// It is a file because processes that a test starts share it.
const envUsed = "EVALWORKER_TEST_USED"

// UseKafka returns the brokers of an Apache Kafka, if there is one in this run.
// Otherwise the test is run once more when [Main] can start one.
func UseKafka(t testing.TB) (addrs []string, ok bool) {
	t.Helper()
	v, ok := use(t, EnvKafka)
	if !ok {
		return nil, false
	}
	return strings.Split(v, ","), true
}

// UsePostgres returns the URL of an empty database for the test, if there is a
// PostgreSQL in this run. Otherwise the test is run once more when [Main] can start
// one.
func UsePostgres(t testing.TB) (url string, ok bool) {
	t.Helper()
	server, ok := use(t, EnvPostgres)
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

// use returns the value of a variable, or notes that the test would have used it.
func use(t testing.TB, env string) (string, bool) {
	t.Helper()
	if v := os.Getenv(env); v != "" {
		return v, true
	}
	if path := os.Getenv(envUsed); path != "" {
		if err := note(path, env, t.Name()); err != nil {
			t.Fatal(err)
		}
	}
	return "", false
}

// note appends a line in one write, so that those of several processes do not mix.
func note(path, env, test string) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // Main made it
	if errors.Is(err, fs.ErrNotExist) {
		return nil // this process has outlived the run
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = fmt.Fprintf(f, "%s %s\n", env, test)
	return err
}

// used returns the top-level tests that would have used a variable, by variable.
func used(path string) (map[string]map[string]bool, error) {
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
