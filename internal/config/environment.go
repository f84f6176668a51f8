package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/secret"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

// Names of environment variables. Those of Datadog's libraries (DD_...) are
// read by telemetry.
const (
	EnvConfig  = "EVALWORKER_CONFIG" // path of the file
	envTests   = "EVALWORKER_TEST_"  // begins what only tests of this project read
	envPrefix  = "EVALWORKER_"
	envKafka   = "KAFKA_" // of addresses, TLS and login, which the command emitter reads too
	envFile    = "_FILE"  // of a variable: its value stands in the file of that name
	envAPIKey  = "OPENAI_API_KEY"
	envBaseURL = "OPENAI_BASE_URL"
)

// serviceLink matches what Kubernetes puts into every pod about a service whose
// name begins with evalworker, such as EVALWORKER_PORT_8787_TCP_ADDR. These are
// no settings, and no setting has such a name.
var serviceLink = regexp.MustCompile(`^EVALWORKER_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$`)

// environment is the environment and what it decided.
type environment struct {
	vars map[string]string // without those that are empty, which count as unset
	// origin is the variable that set the value at a path.
	origin map[string]string
}

func newEnvironment(environ []string) *environment {
	e := &environment{vars: map[string]string{}, origin: map[string]string{}}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && value != "" {
			e.vars[name] = value
		}
	}
	return e
}

// variable gives the name of the variable that sets the key at path.
func variable(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// shared gives the variable by which this program and the command emitter are
// told the same: where the brokers are and how to be let in. The longer
// EVALWORKER_KAFKA_... wins.
func shared(path string) (name string, ok bool) {
	key, ok := strings.CutPrefix(path, "kafka.")
	if !ok || key != "brokers" && !strings.HasPrefix(key, "tls.") && !strings.HasPrefix(key, "sasl.") {
		return "", false
	}
	return envKafka + strings.ToUpper(strings.ReplaceAll(key, ".", "_")), true
}

// setting is a key that a variable can set.
type setting struct {
	path  string
	index []int
}

// settings gives the keys that variables can set, by variable: those that are
// one value or a list of plain values, outside of lists and maps.
func settings() map[string]setting {
	out := map[string]setting{}
	var walk func(t reflect.Type, path string, index []int)
	walk = func(t reflect.Type, path string, index []int) {
		for _, f := range strictyaml.Fields(t) {
			where, at := join(path, f.Key), slices.Concat(index, f.Index)
			switch {
			case isLeaf(f.Type):
				out[variable(where)] = setting{where, at}
			case f.Type.Kind() == reflect.Struct:
				walk(f.Type, where, at)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "", nil)
	return out
}

// apply sets what the environment says.
func (e *environment) apply(c *Config) fault.List {
	var faults fault.List
	known := settings()
	set := func(name, text string, s setting) {
		e.origin[s.path] = name
		for _, f := range strictyaml.Text(text, reflect.ValueOf(c).Elem().FieldByIndex(s.index).Addr().Interface()) {
			faults.Add(name, f.Problem, f.Expected)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		s := known[key]
		name, ok := shared(s.path)
		if text := e.vars[name]; ok && text != "" {
			set(name, text, s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.vars)) {
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, envTests) || name == EnvConfig || serviceLink.MatchString(name) {
			continue
		}
		if s, ok := known[name]; ok {
			set(name, e.vars[name], s)
			continue
		}
		base := strings.TrimSuffix(name, envFile)
		s, ok := known[base]
		if !ok || base == name {
			faults.Add(name, "unknown variable", meantVariable(name, known))
			continue
		}
		text, bad := e.fromFile(base)
		faults = append(faults, bad...)
		if len(bad) == 0 {
			set(name, text, s)
		}
	}
	return faults
}

// meantVariable says which variable was meant. What all have in common says
// nothing about that.
func meantVariable(name string, known map[string]setting) string {
	rest := []string{strings.TrimPrefix(EnvConfig, envPrefix)}
	for _, k := range slices.Sorted(maps.Keys(known)) {
		rest = append(rest, strings.TrimPrefix(k, envPrefix))
	}
	if near := fault.Nearest(strings.TrimPrefix(name, envPrefix), rest); near != "" {
		return fmt.Sprintf("did you mean %s%s?", envPrefix, near)
	}
	return "want " + envPrefix + " and the path of a key, such as " + variable("kafka.topic")
}

// variableOf gives the variable that set the value at path, with the index of an
// item of a list.
func (e *environment) variableOf(path string) (string, bool) {
	key, item, _ := strings.Cut(path, "[")
	if name, ok := e.origin[path]; ok {
		return name, true
	}
	name, ok := e.origin[key]
	return name + "[" + item, ok
}

// sets reports whether a variable set the value at path.
func (e *environment) sets(path string) bool {
	_, ok := e.origin[path]
	return ok
}

// get gives a variable, or what the file holds that its _FILE sibling names.
func (e *environment) get(name string) (string, fault.List) {
	if _, ok := e.vars[name+envFile]; ok {
		return e.fromFile(name)
	}
	return e.vars[name], nil
}

// fromFile reads the value of a variable from the file that its sibling names.
func (e *environment) fromFile(name string) (string, fault.List) {
	var faults fault.List
	if _, both := e.vars[name]; both {
		faults.Add(name+envFile, name+" is set too", "want one of the two")
		return "", faults
	}
	text, problem := oneValue(e.vars[name+envFile])
	if problem != "" {
		faults.Add(name+envFile, problem, "want a file that holds the value")
	}
	return text, faults
}

// oneValue reads a file that holds one value and perhaps a line break.
func oneValue(path string) (text, problem string) {
	value, err := secret.FromFile(path)
	if err != nil {
		return "", err.Error()
	}
	return value.Reveal(), ""
}
