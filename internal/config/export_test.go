package config

import (
	"context"
	"os"

	"github.com/fsnotify/fsnotify"
)

// IsServiceLink tells variables of Kubernetes from settings.
func IsServiceLink(name string) bool { return serviceLink.MatchString(name) }

// Settle is the quiet that has to pass after a change.
const Settle = settle

// Loop runs a watcher on events that the test supplies.
func (w *Watcher) Loop(ctx context.Context, events <-chan fsnotify.Event, reload <-chan os.Signal, changed func(*Config, error)) error {
	w.reload = reload
	return w.loop(ctx, sources{events: events, follow: func() {}}, changed)
}

// Fingerprint returns the fingerprint of the files.
func (w *Watcher) Fingerprint() string { return w.fingerprint() }

// Follow watches the folders.
func (w *Watcher) Follow(fsw *fsnotify.Watcher) { w.follow(fsw) }
