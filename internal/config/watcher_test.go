package config_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// change holds the arguments of a watcher's callback.
type change struct {
	cfg *config.Config
	err error
}

// harness runs a watcher in a folder.
type harness struct {
	path    string
	reload  chan os.Signal
	changes chan change
	log     *lockedBuffer
}

// lockedBuffer is a buffer that the watcher writes and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHarness(t *testing.T, files map[string]string) (*harness, *config.Watcher) {
	t.Helper()
	return watch(t, folder(t, files))
}

func watch(t *testing.T, path string) (*harness, *config.Watcher) {
	t.Helper()
	w := &harness{path: path, reload: make(chan os.Signal), changes: make(chan change, 100), log: &lockedBuffer{}}
	watcher, err := config.NewWatcher(w.path, nil, w.reload, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return w, watcher
}

func (w *harness) changed(c *config.Config, err error) { w.changes <- change{c, err} }

// write replaces a file as an editor does, by renaming a new one.
func (w *harness) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(w.path), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"~", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

const rates = "sampling: {default_rate: %}\nevaluators: [{name: a, type: llm_judge, rubric: correctness}]\n"

func withRate(rate string) string { return strings.ReplaceAll(rates, "%", rate) }

// TestWatcherSeesFiles watches real files, through the file system's own events.
func TestWatcherSeesFiles(t *testing.T) {
	t.Parallel()
	w, watcher := newHarness(t, map[string]string{config.FileName: withRate("0.1")})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = watcher.Run(ctx, w.changed) })
	defer func() { cancel(); wg.Wait() }()

	// A receive from reload shows that Run is past the start of its watch.
	w.reload <- nil
	if c := <-w.changes; c.err != nil {
		t.Fatal(c.err)
	}
	w.write(t, config.FileName, withRate("0.2"))
	if c := <-w.changes; c.err != nil || c.cfg.Sampling.DefaultRate != 0.2 {
		t.Fatalf("after a change of the file: %+v", c)
	}
	w.write(t, "rubrics/own.yaml", "needs: [output]\n") // the folder is new, too
	if c := <-w.changes; c.err == nil || !strings.Contains(c.err.Error(), "own.yaml") {
		t.Fatalf("after a bad rubric: %+v", c)
	}
	w.write(t, "rubrics/own.yaml", ownRubric)
	if c := <-w.changes; c.err != nil {
		t.Fatalf("after the rubric was mended: %v", c.err)
	}
}

// TestWatcherSeesWhatChangedBefore: a program opens its store between the first
// load and Run, and changes in between are not lost.
func TestWatcherSeesWhatChangedBefore(t *testing.T) {
	t.Parallel()
	w, watcher := newHarness(t, map[string]string{config.FileName: withRate("0.1")})
	w.write(t, config.FileName, withRate("0.2"))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = watcher.Run(ctx, w.changed) })
	defer func() { cancel(); wg.Wait() }()
	if c := <-w.changes; c.err != nil || c.cfg.Sampling.DefaultRate != 0.2 {
		t.Errorf("after a change before the watch: %+v", c)
	}
}

// TestWatcherFollowsLink: the file may be a link to one in its folder or elsewhere.
func TestWatcherFollowsLink(t *testing.T) {
	t.Parallel()
	elsewhere := folder(t, map[string]string{config.FileName: withRate("0.1")})
	for name, tt := range map[string]struct{ link, target string }{
		"elsewhere": {filepath.Join(t.TempDir(), config.FileName), elsewhere},
		"beside":    {filepath.Join(filepath.Dir(elsewhere), "link.yaml"), config.FileName},
	} {
		// One after the other, because both change the same file.
		if err := os.Symlink(tt.target, tt.link); err != nil {
			t.Fatal(err)
		}
		w, watcher := watch(t, tt.link)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = watcher.Run(ctx, w.changed) })
		w.reload <- nil
		if c := <-w.changes; c.err != nil {
			t.Error(c.err)
		}
		at := &harness{path: elsewhere}
		for _, rate := range []string{"0.2", "0.3"} {
			at.write(t, config.FileName, withRate(rate))
			if c := <-w.changes; c.err != nil || strconv.FormatFloat(c.cfg.Sampling.DefaultRate, 'g', -1, 64) != rate {
				t.Errorf("%s: after a change to %s: %+v", name, rate, c)
			}
		}
		cancel()
		wg.Wait()
	}
}

// TestWatcherSettles: many changes in a row are one, and files that are not part of
// the configuration do not count.
func TestWatcherSettles(t *testing.T) {
	t.Parallel()
	w, watcher := newHarness(t, map[string]string{config.FileName: withRate("0.1")})
	dir := filepath.Dir(w.path)
	synctest.Test(t, func(t *testing.T) {
		events := make(chan fsnotify.Event)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		changes := make(chan change, 100)
		wg.Go(func() {
			_ = watcher.Loop(ctx, events, nil, func(c *config.Config, err error) { changes <- change{c, err} })
		})
		defer func() { cancel(); wg.Wait() }()
		quiet := func(d time.Duration) int {
			timer := time.NewTimer(d)
			<-timer.C
			synctest.Wait()
			return len(changes)
		}

		events <- fsnotify.Event{Name: filepath.Join(dir, "evalworker.db-wal")}
		events <- fsnotify.Event{Name: w.path} // touched, not changed
		if n := quiet(time.Minute); n != 0 {
			t.Errorf("%d changes, and nothing changed", n)
		}
		for _, rate := range []string{"0.2", "broken: [", "0.3"} {
			w.write(t, config.FileName, withRate(rate))
			events <- fsnotify.Event{Name: w.path}
			if n := quiet(config.Settle / 2); n != 0 {
				t.Errorf("%d changes before they settled", n)
			}
		}
		if n := quiet(config.Settle); n != 1 {
			t.Fatalf("%d changes, want one", n)
		}
		if c := <-changes; c.err != nil || c.cfg.Sampling.DefaultRate != 0.3 {
			t.Errorf("not the last state: %+v", c)
		}
		// Kubernetes moves a link; the file's own name is not among the events.
		w.write(t, config.FileName, withRate("0.4"))
		events <- fsnotify.Event{Name: filepath.Join(dir, "..data")}
		if n := quiet(config.Settle); n != 1 {
			t.Fatalf("%d changes after a swapped folder", n)
		}
		<-changes
		// Changes that never end must not hide the one that counts.
		w.write(t, config.FileName, withRate("0.5"))
		for range 200 {
			events <- fsnotify.Event{Name: w.path}
			if quiet(config.Settle/3) > 0 {
				return
			}
		}
		t.Error("changes that never end are never looked at")
	})
}

// TestWatcherKeepsWhatNeedsARestart: the rest of the file takes effect.
func TestWatcherKeepsWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	w, watcher := newHarness(t, map[string]string{config.FileName: withRate("0.1")})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = watcher.Loop(ctx, nil, w.reload, w.changed) })
	defer func() { cancel(); wg.Wait() }()

	w.write(t, config.FileName, withRate("0.7")+"kafka: {topic: other, brokers: [b:1]}\nhealth: {pprof: true}\nstore: {url: 'sqlite:other.db'}\nredaction: {patterns: [{name: CASE, pattern: x}]}\n"+
		"datadog: {monitors: {team: search}}\n") // which no worker reads
	w.reload <- nil
	c := <-w.changes
	if c.err != nil {
		t.Fatal(c.err)
	}
	if c.cfg.Sampling.DefaultRate != 0.7 {
		t.Errorf("the new rate is not there: %g", c.cfg.Sampling.DefaultRate)
	}
	if c.cfg.Kafka.Topic != "llm.requests.completed" || c.cfg.Health.Pprof || !strings.HasSuffix(c.cfg.Store.URL, "/evalworker.db") || len(c.cfg.Redaction.Patterns) > 0 {
		t.Errorf("keys that need a restart changed: %+v", c.cfg)
	}
	want := "keys=\"[kafka.brokers kafka.topic redaction.patterns store.url health.pprof]\""
	if got := w.log.String(); !strings.Contains(got, want) {
		t.Errorf("the log does not hold %s:\n%s", want, got)
	}
}

// TestWatcherEndsDuringALoad: a load that hangs does not hold the stop.
func TestWatcherEndsDuringALoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, watcher := newHarness(t, map[string]string{config.FileName: withRate("0.1")})
		ctx, cancel := context.WithCancel(t.Context())
		reload, hangs := make(chan os.Signal), make(chan struct{})
		defer close(hangs)
		var wg sync.WaitGroup
		wg.Go(func() { _ = watcher.Loop(ctx, nil, reload, func(*config.Config, error) { <-hangs }) })
		reload <- nil
		synctest.Wait()
		cancel()
		wg.Wait()
		if !strings.Contains(w.log.String(), "still being read") {
			t.Errorf("the log does not say so:\n%s", w.log)
		}
	})
}

// TestWatcherLoadsWhenTold: also when no file changed, for a key that did.
func TestWatcherLoadsWhenTold(t *testing.T) {
	t.Parallel()
	w, watcher := newHarness(t, map[string]string{config.FileName: "models: {default: {key_file: key}}\nevaluators: [{name: a, type: secrets}]\n", "key": "old"})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = watcher.Loop(ctx, nil, w.reload, w.changed) })
	defer func() { cancel(); wg.Wait() }()
	w.write(t, "key", "new")
	w.reload <- nil
	if c := <-w.changes; c.err != nil || c.cfg.Models["default"].APIKey.Reveal() != "new" {
		t.Errorf("after a new key: %v", c.err)
	}
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.reload <- nil
	if c := <-w.changes; c.err == nil {
		t.Error("a file that is gone is no fault")
	}
}

// TestWatcherFollowsSchemaFolders: schemas may be in subfolders.
func TestWatcherFollowsSchemaFolders(t *testing.T) {
	t.Parallel()
	w, watcher := newHarness(t, map[string]string{config.FileName: "evaluators: [{name: a, type: secrets}]\n", "schemas/team/a.json": `{"type": "object"}`})
	before := watcher.Fingerprint()
	w.write(t, "schemas/team/a.json", `{"type": "array"}`)
	if watcher.Fingerprint() == before {
		t.Error("a change of a schema in a folder is not seen")
	}
	var folders []string
	err := filepath.WalkDir(filepath.Dir(w.path), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fsw, err := fsnotify.NewWatcher()
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("no file events here:", err)
	}
	defer func() { _ = fsw.Close() }()
	watcher.Follow(fsw)
	got := fsw.WatchList()
	slices.Sort(got)
	if !slices.Equal(got, folders) {
		t.Errorf("watches %q, want %q", got, folders)
	}
}

// TestChartKnowsWhatReloads: the Helm chart restarts workers for a change of any other key.
func TestChartKnowsWhatReloads(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/helm/evalworker/templates/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, omitted, _ := strings.Cut(string(text), "omit .Values.config ")
	omitted, _, _ = strings.Cut(omitted, " |")
	var want []string
	for _, f := range strictyaml.Fields(reflect.TypeFor[config.Policy]()) {
		want = append(want, strconv.Quote(f.Key))
	}
	if got := strings.Fields(omitted); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the chart leaves out %v, and a worker loads %v again", got, want)
	}
}
