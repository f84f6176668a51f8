package datadog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	files "github.com/evalworker/evalworker/deploy/datadog"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Values fill the files in.
type Values struct {
	Config
	Env string // value of the tag env
	// Known are the evaluators of the configuration, which decide which monitors of
	// quality make sense when Config.Evaluators is empty.
	Known []string
	// Only leaves out the other kind; empty: both.
	Only Kind
}

// Object is a monitor or dashboard, ready to be sent.
type Object struct {
	Kind Kind
	Name string // the value of its evalworker_id
	Body map[string]any
}

// Title returns what people call the object.
func (o Object) Title() string {
	for _, key := range []string{"name", "title"} {
		if s, ok := o.Body[key].(string); ok {
			return s
		}
	}
	return o.Name
}

// JSON returns the object as the API takes it: keys sorted, indented, and with < > & as
// they are.
func (o Object) JSON() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(o.Body); err != nil {
		panic(err) // decoded JSON can be encoded
	}
	return b.Bytes()
}

// Omission is a file that was left out, and why.
type Omission struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Render fills in the files that the program carries. Faults of thresholds that need the
// file to be seen are of type fault.List; their paths are relative to the section.
func Render(v Values) ([]Object, []Omission, error) { return render(files.FS, v) }

func render(from fs.FS, v Values) (objects []Object, omitted []Omission, err error) {
	var faults fault.List
	for _, kind := range Kinds() {
		if v.Only != "" && v.Only != kind {
			continue
		}
		for _, name := range names(from, kind) {
			if slices.Contains(v.Without, name) {
				omitted = append(omitted, Omission{kind, name, "the configuration or --without leaves it out"})
				continue
			}
			data, err := fs.ReadFile(from, kind.Folder()+"/"+name+".json")
			if err != nil {
				return nil, nil, err
			}
			body, err := fill(data, v)
			if err != nil {
				return nil, nil, fmt.Errorf("%s/%s.json: %w", kind.Folder(), name, err)
			}
			if kind == Dashboard {
				objects = append(objects, Object{kind, name, body})
				continue
			}
			// Two environments have monitors of the same kind, and a page should say which.
			body["name"] = fmt.Sprintf("%s (%s)", text(body["name"]), v.Env)
			made, why := v.perEvaluator(name, body)
			if why != "" {
				omitted = append(omitted, Omission{kind, name, why})
			}
			for _, o := range made {
				faults = append(faults, v.setThresholds(name, o)...)
			}
			objects = append(objects, made...)
		}
	}
	return objects, omitted, faults.Err()
}

// placeholder matches what fill replaces, and what it would have to.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}`)

// fill decodes a file and replaces its placeholders. A tag that is left without a value
// is dropped.
func fill(data []byte, v Values) (map[string]any, error) {
	values := map[string]string{
		"${env}": v.Env, "${notify}": strings.Join(v.Notify, " "), "${docs}": v.Docs, "${team}": v.Team,
	}
	body, err := decode(data)
	if err != nil {
		return nil, err
	}
	unknown := ""
	texts(body, func(s string) string {
		return placeholder.ReplaceAllStringFunc(s, func(p string) string {
			value, ok := values[p]
			if !ok {
				unknown = p
			}
			return value
		})
	})
	if unknown != "" {
		return nil, fmt.Errorf("unknown placeholder %s", unknown)
	}
	if tags, ok := body["tags"].([]any); ok {
		body["tags"] = slices.DeleteFunc(tags, func(t any) bool { return t == "team:" })
	}
	return body, nil
}

// decode reads a JSON object, with its numbers as they are written.
func decode(data []byte) (map[string]any, error) {
	var body map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil {
		return nil, err
	}
	return body, nil
}

// texts replaces every string of a value in place, and returns the value.
func texts(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		for i := range v {
			v[i] = texts(v[i], change)
		}
	case map[string]any:
		for k := range v {
			v[k] = texts(v[k], change)
		}
	}
	return v
}

// evaluatorIn matches an evaluator in a query: the tag, or the metric of its scores.
var evaluatorIn = regexp.MustCompile(`\b(?:eval:|llm\.eval\.)([a-z0-9_]+)`)

// Evaluator returns the one evaluator that the query of a monitor names; empty for none
// and for several. What people say is none that a configuration could have.
func Evaluator(query string) string {
	name := ""
	for _, m := range evaluatorIn.FindAllStringSubmatch(query, -1) {
		found := m[1]
		switch {
		case found == "count" || found == "weighted" || found == eval.FeedbackEvaluator:
		case name != "" && name != found:
			return ""
		default:
			name = found
		}
	}
	return name
}

// Absent returns the evaluators that queries of a dashboard name and that are not among
// the known, in order. Graphs of those stay empty.
func (o Object) Absent(known []string) (absent []string) {
	texts(clone(o.Body), func(s string) string {
		if e := Evaluator(s); e != "" && strings.Contains(s, "{") && !slices.Contains(known, e) && !slices.Contains(absent, e) {
			absent = append(absent, e)
		}
		return s
	})
	slices.Sort(absent)
	return absent
}

// namePrefix begins the name of every monitor.
const namePrefix = "[evalworker] "

// perEvaluator returns a monitor once for each evaluator that it should watch, or itself
// when its query names none. The name stays for the evaluator of the file; others are
// appended to it.
func (v Values) perEvaluator(name string, body map[string]any) (made []Object, why string) {
	own := Evaluator(text(body["query"]))
	wanted := v.Evaluators
	switch {
	case own == "":
		return []Object{{Monitor, name, body}}, ""
	case len(wanted) > 0:
	case slices.Contains(v.Known, own):
		wanted = []string{own}
	default:
		return nil, fmt.Sprintf("the configuration has no evaluator %s; datadog.monitors.evaluators or --evaluator says which ones it should watch", own)
	}
	for _, e := range wanted {
		id, title := name, ""
		if e != own {
			id, title = name+"-"+e, e+": "
		}
		o := Object{Monitor, id, renamed(body, own, e, name, id)}
		// The name of the file's evaluator need not stand in the monitor's name.
		o.Body["name"] = strings.Replace(text(o.Body["name"]), namePrefix, namePrefix+title, 1)
		made = append(made, o)
	}
	return made, ""
}

// renamed returns a copy of a monitor that watches another evaluator. Links to runbooks
// and names of monitors keep the word.
func renamed(body map[string]any, own, e, name, id string) map[string]any {
	word := regexp.MustCompile(`(^|[^\w/-])` + regexp.QuoteMeta(own) + `($|[^\w-])`)
	change := func(s string) string {
		if s == tagID+name {
			return tagID + id
		}
		return word.ReplaceAllString(s, "${1}"+e+"${2}")
	}
	out := clone(body).(map[string]any)
	for _, key := range []string{"name", "query", "message", "tags"} {
		if value, ok := out[key]; ok {
			out[key] = texts(value, change)
		}
	}
	return out
}

func clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = clone(v[k])
		}
		return out
	}
	return v
}

// comparison matches the end of a monitor's query: the operator and the threshold.
var comparison = regexp.MustCompile(`([<>]=?\s*)(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*$`)

// setThresholds puts the thresholds of the configuration into a monitor, in its query and
// in its options. The number of the evaluator's own monitor comes first. Thresholds of
// recovery go: they belong to the number that was replaced, and without them a monitor
// recovers at its threshold.
func (v Values) setThresholds(file string, o Object) fault.List {
	var faults fault.List
	options, _ := o.Body["options"].(map[string]any)
	limits, _ := options["thresholds"].(map[string]any)
	query := text(o.Body["query"])
	end := comparison.FindStringSubmatch(query)
	critical, key, set := lookUp(v.Thresholds, o.Name, file)
	warning, warnKey, warned := lookUp(v.Warnings, o.Name, file)
	switch {
	case !set && !warned:
		return nil
	case limits == nil || end == nil:
		faults.Add("thresholds."+key+warnKey, "this monitor has no threshold that can be set", "leave it out")
		return faults
	}
	own := limits["critical"]
	for _, given := range []struct {
		ok    bool
		path  string
		value float64
	}{{set, "thresholds." + key, critical}, {warned, "warnings." + warnKey, warning}} {
		// A drop of 8 points is -8: 8 would alert always.
		if sign, _ := numberOf(own); given.ok && sign*given.value < 0 {
			faults.Add(given.path, fmt.Sprintf("%v is on the other side of 0 than this monitor's own threshold %v, so it would alert always or never", given.value, own),
				fmt.Sprintf("want a number such as %v", -given.value))
		}
	}
	if len(faults) > 0 {
		return faults
	}
	if set {
		number := strconv.FormatFloat(critical, 'f', -1, 64)
		o.Body["query"] = comparison.ReplaceAllString(query, "${1}"+number)
		limits["critical"] = json.Number(number)
		delete(limits, "critical_recovery")
	}
	if warned {
		limits["warning"] = json.Number(strconv.FormatFloat(warning, 'f', -1, 64))
		delete(limits, "warning_recovery")
	}
	most, hasMost := numberOf(limits["critical"])
	least, hasWarning := numberOf(limits["warning"])
	above := strings.HasPrefix(end[1], ">")
	if hasMost && hasWarning && (above && least >= most || !above && least <= most) {
		side := "above"
		if !above {
			side = "below"
		}
		path, other := "thresholds."+key, "datadog.monitors.warnings or --warning "+file
		if !set {
			path, other = "warnings."+warnKey, "datadog.monitors.thresholds or --threshold "+file
		}
		faults.Add(path, fmt.Sprintf("the monitor would warn at %v, which is not reached before its threshold %v", limits["warning"], limits["critical"]),
			fmt.Sprintf("want a threshold %s the warning, or set the other one too: %s", side, other))
	}
	return faults
}

// lookUp returns the number under the first of two names that has one.
func lookUp(numbers map[string]float64, name, file string) (value float64, key string, ok bool) {
	for _, key := range []string{name, file} {
		if value, ok := numbers[key]; ok {
			return value, key, true
		}
	}
	return 0, "", false
}

func numberOf(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
