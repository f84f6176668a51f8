package lint

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// notRunbooks are files among the runbooks that belong to no monitor of this folder. The
// alerts of slo-burn are made by Terraform, because their queries need ids.
var notRunbooks = []string{"README", "slo-burn"}

// Files checks monitors/NAME.json and dashboards/NAME.json of a folder, with each other
// and with the runbooks, a folder of NAME.md. It returns every fault that it finds.
func Files(folder, runbooks fs.FS) (faults fault.List) {
	t := newTable()
	monitors := map[string]*monitor{}
	names, some := each(folder, "monitors", func(name string, b []byte) (found fault.List) {
		monitors[name], found = t.monitor(name, b)
		return found
	})
	faults = append(faults, some...)
	dashboards := map[string]*dashboard{}
	boards, some := each(folder, "dashboards", func(name string, b []byte) (found fault.List) {
		dashboards[name], found = t.dashboard(name, b)
		return found
	})
	faults = append(faults, some...)

	titles := map[string]string{}
	unique := func(file, key, title string) {
		if other, ok := titles[title]; ok {
			faults = append(faults, fault.Fault{File: file, Path: key, Problem: fmt.Sprintf("%s has the same: %q", other, title), Expected: "people tell them apart by it"})
		}
		titles[title] = file
	}
	for _, name := range names {
		if m := monitors[name]; m != nil {
			unique("monitors/"+name+".json", "name", m.Name)
		}
	}
	for _, name := range boards {
		d := dashboards[name]
		if d == nil {
			continue
		}
		file := "dashboards/" + name + ".json"
		unique(file, "title", d.Title)
		faults = append(faults, inFile(file, limits("widgets", d.Widgets, monitors))...)
	}
	faults = append(faults, pairs(folder, names, runbooks)...)
	faults = append(faults, inTexts(runbooks, "*.md", "runbooks/", t.quoted)...)
	return append(faults, inTexts(folder, "terraform/*.tf", "", t.objectives)...)
}

// each calls check with every NAME.json of a folder, and returns their names.
func each(folder fs.FS, kind string, check func(name string, b []byte) fault.List) (names []string, faults fault.List) {
	files, err := fs.Glob(folder, kind+"/*.json")
	if err != nil || len(files) == 0 {
		faults.Add("", "there is no file "+kind+"/NAME.json", "")
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".json")
		names = append(names, name)
		b, err := fs.ReadFile(folder, file)
		if err != nil {
			faults = append(faults, fault.Fault{File: file, Problem: err.Error()})
			continue
		}
		faults = append(faults, inFile(file, check(name, b))...)
	}
	return names, faults
}

func inFile(file string, faults fault.List) fault.List {
	for i := range faults {
		faults[i].File = file
	}
	return faults
}

// pairs checks that each monitor has a runbook, and each runbook a monitor, of which some
// exist in Terraform only.
func pairs(folder fs.FS, monitors []string, runbooks fs.FS) (faults fault.List) {
	files, err := fs.Glob(runbooks, "*.md")
	if err != nil {
		faults.Add("", err.Error(), "")
	}
	for _, name := range monitors {
		if !slices.Contains(files, name+".md") {
			faults = append(faults, fault.Fault{File: "monitors/" + name + ".json", Problem: "there is no runbook " + name + ".md", Expected: "write docs/runbooks/" + name + ".md"})
		}
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".md")
		if !slices.Contains(monitors, name) && !slices.Contains(notRunbooks, name) && !inTerraform(folder, file) {
			faults = append(faults, fault.Fault{File: "runbooks/" + file, Problem: "there is no monitor " + name, Expected: "write monitors/" + name + ".json, or take the runbook away"})
		}
	}
	return faults
}

// inTexts checks each file of a folder that matches a pattern.
func inTexts(folder fs.FS, pattern, prefix string, check func(string) fault.List) (faults fault.List) {
	files, err := fs.Glob(folder, pattern)
	if err != nil {
		faults.Add("", err.Error(), "")
	}
	for _, file := range files {
		b, err := fs.ReadFile(folder, file)
		if err != nil {
			faults = append(faults, fault.Fault{File: prefix + file, Problem: err.Error()})
			continue
		}
		faults = append(faults, inFile(prefix+file, check(string(b)))...)
	}
	return faults
}

// counted matches the queries of a service level objective in Terraform.
var counted = regexp.MustCompile(`(?m)^\s*(numerator|denominator)\s*=\s*"(.*)"$`)

// objectives checks the queries of objectives.
func (t table) objectives(text string) (faults fault.List) {
	for _, match := range counted.FindAllStringSubmatch(text, -1) {
		e, err := parseExpression(match[2])
		if err != nil {
			faults.Add(match[1], err.Error(), "in "+match[2])
			continue
		}
		faults.Under(match[1], t.expression(e, nil))
	}
	return faults
}

// inTerraform reports whether something in the folder terraform links a runbook.
func inTerraform(folder fs.FS, runbook string) bool {
	files, err := fs.Glob(folder, "terraform/*.tf")
	return err == nil && slices.ContainsFunc(files, func(file string) bool {
		b, err := fs.ReadFile(folder, file)
		return err == nil && strings.Contains(string(b), "/runbooks/"+runbook)
	})
}

// limit matches the number of a marker, such as y = 3.
var limit = regexp.MustCompile(`^y\s*[<>]?=?\s*(-?[0-9.]+)$`)

// limits checks that what a dashboard shows as too much is what a monitor alerts on: a
// number that turns red, and a line whose label says that it is a monitor's. The monitors
// of a widget are those of the same metrics and evaluators. Red above 0 needs no monitor:
// it is for what should not be there at all.
func limits(at string, all []widget, monitors map[string]*monitor) (faults fault.List) {
	for i, w := range all {
		path := fmt.Sprintf("%s[%d].definition", at, i)
		d := w.Definition
		var shown []string // by all formulas of the widget
		for j, r := range d.Requests {
			subjects := r.subjects()
			shown = append(shown, subjects...)
			for k, f := range r.Formulas {
				faults.Under(fmt.Sprintf("%s.requests[%d].formulas[%d]", path, j, k), red(f.Formats, subjects[k:k+1], monitors))
			}
			faults.Under(fmt.Sprintf("%s.requests[%d]", path, j), red(r.Formats, subjects, monitors))
		}
		for j, m := range d.Markers {
			number := limit.FindStringSubmatch(m.Value)
			if number != nil && strings.HasPrefix(m.Label, "monitor") {
				value, _ := strconv.ParseFloat(number[1], 64)
				faults.Under(fmt.Sprintf("%s.markers[%d]", path, j), agrees(value, shown, monitors, true))
			}
		}
		faults = append(faults, limits(path+".widgets", d.Widgets, monitors)...)
	}
	return faults
}

// red checks the numbers from which something is shown in red.
func red(formats []format, shown []string, monitors map[string]*monitor) (faults fault.List) {
	for i, f := range formats {
		if f.Value == 0 {
			continue
		}
		if strings.HasSuffix(f.Palette, "on_red") || strings.HasSuffix(f.Palette, "on_light_red") {
			faults.Under(fmt.Sprintf("conditional_formats[%d].value", i), agrees(f.Value, shown, monitors, false))
		}
	}
	return faults
}

// agrees checks a number against the monitors of some subjects, but for those that compare
// with the past: a board may show the same as a share, a ratio or a difference. named says
// that the number is said to be a monitor's.
func agrees(value float64, shown []string, monitors map[string]*monitor, named bool) (faults fault.List) {
	var found []string
	for name, m := range monitors {
		if m == nil || m.query.change != "" || shifts(m.query.value) || !slices.Contains(shown, subject(m.query.value)) {
			continue
		}
		for _, key := range []string{"critical", "warning"} {
			n, err := m.Options.Thresholds[key].Float64()
			if err == nil && n == value {
				return nil
			}
			if err == nil {
				found = append(found, fmt.Sprintf("%s %g of %s", key, n, name))
			}
		}
	}
	slices.Sort(found)
	switch {
	case len(found) > 0:
		faults.Add("", fmt.Sprintf("%g is none of the monitor's thresholds", value), "want "+strings.Join(found, " or "))
	case named:
		faults.Add("", "no monitor watches what the widget shows: "+strings.Join(shown, " and "), "take the marker away, or label it otherwise")
	}
	return faults
}

// shifts reports whether an expression looks at the past.
func shifts(e expression) bool {
	switch e := e.(type) {
	case *function:
		return strings.HasSuffix(e.name, "shift") || strings.HasSuffix(e.name, "_before") || slices.ContainsFunc(e.args, shifts)
	case *operation:
		return shifts(e.left) || shifts(e.right)
	}
	return false
}

// subjects returns what each formula of a request is about.
func (r request) subjects() []string {
	byName := map[string]*source{}
	for i := range r.Queries {
		byName[r.Queries[i].Name] = &r.Queries[i]
	}
	all := make([]string, len(r.Formulas))
	for i, f := range r.Formulas {
		if e, err := parseExpression(f.Formula); err == nil {
			all[i] = subject(inserted(e, byName))
		}
	}
	return all
}

// subject returns what an expression is about: its metrics, with the evaluators and
// outcomes that they are limited to.
func subject(e expression) string {
	var parts []string
	for _, m := range metricsOf(e) {
		part := m.name
		if m.aggregation != "sum" {
			part = m.aggregation + ":" + part
		}
		for _, f := range m.filters {
			if f.key == "eval" || f.key == "outcome" || f.key == "completed" || f.key == "sink" {
				part += "," + f.key + ":" + strings.Join(f.values, "|")
			}
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), " ")
}
