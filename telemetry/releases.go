package telemetry

import (
	"math"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"golang.org/x/time/rate"
)

const (
	// releaseQuiet is the time after the start in which versions are only remembered: all of
	// them are new to the worker then.
	releaseQuiet = 10 * time.Minute
	// maxVersions bounds the versions and prompts that are remembered.
	maxVersions = 4096
	// releaseBurst events may come at once, and one each releaseEvery after that: an
	// application that puts an id in prompt_version releases with each request.
	releaseBurst = 10
	releaseEvery = time.Minute
)

// promptVersion is one version of a prompt in an environment, by the tags' values; empty
// for none, and for other in place of a name or version.
type promptVersion struct{ env, name, version string }

// set sets the value that belongs to a tag, if it is one of the three.
func (v *promptVersion) set(tag string, to *tagValue) {
	switch {
	case tag == tagEnv:
		v.env = to.text
	case to.n == otherNumber:
	case tag == "prompt_name":
		v.name = to.text
	case tag == "prompt_version":
		v.version = to.text
	}
}

// releases remembers the versions of prompts, to notice new ones. Only the queue's
// goroutine uses it.
type releases struct {
	started time.Time
	// seen has each version, and with an empty version each prompt, and the second in which
	// it was last looked up.
	seen    map[promptVersion]int64
	allowed *rate.Limiter
}

func newReleases() *releases {
	return &releases{started: time.Now(), seen: map[promptVersion]int64{}, allowed: rate.NewLimiter(rate.Every(releaseEvery), releaseBurst)}
}

// notice reports whether a request is the first of a version that its prompt did not have
// before: not the first version of the prompt, and none of the first minutes. It says so
// once a version. A version that is in use is looked up once an hour.
func (r *releases) notice(dims *dimTags, now int64) bool {
	v := dims.version
	if v.name == "" || v.version == "" || dims.noticed != 0 && now-dims.noticed < ageEvery {
		return false
	}
	dims.noticed = max(1, now)
	_, known := r.seen[v]
	prompt := promptVersion{env: v.env, name: v.name}
	_, hadOthers := r.seen[prompt]
	r.note(prompt, now)
	r.note(v, now)
	return !known && hadOthers && time.Since(r.started) >= releaseQuiet
}

// note remembers a version or prompt, if need be in place of the one that was not looked up
// for longest; of several, of a version rather than a prompt.
func (r *releases) note(v promptVersion, now int64) {
	if _, known := r.seen[v]; !known && len(r.seen) >= maxVersions {
		var oldest promptVersion
		least := int64(math.MaxInt64)
		for k, at := range r.seen {
			if at < least || at == least && oldest.version == "" {
				oldest, least = k, at
			}
		}
		delete(r.seen, oldest)
	}
	r.seen[v] = now
}

// release sends an event when a request is the first of a new version of its prompt. It is
// for people who look at a graph, so it goes to Datadog alone.
func (c *recorder) release(dims *dimTags) {
	if c.meter.statsd == nil || !c.releases.notice(dims, c.meter.clock.now()) {
		return
	}
	if !c.releases.allowed.Allow() {
		c.drops.add(SinkDogStatsD, "too_many_releases", 1)
		return
	}
	v := dims.version
	tags := []string{"evalworker_event:prompt_release", "prompt_name:" + v.name, "prompt_version:" + v.version}
	if v.env != "" && !c.meter.envTag {
		tags = append(tags, "env:"+v.env)
	}
	_ = c.meter.statsd.Event(&statsd.Event{
		Title:          "Prompt " + v.name + ": version " + v.version,
		Text:           "The first request with version " + v.version + " of prompt " + v.name + " has been evaluated.",
		AggregationKey: "prompt_release:" + v.env + ":" + v.name, AlertType: statsd.Info, Tags: tags,
	})
}
