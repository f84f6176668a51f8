package containers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go/log"
	"go.uber.org/goleak"
)

// Component is a kind of server that tests can use.
type Component struct {
	name  string // as people call it
	image string
	env   string // that tells tests where it is
	start func(context.Context) (server, error)
}

// server is one that runs.
type server struct {
	value string // of the variable
	addr  string
	close func() error
}

// WithKafka makes an Apache Kafka for tests that call [UseKafka].
func WithKafka() Component {
	return Component{"Kafka", KafkaImage, EnvKafka, func(ctx context.Context) (server, error) {
		k, err := StartKafka(ctx, KafkaConfig{})
		if err != nil {
			return server{}, err
		}
		return server{k.Addr(), k.Addr(), k.Close}, nil
	}}
}

// WithPostgres makes a PostgreSQL for tests that call [UsePostgres].
func WithPostgres() Component {
	return Component{"PostgreSQL", PostgresImage, EnvPostgres, func(ctx context.Context) (server, error) {
		p, err := StartPostgres(ctx)
		if err != nil {
			return server{}, err
		}
		return server{p.URL(), p.Addr(), p.Close}, nil
	}}
}

// envChild tells a process that Main started it, and ends when its standard
// input does.
const envChild = "EVALWORKER_TEST_CHILD"

// Main runs the tests of a package, looks for goroutines that they left behind,
// and gives the exit code. When tests asked for a component that is not there, it
// starts one in a container and runs just these tests once more, in a process of
// its own, whose code counts as well. Benchmarks, fuzzing, and go test -short are
// left alone.
func Main(m interface{ Run() int }, with ...func() Component) int {
	if !flag.Parsed() {
		flag.Parse()
	}
	log.SetDefault(log.NewNoopLogger())
	if os.Getenv(envChild) != "" {
		return child(m)
	}
	if os.Getenv(envUsed) != "" || os.Getenv(EnvRequired) == off || !plain() {
		return checked(m) // what a test started, or no run of tests
	}
	notes, err := os.CreateTemp("", "components-")
	if err == nil {
		defer func() { _ = os.Remove(notes.Name()) }()
		err = errors.Join(notes.Close(), os.Setenv(envUsed, notes.Name()))
	}
	if err != nil {
		say("components: %v", err)
		return 1
	}
	began := time.Now()
	code := checked(m)
	if code != 0 && set("test.failfast") {
		return code
	}
	return max(code, again(notes.Name(), with, time.Since(began)))
}

// checked runs tests and, if they are good, looks for goroutines left behind.
func checked(m interface{ Run() int }, but ...goleak.Option) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(but...); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return 1
	}
	return 0
}

// child runs tests for as long as the process that started it lives.
func child(m interface{ Run() int }) int {
	if err := os.Unsetenv(envChild); err != nil { // what tests start has another standard input
		say("components: %v", err)
		return 1
	}
	go func() { // lives as long as the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	return checked(m, goleak.IgnoreCurrent())
}

// plain reports whether this is a run of tests that may take its time.
func plain() bool {
	return !testing.Short() && !set("test.list") && !set("test.bench") && !set("test.fuzz") && value("test.count") != "0"
}

// set reports whether a flag has a value other than its default.
func set(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != f.DefValue
}

func value(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// again runs the tests that would have used what was not there.
func again(notes string, with []func() Component, spent time.Duration) int {
	asked, err := used(notes)
	if err != nil {
		say("components: %v", err)
		return 1
	}
	var wanted []Component
	tests := map[string]bool{}
	for _, c := range with {
		if c := c(); len(asked[c.env]) > 0 {
			wanted = append(wanted, c)
			maps.Copy(tests, asked[c.env])
		}
	}
	if len(wanted) == 0 {
		return 0
	}
	// A container outlives a process that does not remove it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := on(ctx, wanted, slices.Sorted(maps.Keys(tests)), spent)
	switch {
	case err == nil:
		return code
	case ctx.Err() == nil && os.Getenv(EnvRequired) != required && errors.Is(err, errNotThere):
		say("%v: the %s tests of this package ran on embedded parts only, or not at all", err, names(wanted))
		tellRun(fmt.Sprintf("%v: tests of Apache Kafka and PostgreSQL run on embedded parts only, or not at all", err))
		return 0
	}
	say("components: the %s tests of this package did not run on it: %v", names(wanted), err)
	return 1
}

// say prints a line where go test shows it beside the tests.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

func names(cs []Component) string {
	var out []string
	for _, c := range cs {
		out = append(out, c.name)
	}
	return strings.Join(out, " and ")
}

// errNotThere says that a component cannot be had here.
var errNotThere = errors.New("not there")

// on starts components and runs tests on them.
func on(ctx context.Context, cs []Component, tests []string, spent time.Duration) (code int, err error) {
	if err := Engine(ctx); err != nil {
		return 0, absent{err}
	}
	env := append(os.Environ(), envChild+"=1")
	for _, c := range cs {
		s, failed := c.start(ctx)
		if failed != nil {
			return 0, absent{failed}
		}
		defer func() { err = errors.Join(err, s.close()) }()
		env = append(env, c.env+"="+s.value)
		say("components: %s runs at %s (%s)", c.name, s.addr, c.image)
	}
	say("components: %d of the tests once more on %s", len(tests), names(cs))
	return run(ctx, env, flags(tests, spent))
}

// absent marks an error as errNotThere.
type absent struct{ error }

func (absent) Is(target error) bool { return target == errNotThere }

func (a absent) Unwrap() error { return a.error }

// flags gives the flags of this process for one that runs only some tests, in
// the time that is left, and overwrites none of this one's files.
func flags(tests []string, spent time.Duration) []string {
	out := []string{"-test.run=^(" + strings.Join(tests, "|") + ")$"}
	flag.Visit(func(f *flag.Flag) {
		switch name := strings.TrimPrefix(f.Name, "test."); {
		case strings.HasSuffix(name, "profile") || strings.HasPrefix(name, "gocover") || name == "testlogfile" || name == "trace":
		case name == "run" && !strings.Contains(f.Value.String(), "/"):
		case name == "run":
			out[0] = "-test.run=" + f.Value.String() // names subtests too
		case name == "timeout":
			if limit, err := time.ParseDuration(f.Value.String()); err == nil && limit > 0 {
				out = append(out, "-test.timeout="+max(limit-spent, time.Second).String())
			}
		default:
			out = append(out, "-"+f.Name+"="+f.Value.String())
		}
	})
	return append(out, flag.Args()...)
}

// run runs this program as the child of this process, and gives its exit code.
func run(ctx context.Context, env, args []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this very program
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	stdin, err := cmd.StdinPipe() // its end tells the child that we are gone
	if err != nil {
		return 0, err
	}
	defer func() { _ = stdin.Close() }()
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return max(exit.ExitCode(), 1), nil // a signal counts too
	}
	return 0, err
}
