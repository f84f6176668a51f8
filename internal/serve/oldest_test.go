package serve

import (
	"testing"
	"time"
)

// TestOldest: of the connections that wait for their client, the one that has waited
// longest makes room; one that is served, held or not read yet does not.
func TestOldest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cs := newConns(nil, 8)
	want := &conn{reading: true, since: ago(3 * time.Second)}
	for _, c := range []*conn{
		want,
		{reading: true, since: ago(time.Second)},
		{reading: true, since: ago(time.Minute), serving: true},
		{reading: true, since: ago(time.Minute), held: true},
		{},
		{writing: ago(2 * time.Second)},
		{answered: true, since: ago(time.Second)},
	} {
		cs.open[c] = struct{}{}
		cs.strangers++
	}
	if got, pause := cs.oldest(now); got != want || pause > 0 {
		t.Errorf("%+v makes room after %v", got, pause)
	}
	delete(cs.open, want)
	if got, _ := cs.oldest(now); got == nil || got.writing.IsZero() {
		t.Errorf("%+v makes room; want the one that is written to", got)
	}
	cs.open = map[*conn]struct{}{{reading: true, since: ago(minWait / 2)}: {}}
	if _, pause := cs.oldest(now); pause != minWait/2 {
		t.Errorf("one that has just connected waits %v; want %v", pause, minWait/2)
	}
}
