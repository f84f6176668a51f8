package config_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/internal/config"
)

// mount puts files into a folder as Kubernetes does: the names at the top are links
// through ..data, which is moved from one revision to the next.
func mount(t *testing.T, dir, revision string, files map[string]string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		path := filepath.Join(dir, revision, filepath.FromSlash(name))
		must(os.MkdirAll(filepath.Dir(path), 0o755))
		must(os.WriteFile(path, []byte(content), 0o600))
	}
	must(os.Symlink(revision, filepath.Join(dir, "..data_tmp")))
	must(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	entries, err := os.ReadDir(filepath.Join(dir, revision))
	must(err)
	for _, e := range entries {
		if err := os.Symlink(filepath.Join("..data", e.Name()), filepath.Join(dir, e.Name())); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

// TestMountedSchemas: the folder of schemas is a link, and another revision of it
// is a change, also when the file stays the same.
func TestMountedSchemas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		config.FileName:      "evaluators: [{name: a, type: json_schema, schema: reply}]\n",
		"schemas/reply.json": `{"type": "object"}`,
	}
	mount(t, dir, "..1", files)
	w, watcher := watch(t, filepath.Join(dir, config.FileName))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = watcher.Run(ctx, w.changed) })
	defer func() { cancel(); wg.Wait() }()
	w.reload <- nil
	if c := <-w.changes; c.err != nil {
		t.Fatal(c.err)
	}
	files["schemas/reply.json"] = `{"type": "array"}`
	mount(t, dir, "..2", files)
	if c := <-w.changes; c.err != nil {
		t.Error(c.err)
	}
}

// TestRotatedKey: a new key in a model's file is a new configuration, whether the file is
// replaced or the secret that Kubernetes mounts is.
func TestRotatedKey(t *testing.T) {
	t.Parallel()
	for _, mounted := range []bool{false, true} {
		home, secrets := t.TempDir(), t.TempDir()
		path, key := filepath.Join(home, config.FileName), filepath.Join(secrets, "key")
		put := func(revision, value string) {
			t.Helper()
			if mounted {
				mount(t, secrets, revision, map[string]string{"key": value})
			} else if err := os.WriteFile(key, []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("..1", "first")
		text := "models: {default: {key_file: " + key + "}}\nevaluators: [{name: a, type: refusal}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w, watcher := watch(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = watcher.Run(ctx, w.changed) })
		w.reload <- nil // so that its folders are watched
		<-w.changes
		put("..2", "second")
		if c := <-w.changes; c.err != nil || c.cfg.Models["default"].APIKey.Reveal() != "second" {
			t.Errorf("mounted %v: %v, not the new key", mounted, c.err)
		}
		cancel()
		wg.Wait()
	}
}
