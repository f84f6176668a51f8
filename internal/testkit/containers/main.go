package containers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
	name  string
	image string
	env   string // variable with the address of a server for tests
	start func(context.Context) (server, error)
}

// server is a running component.
type server struct {
	value string // for the variable
	addr  string
	close func() error
}

// WithKafka is Apache Kafka, for tests that call [UseKafka].
func WithKafka() Component {
	return Component{"Kafka", KafkaImage, EnvKafka, func(ctx context.Context) (server, error) {
		k, err := StartKafka(ctx, KafkaConfig{})
		if err != nil {
			return server{}, err
		}
		return server{k.Addr(), k.Addr(), k.Close}, nil
	}}
}

// WithPostgres is PostgreSQL, for tests that call [UsePostgres].
func WithPostgres() Component {
	return Component{"PostgreSQL", PostgresImage, EnvPostgres, func(ctx context.Context) (server, error) {
		p, err := StartPostgres(ctx)
		if err != nil {
			return server{}, err
		}
		return server{p.URL(), p.Addr(), p.Close}, nil
	}}
}

// envChild marks a process that Main started and that has to end when its standard
// input closes.
const envChild = "EVALWORKER_TEST_CHILD"

// Main runs the tests of a package, looks for leaked goroutines, and returns the exit
// code. If tests asked for a component that does not run, it starts one in a
// container and runs just these tests once more, in a separate process, whose exit
// code counts as well. Benchmarks, fuzzing and go test -short never start containers.
func Main(m interface{ Run() int }, with ...func() Component) int {
	if !flag.Parsed() {
		flag.Parse()
	}
	log.SetDefault(log.NewNoopLogger())
	if os.Getenv(envChild) != "" {
		return child(m)
	}
	if os.Getenv(envUsed) != "" || os.Getenv(EnvRequired) == off || !mayStart() {
		return runTests(m) // a process that a test started, or not a normal test run
	}
	notes, err := os.CreateTemp("", "components-")
	if err == nil {
		defer func() { _ = os.Remove(notes.Name()) }()
		err = errors.Join(notes.Close(), os.Setenv(envUsed, notes.Name()))
	}
	if err != nil {
		printLine("components: %v", err)
		return 1
	}
	began := time.Now()
	code := runTests(m)
	if code != 0 && isSet("test.failfast") {
		return code
	}
	return max(code, repeat(notes.Name(), with, time.Since(began)))
}

// runTests runs the tests and, when they pass, looks for leaked goroutines.
func runTests(m interface{ Run() int }, ignore ...goleak.Option) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(ignore...); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return 1
	}
	return 0
}

// child runs the tests, and exits when the process that started it ends.
func child(m interface{ Run() int }) int {
	if err := os.Unsetenv(envChild); err != nil { // processes that tests start have another standard input
		printLine("components: %v", err)
		return 1
	}
	go func() { // lives as long as the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	return runTests(m, goleak.IgnoreCurrent())
}

// mayStart reports whether this test run may start containers, which takes time.
func mayStart() bool {
	count := flag.Lookup("test.count")
	return !testing.Short() && !isSet("test.list") && !isSet("test.bench") && !isSet("test.fuzz") && (count == nil || count.Value.String() != "0")
}

// isSet reports whether a flag has a value other than its default.
func isSet(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != f.DefValue
}

// repeat runs the tests that asked for components once more, on containers.
func repeat(notes string, with []func() Component, spent time.Duration) int {
	asked, err := recordedUses(notes)
	if err != nil {
		printLine("components: %v", err)
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
	// Clean up on a signal too: a container outlives a process that does not remove
	// it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := runOn(ctx, wanted, slices.Sorted(maps.Keys(tests)), spent)
	switch {
	case err == nil:
		return code
	case ctx.Err() == nil && os.Getenv(EnvRequired) != required && errors.Is(err, errNotThere):
		printLine("%v: the %s tests of this package ran on embedded parts only, or not at all", err, names(wanted))
		printOnce(fmt.Sprintf("%v: tests of Apache Kafka and PostgreSQL run on embedded parts only, or not at all", err))
		return 0
	}
	printLine("components: the %s tests of this package did not run on it: %v", names(wanted), err)
	return 1
}

func printLine(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

func names(cs []Component) string {
	var out []string
	for _, c := range cs {
		out = append(out, c.name)
	}
	return strings.Join(out, " and ")
}

// errNotThere marks components that cannot be started here.
var errNotThere = errors.New("not there")

// runOn starts components and runs tests on them.
func runOn(ctx context.Context, cs []Component, tests []string, spent time.Duration) (code int, err error) {
	if err := Engine(ctx); err != nil {
		return 0, componentError{err}
	}
	env := append(os.Environ(), envChild+"=1")
	for _, c := range cs {
		s, failed := c.start(ctx)
		if failed != nil {
			return 0, componentError{failed}
		}
		defer func() { err = errors.Join(err, s.close()) }()
		env = append(env, c.env+"="+s.value)
		printLine("components: %s runs at %s (%s)", c.name, s.addr, c.image)
	}
	printLine("components: %d of the tests once more on %s", len(tests), names(cs))
	return run(ctx, env, flags(tests, spent))
}

// componentError marks an error as errNotThere.
type componentError struct{ error }

func (componentError) Is(target error) bool { return target == errNotThere }

func (a componentError) Unwrap() error { return a.error }

// flags returns this process's flags, changed for a process that runs only some
// tests, in the remaining time, and overwrites none of this one's files.
func flags(tests []string, spent time.Duration) []string {
	out := []string{"-test.run=^(" + strings.Join(tests, "|") + ")$"}
	flag.Visit(func(f *flag.Flag) {
		switch name := strings.TrimPrefix(f.Name, "test."); {
		case strings.HasSuffix(name, "profile") || strings.HasPrefix(name, "gocover") || name == "testlogfile" || name == "trace":
		case name == "run" && !strings.Contains(f.Value.String(), "/"):
		case name == "run":
			out[0] = "-test.run=" + f.Value.String() // it may name subtests too
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

// run runs this program as a child process, and returns its exit code.
func run(ctx context.Context, env, args []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this program itself
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	stdin, err := cmd.StdinPipe() // it closes with this process, and then the child ends
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

// printOnce prints a line to the terminal of go test, once per run. The output of a
// test binary is shown only for a package that fails, or with -v, but skipped tests
// must be visible even when all pass.
//
// The folder that go test builds in belongs to one run, so a file there marks that
// the line was printed. Without such a folder, as for a binary built earlier, it
// prints nothing, and only the package's own output has the line.
func printOnce(line string) {
	run := filepath.Dir(filepath.Dir(os.Args[0]))
	caller := fmt.Sprintf("/proc/%d", os.Getppid()) // Linux only
	name, err := os.ReadFile(caller + "/comm")
	if err != nil || !strings.HasPrefix(string(name), "go") || !strings.HasPrefix(filepath.Base(run), "go-build") {
		return
	}
	mark, err := os.OpenFile(filepath.Join(run, "components-told"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return // another package was first
	}
	defer func() { _ = mark.Close() }()
	out, err := os.OpenFile(caller+"/fd/2", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	// In a file, go test would overwrite the line, because it keeps its own position.
	if st, err := out.Stat(); err != nil || st.Mode()&(fs.ModeCharDevice|fs.ModeNamedPipe) == 0 {
		return
	}
	_, _ = fmt.Fprintln(out, line) // the package's output has it as well
}
