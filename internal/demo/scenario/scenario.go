package scenario

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed data
var files embed.FS

const scenarioDir = "data/scenarios"

// Scenario is a world with the rates of its prompt versions. It does not change after
// [Load] and is safe for concurrent use.
type Scenario struct {
	Name, Description string

	world    world
	tickets  []ticket
	schema   []byte
	interval time.Duration

	versions chooser[*version]
	models   chooser[*model]
	tenants  chooser[*tenant]
}

// Names returns the scenarios that can be loaded, in alphabetical order.
func Names() []string {
	entries, _ := fs.ReadDir(files, scenarioDir) // the folder is part of the program
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

// Load returns the named scenario. The error for an unknown name lists the known
// ones.
func Load(name string) (*Scenario, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("unknown scenario %q: one of %s", name, strings.Join(Names(), ", "))
	}
	s := &Scenario{Name: name}
	var file scenarioFile
	tickets, err := readTickets()
	err = errors.Join(err, readFile(path.Join(scenarioDir, name+".json"), &file), readFile("data/world.json", &s.world))
	if err != nil {
		return nil, err
	}
	s.tickets, s.Description = tickets, file.Description
	if s.schema, err = files.ReadFile("data/" + s.world.Schema + ".json"); err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	if err := s.prepare(file); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}

// Schemas returns the JSON Schemas that events name in output_schema, by name.
func (s *Scenario) Schemas() map[string][]byte {
	return map[string][]byte{s.world.Schema: slices.Clone(s.schema)}
}

// Interval returns the mean time between two requests.
func (s *Scenario) Interval() time.Duration { return s.interval }

// Versions returns the prompt versions in the order of their release.
func (s *Scenario) Versions() []string {
	names := make([]string, len(s.versions.items))
	for i, v := range s.versions.items {
		names[i] = v.Version
	}
	return names
}

// BrokenVersions returns the prompt versions that are worse than the first one: more
// invalid JSON, or fewer good answers. Findings can be compared with this truth; it
// must not be used to find them.
func (s *Scenario) BrokenVersions() []string {
	var out []string
	first := s.versions.items[0]
	for _, v := range s.versions.items[1:] {
		if v.InvalidJSON > first.InvalidJSON || v.Answers["good"] < first.Answers["good"] {
			out = append(out, v.Version)
		}
	}
	return out
}

// prepare builds the tables to draw from.
func (s *Scenario) prepare(file scenarioFile) error {
	var err error
	if s.interval, err = time.ParseDuration(s.world.Interval); err != nil {
		return fmt.Errorf("interval: %w", err)
	}
	s.versions = choose(file.Versions, func(v *version) float64 { return v.Share })
	s.models = choose(s.world.Models, func(m *model) float64 { return m.Share })
	s.tenants = choose(s.world.Tenants, func(t *tenant) float64 { return t.Share })
	for _, v := range file.Versions {
		v.answers, v.defects = chooseKey(v.Answers), chooseKey(v.Defects)
	}
	tools := make(map[string]*tool, len(s.world.Tools))
	for _, t := range s.world.Tools {
		if t.offer, err = json.Marshal([]any{t.definition()}); err != nil {
			return fmt.Errorf("tool %s: %w", t.Name, err)
		}
		tools[t.Name] = t
	}
	for i := range s.tickets {
		s.tickets[i].tool = tools[s.tickets[i].Tool]
	}
	return nil
}
