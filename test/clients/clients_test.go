package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

func TestMain(m *testing.M) {
	if os.Getenv(envGoProgram) != "" {
		os.Exit(goProgram())
	}
	os.Exit(containers.Main(m))
}

// requests is how many each program makes.
const requests = 1000

// kind says how a request is made and how it ends.
type kind string

const (
	usual             kind = "plain"
	streamed          kind = "stream"
	tools             kind = "tools"
	streamedTools     kind = "stream-tools"
	retried           kind = "retry"  // the first answer is 429; the library tries again
	cancelled         kind = "cancel" // left by the application, by timeout or before the end of a stream
	failing           kind = "error"  // the answer is 400, which the library raises
	rated             kind = "feedback"
	responses         kind = "responses"
	streamedResponses kind = "responses-stream"
)

// every is what a program that does everything does.
var every = []kind{streamed, tools, streamedTools, retried, cancelled, failing}

// output says what a client puts into the event's output, and so what can be compared.
type output int

const (
	answers  output = iota // the provider's answer
	its                    // the answer in a form of its framework
	observed               // what the application gives: no more is known of the request
)

// program is one application.
type program struct {
	name   string
	source string // file of which lines for publishing are counted
	kinds  []kind // one request in twenty each; all others are usual
	output output
	// run runs it to its end; the world has everything that it needs.
	run func(t *testing.T, w *world, p program, jobs string)
}

// user is who asks, in all programs.
const user = "alice@example.com"

// job is one request, as a program is told.
type job struct {
	Question    string `json:"question"`
	Kind        kind   `json:"kind"`
	Traceparent string `json:"traceparent"`

	trace, span string
}

// jobs returns the requests of the nth program.
func (p program) jobs(n int) []job {
	out := make([]job, requests)
	for i := range out {
		j := job{Kind: usual, trace: fmt.Sprintf("e7a1%012x%016x", n+1, i+1), span: fmt.Sprintf("%08x%08x", n+1, i+1)}
		if at := i % 20; at < len(p.kinds) {
			j.Kind = p.kinds[at]
		}
		j.Question = fmt.Sprintf("ask %s %d %s", p.name, i, j.Kind)
		j.Traceparent = "00-" + j.trace + "-" + j.span + "-01"
		out[i] = j
	}
	return out
}

func TestClients(t *testing.T) {
	if os.Getenv(envClients) == "off" || testing.Short() {
		t.Skip("runs programs of several languages")
	}
	w := newWorld(t)
	for n, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			lines := publishingLines(t, p.source)
			jobs := p.jobs(n)
			text, err := json.Marshal(jobs)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "jobs.json")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			p.run(t, w, p, file)
			made := time.Since(began)
			account := w.settle(t)
			check(t, w, p, jobs)
			if account.DeadLettered+account.SampledOut+account.Unwanted != 0 || account.Evaluated != w.arrived {
				t.Errorf("of %d events: %+v", w.arrived, account)
			}
			if dead := w.ends(t, topic+".dead", 1); dead[0] != 0 {
				t.Errorf("%d dead letters", dead[0])
			}
			t.Logf("%-18s %d requests, %d lines for publishing; made in %.1fs, checked after %.1fs", p.name, requests, lines, made.Seconds(), time.Since(began).Seconds())
		})
	}
}

// maxLines is how many lines of a program may exist for publishing, and goLines how many of
// one in Go, where an emitter can fail and each library has a package of its own.
const (
	maxLines = 5
	goLines  = 8
)

// publishingLines counts the lines of a file that are marked to be there for publishing
// only. The measure is the same for all languages: the lines that a developer adds or
// changes in a program that asks the provider already, so that all its requests are
// published with their traces and none is lost at the end. Imports and the handling of errors
// count; a line with a closing brace alone does not, nor do the words for what a request is
// about (fields), addresses, and ratings, which are more than publishing.
func publishingLines(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(text) {
		line := strings.TrimSpace(string(line))
		if slices.ContainsFunc([]string{"# publishing", "// publishing"}, func(mark string) bool { return strings.HasSuffix(line, mark) }) {
			n++
		}
	}
	most := maxLines
	if filepath.Ext(file) == ".go" {
		most = goLines
	}
	if n == 0 || n > most {
		t.Errorf("%s has %d lines for publishing, want 1 to %d", file, n, most)
	}
	return n
}
