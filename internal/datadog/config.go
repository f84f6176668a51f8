package datadog

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	files "github.com/evalworker/evalworker/deploy/datadog"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Config is what teams set differently in the monitors and dashboards.
type Config struct {
	Notify     []string           `yaml:"notify" doc:"Who is notified: recipients as Datadog writes them, such as '@slack-llm' or '@pagerduty'."`
	Docs       string             `yaml:"docs" doc:"Base URL of this project's docs folder, for the links to runbooks."`
	Team       string             `yaml:"team" doc:"Value of the tag team on monitors and dashboards; empty: no such tag."`
	Evaluators []string           `yaml:"evaluators" doc:"Evaluators that each get the monitors of quality; empty: those that the monitors are written for."`
	Without    []string           `yaml:"without" doc:"Names of monitors and dashboards that are left out."`
	Thresholds map[string]float64 `yaml:"thresholds" doc:"Thresholds by the name of the monitor, in place of its own, such as {provider-errors: 5}."`
	Warnings   map[string]float64 `yaml:"warnings" doc:"Warning thresholds by the name of the monitor, in place of its own."`
}

// DefaultConfig returns the defaults: nobody is notified, and each monitor has the
// threshold of its file.
func DefaultConfig() Config {
	return Config{
		Docs: "https://github.com/evalworker/evalworker/blob/main/docs", Thresholds: map[string]float64{}, Warnings: map[string]float64{},
	}
}

// tagValue matches what Datadog keeps unchanged as the value of a tag.
var tagValue = regexp.MustCompile(`^[a-z0-9_./-]{1,190}$`)

// Validate returns every fault. Paths are relative to the section.
func (c Config) Validate() fault.List {
	var fs fault.List
	for i, to := range c.Notify {
		if !strings.HasPrefix(to, "@") || strings.ContainsAny(to, " \t\r\n") {
			fs.Add(fmt.Sprintf("notify[%d]", i), fmt.Sprintf("%q is no recipient", to), "want one as Datadog writes it, such as '@slack-llm'")
		}
	}
	if u, err := url.Parse(c.Docs); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.HasSuffix(c.Docs, "/") {
		fs.Add("docs", fmt.Sprintf("%q is no base URL", c.Docs), "want one such as https://example.com/docs, without a slash at its end")
	}
	if c.Team != "" && !tagValue.MatchString(c.Team) {
		fs.Add("team", fmt.Sprintf("%q is no value of a tag", c.Team), wantTag)
	}
	monitors := Names(Monitor)
	for i, name := range c.Without {
		if all := append(Names(Dashboard), monitors...); !slices.Contains(all, name) {
			fs.Add(fmt.Sprintf("without[%d]", i), fmt.Sprintf("no monitor or dashboard is named %q", name), fault.Suggest(name, all, "there are none"))
		}
	}
	for i, name := range c.Evaluators {
		if !evaluatorName.MatchString(name) {
			fs.Add(fmt.Sprintf("evaluators[%d]", i), fmt.Sprintf("%q is no name of an evaluator", name), "want the name of one under evaluators")
		}
		if slices.Contains(c.Evaluators[:i], name) {
			fs.Add(fmt.Sprintf("evaluators[%d]", i), fmt.Sprintf("%s is there twice", name), "want each evaluator once, or its monitor would be made twice")
		}
	}
	for _, t := range []struct {
		key    string
		values map[string]float64
	}{{"thresholds", c.Thresholds}, {"warnings", c.Warnings}} {
		for _, name := range slices.Sorted(maps.Keys(t.values)) {
			if v := t.values[name]; math.IsNaN(v) || math.IsInf(v, 0) {
				fs.Add(t.key+"."+name, "is no number", "want one such as 2.5")
			}
			if !c.names(monitors, name) {
				fs.Add(t.key+"."+name, "no monitor has this name", fault.Suggest(name, monitors, "there are none"))
			}
		}
	}
	return fs
}

// CheckEnv returns what is wrong with the environment.
func (v Values) CheckEnv() fault.List {
	var fs fault.List
	switch {
	case v.Env == "":
		fs.Add("--env", "no environment is named", "want the value of the tag env that the monitors watch, such as --env prod; DD_ENV or datadog.env say it too")
	case !tagValue.MatchString(v.Env):
		fs.Add("--env", fmt.Sprintf("%q is no value of a tag", v.Env), wantTag)
	}
	return fs
}

const wantTag = "want lower-case letters, digits and _ . / -"

var evaluatorName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// names reports whether a name is that of a monitor, or of one for an evaluator.
func (c Config) names(monitors []string, name string) bool {
	if slices.Contains(monitors, name) {
		return true
	}
	return slices.ContainsFunc(c.Evaluators, func(e string) bool {
		base, ok := strings.CutSuffix(name, "-"+e)
		return ok && slices.Contains(monitors, base)
	})
}

// Kind says what an object is.
type Kind string

// The kinds of objects.
const (
	Monitor   Kind = "monitor"
	Dashboard Kind = "dashboard"
)

// Kinds returns all kinds, in the order in which they are applied.
func Kinds() []Kind { return []Kind{Monitor, Dashboard} }

// Folder returns where the files of a kind are.
func (k Kind) Folder() string { return string(k) + "s" }

// Names returns the names of the monitors or dashboards that the program carries.
func Names(kind Kind) []string { return names(files.FS, kind) }

func names(from fs.FS, kind Kind) []string {
	found, err := fs.Glob(from, kind.Folder()+"/*.json") // sorted
	if err != nil {
		panic(err) // a mistake of the program: a bad pattern
	}
	for i, name := range found {
		found[i] = strings.TrimSuffix(path.Base(name), ".json")
	}
	return found
}
