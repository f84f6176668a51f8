package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

// Names of environment variables. Telemetry itself reads the variables of Datadog's
// libraries (DD_...).
const (
	EnvConfig  = "EVALWORKER_CONFIG" // path of the file
	envTests   = "EVALWORKER_TEST_"  // prefix of variables that only this project's tests read
	envURL     = "EVALWORKER_URL"    // address of a sidecar, which the clients of applications read
	envToken   = "EVALWORKER_TOKEN"  // its token
	envPrefix  = "EVALWORKER_"
	envKafka   = "KAFKA_" // prefix of addresses, TLS and login, which the command emitter reads too
	envFile    = "_FILE"  // suffix of a variable that names a file with the value
	envAPIKey  = "OPENAI_API_KEY"
	envBaseURL = "OPENAI_BASE_URL"
)

// serviceLink matches the variables that Kubernetes sets in every pod for a service
// whose name begins with evalworker, such as EVALWORKER_PORT_8787_TCP_ADDR. No
// setting has such a name.
var serviceLink = regexp.MustCompile(`^EVALWORKER_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$`)

// environment holds the environment variables and the keys that they have set.
type environment struct {
	vars   map[string]string // without empty ones, which count as unset
	origin map[string]string // by path: the variable that set the value
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

// variable returns the name of the variable for the key at path.
func variable(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// sharedVariable returns the variable for the key at path that this program shares with the
// command emitter: both need addresses, TLS and login of the brokers. The longer
// EVALWORKER_KAFKA_... takes precedence.
func sharedVariable(path string) (name string, ok bool) {
	key, ok := strings.CutPrefix(path, "kafka.")
	if !ok || key != "brokers" && !strings.HasPrefix(key, "tls.") && !strings.HasPrefix(key, "sasl.") {
		return "", false
	}
	return envKafka + strings.ToUpper(strings.ReplaceAll(key, ".", "_")), true
}

// apply sets the keys that the environment holds.
func (e *environment) apply(c *Config) fault.List {
	var faults fault.List
	known := map[string]Key{}
	for _, k := range Keys() {
		if k.Env != "" {
			known[k.Env] = k
		}
	}
	set := func(name, text string, k Key) {
		e.origin[k.Path] = name
		for _, f := range strictyaml.Text(text, reflect.ValueOf(c).Elem().FieldByIndex(k.index).Addr().Interface()) {
			faults.Add(name, f.Problem, f.Expected)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		name, ok := sharedVariable(known[key].Path)
		if text := e.vars[name]; ok && text != "" {
			set(name, text, known[key])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.vars)) {
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, envTests) || serviceLink.MatchString(name) {
			continue
		}
		switch name {
		case EnvConfig, envURL, envToken: // no keys
			continue
		}
		if k, ok := known[name]; ok {
			set(name, e.vars[name], k)
			continue
		}
		base := strings.TrimSuffix(name, envFile)
		k, ok := known[base]
		if !ok || base == name {
			faults.Add(name, "unknown variable", suggestVariable(name, known))
			continue
		}
		text, bad := e.fromFile(base)
		faults = append(faults, bad...)
		if len(bad) == 0 {
			set(name, text, k)
		}
	}
	return faults
}

// suggestVariable returns the variable that was probably meant. It compares without
// the common prefix, which makes all of them look alike.
func suggestVariable(name string, known map[string]Key) string {
	rest := []string{strings.TrimPrefix(EnvConfig, envPrefix)}
	for _, k := range slices.Sorted(maps.Keys(known)) {
		rest = append(rest, strings.TrimPrefix(k, envPrefix))
	}
	if near := fault.Nearest(strings.TrimPrefix(name, envPrefix), rest); near != "" {
		return fmt.Sprintf("did you mean %s%s?", envPrefix, near)
	}
	return "want " + envPrefix + " and the path of a key, such as " + variable("kafka.topic")
}

// variableOf returns the variable that set the value at path, with the index of a
// list item.
func (e *environment) variableOf(path string) (string, bool) {
	key, item, _ := strings.Cut(path, "[")
	if name, ok := e.origin[path]; ok {
		return name, true
	}
	name, ok := e.origin[key]
	return name + "[" + item, ok
}

func (e *environment) sets(path string) bool {
	_, ok := e.origin[path]
	return ok
}

// get returns a variable, or the content of the file that its _FILE sibling names.
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
	value, err := secret.FromFile(e.vars[name+envFile])
	if err != nil {
		faults.Add(name+envFile, err.Error(), "want a file that holds the value")
	}
	return value.Reveal(), faults
}
