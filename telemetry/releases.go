package telemetry

import (
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"golang.org/x/time/rate"
)

const (
	// releaseQuiet is the time after the start in which versions are only remembered: all of
	// them are new to the worker then.
	releaseQuiet = 10 * time.Minute
	// maxVersions bounds the versions that are remembered. When there are as many, further
	// ones are no releases.
	maxVersions = 4096
	// releaseBurst events may come at once, and one each releaseEvery after that: an
	// application that puts an id in prompt_version releases with each request.
	releaseBurst = 10
	releaseEvery = time.Minute
)

// promptVersion is one version of a prompt in an environment, by the numbers of the tags'
// values; 0 stands for none, and otherNumber for one of many.
type promptVersion struct{ env, name, version int32 }

// set sets the number that belongs to a tag, if it is one of the three.
func (v *promptVersion) set(tag string, n int32) {
	switch tag {
	case "env":
		v.env = n
	case "prompt_name":
		v.name = n
	case "prompt_version":
		v.version = n
	}
}

// releases remembers the versions of prompts, to notice new ones. Only the queue's
// goroutine uses it.
type releases struct {
	started time.Time
	// seen has each version, and with version 0 each prompt.
	seen    map[promptVersion]struct{}
	allowed *rate.Limiter
}

func newReleases() *releases {
	return &releases{started: time.Now(), seen: map[promptVersion]struct{}{}, allowed: rate.NewLimiter(rate.Every(releaseEvery), releaseBurst)}
}

// notice reports whether a request is the first of a version that its prompt did not have
// before: not the first version of the prompt, and none of the first minutes. It says so
// once a version.
func (r *releases) notice(v promptVersion) bool {
	if v.name <= otherNumber || v.version <= otherNumber {
		return false
	}
	if _, known := r.seen[v]; known || len(r.seen) >= maxVersions {
		return false
	}
	prompt := promptVersion{env: v.env, name: v.name}
	_, hadOthers := r.seen[prompt]
	r.seen[prompt], r.seen[v] = struct{}{}, struct{}{}
	return hadOthers && time.Since(r.started) >= releaseQuiet
}

// release sends an event when a request is the first of a new version of its prompt. It is
// for people who look at a graph, so it goes to Datadog alone.
func (c *recorder) release(dims *dimTags) {
	if c.meter.statsd == nil || !c.releases.notice(dims.version) {
		return
	}
	if !c.releases.allowed.Allow() {
		c.drops.add(SinkDogStatsD, "too_many_releases", 1)
		return
	}
	v := dims.version
	value := func(key string, n int32) string { return c.meter.tagSets[key].numbered(n) }
	name, version := value("prompt_name", v.name), value("prompt_version", v.version)
	tags := []string{"evalworker_event:prompt_release", "prompt_name:" + name, "prompt_version:" + version}
	env := value("env", v.env)
	if env != "" && !c.meter.envTag {
		tags = append(tags, "env:"+env)
	}
	_ = c.meter.statsd.Event(&statsd.Event{
		Title:          "Prompt " + name + ": version " + version,
		Text:           "The first request with version " + version + " of prompt " + name + " has been evaluated.",
		AggregationKey: "prompt_release:" + env + ":" + name, AlertType: statsd.Info, Tags: tags,
	})
}
