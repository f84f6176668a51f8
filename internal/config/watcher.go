package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/evalworker/evalworker/internal/base/regular"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/policy"
)

// Pauses of the watcher. An editor or a deployment changes several files in a
// row, so loading after the first change would read half a configuration.
const (
	settle    = 300 * time.Millisecond // quiet time after a change
	maxSettle = 3 * time.Second        // limit while changes go on
)

// stopWait is how long the watcher waits at its end for a load in progress. A file
// system that does not answer must not hold the worker's stop.
const stopWait = 2 * time.Second

// maxWatched bounds the bytes of one file that are read to detect a change; every
// part rejects larger files.
const maxWatched = 4 << 20

// Watcher loads the configuration again when its file, a rubric, a schema or a model's
// key changes, and on a signal. It watches folders, not files, because editors replace
// files and Kubernetes replaces the folder behind a link.
type Watcher struct {
	path    string
	environ []string
	reload  <-chan os.Signal
	log     *slog.Logger

	// Run's goroutine only.
	current *Config
	print   string // fingerprint of the loaded files
	target  string // file that path links to; empty if it is not a link
}

// NewWatcher returns a watcher of the file at path; path and environment are those
// of [LoadComplete]. It loads the file once, to compare later loads with it. Every receive
// from reload (SIGHUP, in a program) loads the file even when it did not change; reload
// may be nil.
func NewWatcher(path string, environ []string, reload <-chan os.Signal, log *slog.Logger) (*Watcher, error) {
	current, err := LoadComplete(path, environ)
	if err != nil {
		return nil, err
	}
	w := &Watcher{path: path, environ: environ, reload: reload, log: log, current: current}
	// The first load finds the folders; a change during the second load is noticed
	// later.
	w.print = w.fingerprint()
	if w.current, err = LoadComplete(path, environ); err != nil {
		return nil, err
	}
	return w, nil
}

// Run calls changed with each new configuration, or with its faults, from its own
// goroutine, one at a time, until ctx ends; then it returns nil. The configurations
// differ only in their policy: other keys keep their values, and the log names
// those that need a restart. A change since [NewWatcher] is reported first.
//
// If folders cannot be watched, the log says so, and reload still works. A load that is
// in progress when ctx ends may finish for a moment; one that hangs is left behind.
func (w *Watcher) Run(ctx context.Context, changed func(*Config, error)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.log.Warn("files are not watched: send SIGHUP to load them again", slog.Any(keyError, err))
		return w.loop(ctx, sources{follow: func() {}}, changed)
	}
	defer func() { _ = watcher.Close() }()
	return w.loop(ctx, sources{watcher.Events, watcher.Errors, func() { w.follow(watcher) }}, changed)
}

// Keys of log attributes.
const (
	keyError  = "error"
	keyFolder = "folder"
	keyKeys   = "keys"
)

// sources are the channels that report changes.
type sources struct {
	events <-chan fsnotify.Event
	errs   <-chan error
	follow func() // watches the folders that the current configuration names
}

// loop runs until ctx ends, and leaves a load behind that does not end soon after.
func (w *Watcher) loop(ctx context.Context, src sources, changed func(*Config, error)) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.listen(ctx, src, func(c *Config, err error) {
			if ctx.Err() == nil { // else nobody wants it
				changed(c, err)
			}
		})
	}()
	<-ctx.Done()
	patience := time.NewTimer(stopWait)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		w.log.Warn("files of the configuration are still being read, which the stop does not wait for: look at their file system")
	}
	return nil
}

// listen loads the files after changes until ctx ends.
func (w *Watcher) listen(ctx context.Context, src sources, changed func(*Config, error)) {
	src.follow()
	// It starts as if after a change, because earlier changes were not reported.
	quiet := time.NewTimer(settle)
	defer quiet.Stop()
	began := time.Now() // start of the changes that are settling; zero: none
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.reload:
			w.load(changed)
			src.follow()
		case err := <-src.errs:
			w.log.Warn("files may have changed unseen: send SIGHUP to load them again", slog.Any(keyError, err))
		case e := <-src.events:
			if !w.relevant(e.Name) {
				continue
			}
			if began.IsZero() {
				began = time.Now()
			}
			quiet.Reset(max(0, min(settle, maxSettle-time.Since(began))))
		case <-quiet.C:
			began = time.Time{}
			src.follow() // before the fingerprint, so that later changes are seen
			if w.fingerprint() != w.print {
				w.load(changed)
				src.follow()
			}
		}
	}
}

// load loads the current files and reports the result.
func (w *Watcher) load(changed func(*Config, error)) {
	w.print = w.fingerprint() // before the load, so that a change during it is noticed
	next, err := LoadComplete(w.path, w.environ)
	if err != nil {
		changed(nil, err)
		return
	}
	if next.NeedsRestart = next.restoreFixedKeys(w.current); len(next.NeedsRestart) > 0 {
		w.log.Warn("changed keys are ignored until a restart", slog.Any(keyKeys, next.NeedsRestart))
	}
	w.current = next
	changed(next, nil)
}

// follow watches the folders of the file, of the schemas, of the rubrics, of the models'
// keys and of the file's target.
func (w *Watcher) follow(watcher *fsnotify.Watcher) {
	folders := w.folders()
	for _, key := range w.current.keyFiles() {
		folders = append(folders, filepath.Dir(key))
	}
	w.target = linkTarget(w.path, w.target)
	if w.target != "" {
		folders = append(folders, filepath.Dir(w.target))
	}
	if folders[1] != "" {
		_, below := policy.SchemaFiles(folders[1])
		for _, name := range below {
			folders = append(folders, filepath.Join(folders[1], filepath.FromSlash(name)))
		}
	}
	for _, dir := range folders {
		if dir == "" || slices.Contains(watcher.WatchList(), dir) {
			continue
		}
		if err := watcher.Add(dir); err != nil {
			w.log.Warn("folder is not watched: send SIGHUP after a change", slog.String(keyFolder, dir), slog.Any(keyError, err))
		}
	}
}

// folders returns the folders of the file, the schemas and the rubrics, with "" for
// one that does not exist.
func (w *Watcher) folders() []string {
	home := ""
	if w.path != "" {
		home = filepath.Dir(w.path)
	}
	return []string{home, w.current.SchemaDir(), w.current.RubricDir()}
}

// linkTarget returns the file that path links to; empty if it is not a link. While that
// file is being replaced and cannot be found, it returns before.
func linkTarget(path, before string) string {
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return ""
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return before
	}
	// A folder that is watched under two names reports changes only under one of
	// them.
	home := filepath.Dir(path)
	if real, err := filepath.EvalSymlinks(home); err == nil && real == filepath.Dir(target) {
		return filepath.Join(home, filepath.Base(target))
	}
	return target
}

// kubernetesLink is the link that Kubernetes replaces when the content of a mounted folder
// changes; the files in the folder are links through it.
const kubernetesLink = "..data"

// relevant reports whether a change of the named file may change the configuration.
// A database in the same folder changes all the time.
func (w *Watcher) relevant(name string) bool {
	dir, base := filepath.Dir(name), filepath.Base(name)
	if base == kubernetesLink {
		return true
	}
	folders := w.folders()
	switch ext := filepath.Ext(base); {
	case dir == folders[0] && base == filepath.Base(w.path), w.target != "" && filepath.Clean(name) == w.target:
		return true
	case folders[1] != "" && (dir == folders[1] || strings.HasPrefix(dir, folders[1]+string(filepath.Separator))):
		return ext == ".json" || ext == "" // a folder of schemas has no extension
	case dir == folders[2] && (ext == ".yaml" || ext == ".yml"), slices.Contains(w.current.keyFiles(), filepath.Clean(name)):
		return true
	}
	// A folder that was created or removed.
	for _, f := range []string{w.current.Schemas, w.current.Rubrics} {
		if f != "" && w.current.Resolve(f) == filepath.Clean(name) {
			return true
		}
	}
	return false
}

// fingerprint hashes the file and the files in the folders, so that a write without
// a change does not cause a load.
func (w *Watcher) fingerprint() string {
	h := sha256.New()
	add := func(name string) {
		data, err := regular.Read(name, maxWatched)
		// Errors are part of the hash, because creating or removing a file is a
		// change.
		_, _ = fmt.Fprintf(h, "%q %t %d\n", name, err == nil, len(data))
		_, _ = h.Write(data)
	}
	if w.path != "" {
		add(w.path)
	}
	folders := w.folders()
	if folders[1] != "" {
		files, _ := policy.SchemaFiles(folders[1])
		for _, name := range files {
			add(filepath.Join(folders[1], filepath.FromSlash(name)))
		}
	}
	if folders[2] != "" {
		entries, _ := os.ReadDir(folders[2]) // a folder that cannot be read counts as empty
		for _, e := range entries {
			if name := filepath.Join(folders[2], e.Name()); e.Name() != kubernetesLink && w.relevant(name) {
				add(name)
			}
		}
	}
	for _, key := range w.current.keyFiles() {
		add(key)
	}
	return string(h.Sum(nil))
}

// restoreFixedKeys restores everything except the policy, which alone may change while the
// worker runs, and returns the paths of the keys that it restored.
func (c *Config) restoreFixedKeys(running *Config) []string {
	kept := *running
	kept.Policy = c.Policy
	kept.Datadog.Monitors = c.Datadog.Monitors // which a worker does not read
	keys := differingKeys(reflect.ValueOf(*c), reflect.ValueOf(kept), "")
	*c = kept
	return keys
}

// differingKeys returns the paths of the keys in which two values of a type differ. A
// list of sections is one key.
func differingKeys(a, b reflect.Value, path string) []string {
	if a.Kind() != reflect.Struct || isLeaf(a.Type()) {
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return nil
		}
		return []string{path}
	}
	var keys []string
	for _, f := range strictyaml.Fields(a.Type()) {
		keys = append(keys, differingKeys(a.FieldByIndex(f.Index), b.FieldByIndex(f.Index), join(path, f.Key))...)
	}
	return keys
}
