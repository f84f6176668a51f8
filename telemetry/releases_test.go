package telemetry

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// released is one request with a version of a prompt.
func released(name, version string) *eval.Report {
	return &eval.Report{Event: &event.Event{Kind: event.KindRequestCompleted, PromptName: name, PromptVersion: version, Environment: "prod"}}
}

// TestRelease: a version that a prompt did not have before is an event, once, with the tags
// by which dashboards find it.
func TestRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec, out, _ := newTestRecorder(target{}, 100)
		rec.report(released("returns", "6"))
		rec.report(released("returns", "7")) // in the first minutes all versions are new to the worker
		<-time.After(releaseQuiet)
		rec.report(released("returns", "7"))
		rec.report(released("greeting", "1")) // the first version of its prompt
		rec.report(released("returns", ""))
		rec.report(released("", "8"))
		feedback := released("returns", "5") // on a request of long ago
		feedback.Event.Kind = event.KindUserFeedback
		rec.report(feedback)
		if len(out.events) != 0 {
			t.Fatalf("events: %+v", out.events[0])
		}
		for range 3 {
			rec.report(released("returns", "8"))
			rec.report(released("greeting", "Candidate 2"))
			rec.report(released("returns", "6"))
		}
		if len(out.events) != 2 {
			t.Fatalf("%d events, want one for each of two new versions", len(out.events))
		}
		want := []string{"evalworker_event:prompt_release", "prompt_name:returns", "prompt_version:8", "env:prod"}
		if e := out.events[0]; !slices.Equal(e.Tags, want) || e.Title != "Prompt returns: version 8" || e.Text == "" {
			t.Errorf("event %+v, want the tags %q", e, want)
		}
		if e := out.events[1]; !slices.Contains(e.Tags, "prompt_version:candidate_2") {
			t.Errorf("tags %q: the version is not the metrics' one", e.Tags)
		}
	})
}

// TestReleasesAreBounded: an application that writes an id in place of the version causes a
// few events, and what is remembered stays bounded.
func TestReleasesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec, out, d := newTestRecorder(target{}, 2*maxVersions)
		rec.report(released("returns", "1"))
		<-time.After(releaseQuiet)
		for i := range 2 * maxVersions {
			rec.report(released("returns", fmt.Sprint("id-", i)))
		}
		if len(out.events) != releaseBurst || len(rec.releases.seen) > maxVersions+1 {
			t.Errorf("%d events, %d versions remembered", len(out.events), len(rec.releases.seen))
		}
		if drops := d.snapshot(); len(drops) != 1 || drops[0].Reason != "too_many_releases" {
			t.Errorf("drops: %+v", drops)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		rec, out, _ := newTestRecorder(target{}, 5)
		<-time.After(releaseQuiet)
		for i := range 50 {
			rec.report(released("returns", fmt.Sprint(i)))
		}
		for _, e := range out.events {
			if slices.Contains(e.Tags, "prompt_version:other") {
				t.Errorf("tags %q: other is no version", e.Tags)
			}
		}
		if len(out.events) != 4 {
			t.Errorf("%d events, want one for each version with a name, except the first", len(out.events))
		}
	})
}

// TestReleaseNeedsDatadog: Prometheus has no events.
func TestReleaseNeedsDatadog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec, out, _ := newTestRecorder(target{env: "prod", envTag: true}, 10)
		client := rec.meter.statsd
		rec.report(released("returns", "1"))
		<-time.After(releaseQuiet)
		rec.report(released("returns", "2"))
		if len(out.events) != 1 || slices.ContainsFunc(out.events[0].Tags, func(tag string) bool { return tag == "env:prod" }) {
			t.Errorf("events %+v: the client adds DD_ENV by itself", out.events)
		}
		rec.meter.statsd = nil
		rec.report(released("returns", "3"))
		rec.meter.statsd = client
		if len(out.events) != 1 {
			t.Error("an event without a client")
		}
	})
}

// TestReleaseOnTheWire: the event as DogStatsD reads it, with who sent it.
func TestReleaseOnTheWire(t *testing.T) {
	for _, name := range []string{"DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_TAGS", "DD_ENTITY_ID"} {
		t.Setenv(name, "")
	}
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client, err := statsd.New(conn.LocalAddr().String(), statsdOptions(target{service: "evalworker", version: "1.2"}, &drops{})...)
	if err != nil {
		t.Fatal(err)
	}
	rec, _, _ := newTestRecorder(target{}, 10)
	rec.meter.statsd = client
	rec.releases.started = time.Now().Add(-releaseQuiet)
	rec.report(released("returns", "1"))
	rec.report(released("returns", "2"))
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("no event: %v", err)
		}
		for line := range strings.Lines(string(buf[:n])) {
			if !strings.HasPrefix(line, "_e{") {
				continue
			}
			if !strings.HasPrefix(line, "_e{25,") || !strings.Contains(line, "}:Prompt returns: version 2|") {
				t.Errorf("event %q", line)
			}
			_, list, _ := strings.Cut(line, "|#")
			list, _, _ = strings.Cut(list, "|")
			tags := strings.Split(strings.TrimSpace(list), ",")
			for _, want := range []string{"service:evalworker", "version:1.2", "evalworker_event:prompt_release", "prompt_name:returns", "prompt_version:2", "env:prod"} {
				if !slices.Contains(tags, want) {
					t.Errorf("tags %q lack %s", tags, want)
				}
			}
			return
		}
	}
}
