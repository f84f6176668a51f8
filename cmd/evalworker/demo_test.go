package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo"
	"github.com/evalworker/evalworker/internal/summary"
)

// call runs one command line.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs, nil)
	return code, out.String(), errs.String()
}

func TestDemoJSON(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := call(t, "demo", "--json", "--dir", t.TempDir())
	if code != cli.ExitOK || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	var got struct {
		Events struct {
			Consumed     int `json:"consumed"`
			Unwanted     int `json:"unwanted"`
			SampledOut   int `json:"sampled_out"`
			Evaluated    int `json:"evaluated"`
			DeadLettered int `json:"dead_lettered"`
		} `json:"events"`
		PromptVersions []struct {
			PromptVersion string `json:"prompt_version"`
			JSONChecked   int    `json:"json_checked"`
			JSONInvalid   int    `json:"json_invalid"`
			Evals         map[string]struct {
				Pass, Fail, Error int
				NotApplicable     int     `json:"not_applicable"`
				CannotJudge       int     `json:"cannot_judge"`
				PassRate          float64 `json:"pass_rate"`
				Low, High         float64
			} `json:"evals"`
		} `json:"prompt_versions"`
		Regressions []struct {
			PromptVersion string `json:"prompt_version"`
			Eval          string `json:"eval"`
		} `json:"regressions"`
		Dataset struct {
			Path                       string
			Causes, Cases, Occurrences int
		} `json:"dataset"`
		Judge    string   `json:"judge"`
		Problems []string `json:"problems"`
	}
	in := json.NewDecoder(strings.NewReader(stdout))
	if err := in.Decode(&got); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if rest, _ := io.ReadAll(in.Buffered()); len(bytes.TrimSpace(rest)) > 0 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("more than one object on one line: %q", stdout)
	}
	e := got.Events
	if e.Consumed != 2000 || e.Consumed != e.Unwanted+e.SampledOut+e.Evaluated+e.DeadLettered || e.Unwanted == 0 || e.Evaluated == 0 || e.DeadLettered < 2 {
		t.Errorf("events: %+v", e)
	}
	if len(got.PromptVersions) != 3 {
		t.Fatalf("prompt versions: %+v", got.PromptVersions)
	}
	for _, v := range got.PromptVersions {
		f := v.Evals["reply_format"]
		if v.JSONChecked == 0 || v.JSONInvalid != f.Fail || v.JSONChecked != f.Pass+f.Fail || f.Low > f.PassRate || f.PassRate > f.High || f.High > 1 {
			t.Errorf("%s: %d checked, %d invalid, %+v", v.PromptVersion, v.JSONChecked, v.JSONInvalid, f)
		}
	}
	var worse []string
	for _, r := range got.Regressions {
		worse = append(worse, r.PromptVersion)
	}
	if worse = slices.Compact(worse); !slices.Equal(worse, []string{"2026-06-01.3"}) {
		t.Errorf("regressions: %+v", got.Regressions)
	}
	if got.Judge != "scripted" || got.Dataset.Causes == 0 || got.Dataset.Cases < got.Dataset.Causes || got.Dataset.Occurrences < got.Dataset.Cases || got.Problems == nil || len(got.Problems) > 0 {
		t.Errorf("judge %q, dataset %+v, problems %q", got.Judge, got.Dataset, got.Problems)
	}
}

func TestDemoText(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := call(t, "demo", "--events", "400", "--scenario", "healthy", "--dir", t.TempDir())
	if code != cli.ExitOK || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"400 requests (scenario healthy, seed 7)", "scripted judge, no model.", ": no drop seen",
		"accounting: 400 consumed = ", "+ 1 dead-lettered\n", "dead letters: 1 from an old client (malformed: missing request_id",
		"dataset: ", "datasets list --config ",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	for line := range strings.Lines(stdout) {
		// Paths are as long as they are.
		if n := utf8.RuneCountInString(line) - 1; n > 100 && !strings.Contains(line, t.Name()) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestPrintDemoProblems(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	r := &demo.Result{Judge: "house-model", Result: summary.Result{Events: app.Accounting{Consumed: 3, Evaluated: 2}, Problems: []string{"one is gone"}}}
	if err := printDemo(&b, r, "a b.yaml"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"judge: house-model", "3 consumed is not 0 unwanted + 0 sampled out + 2 evaluated", "PROBLEM: one is gone\n", "--config 'a b.yaml'\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// screen is a standard output that can be watched.
type screen struct {
	mu    sync.Mutex
	text  strings.Builder // guarded by mu
	wrote chan struct{}   // holds one: there is more to read
}

func newScreen() *screen { return &screen{wrote: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

// await waits for a text that matches and returns its submatches.
func (s *screen) await(t *testing.T, re *regexp.Regexp, ended <-chan int) []string {
	t.Helper()
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-s.wrote:
		case code := <-ended:
			t.Fatalf("it ended with %d before it wrote %s:\n%s", code, re, text)
		case <-t.Context().Done():
			t.Fatal("the test ended")
		}
	}
}

// consumed asks a worker how many events it has finished, until they are enough.
func consumed(t *testing.T, health string, enough int64) app.Accounting {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, health+"/statusz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var status app.Status
		err = json.NewDecoder(resp.Body).Decode(&status)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if e := status.Events; e.Consumed >= enough && e.Settled() {
			return e
		}
		select { // another process would be asked like this
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the test ended")
		}
	}
}

// publish sends events to a broker as an application does.
func publish(t *testing.T, broker string, events int) {
	t.Helper()
	cfg := emitter.DefaultConfig()
	cfg.Brokers, cfg.Block = []string{broker}, true
	em, err := emitter.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		e := event.Event{RequestID: event.RequestID("own-" + string(rune('a'+i%26)) + string(rune('a'+i/26))), Status: "success", Output: event.Text(`{"answer":"hello"}`)}
		if err := em.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := em.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestDemoKeep: the addresses in the invitation can be used from elsewhere.
func TestDemoKeep(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, ended := newScreen(), make(chan int, 1)
	var program sync.WaitGroup
	program.Go(func() {
		ended <- run(ctx, []string{"demo", "--keep", "--events", "60", "--dir", t.TempDir()}, nil, out, io.Discard, nil)
	})
	defer program.Wait()
	defer interrupt()
	m := out.await(t, regexp.MustCompile(`simulate --brokers (\S+) [^\n]*\n  curl -s (http://\S+)/statusz\n  [^\n]* dlq list --config \S+\n  [^\n]* datasets list --config (\S+)\n\nCtrl-C ends it.\n`), ended)
	broker, health, config := m[1], m[2], m[3]

	before := consumed(t, health, 60)
	publish(t, broker, 30)
	if after := consumed(t, health, 90); before.Consumed != 60 || after.Consumed != 90 || after.Evaluated-before.Evaluated != 30 {
		t.Errorf("accounting %+v before 30 events and %+v after them", before, after)
	}
	if code, stdout, stderr := call(t, "datasets", "list", "--config", config); code != cli.ExitOK || !strings.Contains(stdout, "reply_format") {
		t.Errorf("datasets list: exit code %d, %s%s", code, stdout, stderr)
	}
	interrupt()
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit code %d after an interrupt", code)
	}
}

func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"demo", "--duration", "1h", "--dir", t.TempDir()}, nil, &out, &errs, nil)
	if code != cli.ExitFailure || out.Len() > 0 || errs.Len() == 0 {
		t.Errorf("exit code %d, %q, %q", code, out.String(), errs.String())
	}
}

func TestBuiltToRun(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/tmp/go-build1/b001/exe/evalworker": true, "/home/u/.cache/go-build/ab/abcd-d/evalworker": true,
		"/cache/ab/abcd-d/evalworker": true, "/usr/local/bin/evalworker": false,
	} {
		if got := runByGo(path); got != want {
			t.Errorf("runByGo(%s) = %t", path, got)
		}
	}
}
