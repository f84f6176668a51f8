package evalworker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/evalworker/evalworker"

// layers is the architecture: which packages of ours a package may import. A
// package that is not listed may not exist, so that a new one is a decision.
// "eval" and the leaves below it know nobody; parts never know each other.
var layers = map[string][]string{
	// The vocabulary and the leaves.
	"eval":                {},
	"internal/secret":     {},
	"redact":  {"eval"},
	"internal/config/strictyaml": {"eval", "internal/secret"},
	"kafka/conn":  {"eval", "internal/secret"},
	"stats":               {},

	// The parts.
	"sampler":         {"eval"},
	"validators":      {"eval", "redact"},
	"judges":          {"eval", "internal/secret", "internal/config/strictyaml"},
	"telemetry":       {"eval"},
	"datasets":        {"eval", "internal/secret", "redact"},
	"emitter":         {"eval", "kafka/conn", "internal/secret"},
	"emitter/ddtrace": {},
	"emitter/mskiam":  {},

	// How this process runs.
	"internal/serve":   {"eval", "internal/secret"},
	"kafka/fetch":    {"eval", "kafka/conn"},
	"kafka/consumer":   {"eval", "kafka/fetch", "kafka/conn"},
	"kafka/deadletter":      {"eval", "kafka/conn", "kafka/consumer"},
	"pipeline": {"eval", "sampler"},
	"internal/config": {
		"eval", "datasets", "judges", "sampler", "telemetry", "validators",
		"internal/serve", "kafka/conn", "internal/secret", "kafka/consumer", "internal/config/strictyaml",
	},
	"internal/app": {
		"eval", "datasets", "emitter/mskiam", "judges", "sampler", "telemetry", "validators",
		"internal/config", "internal/serve", "pipeline", "kafka/consumer",
	},
	"sidecar/spool":   {"eval"},
	"sidecar": {"eval", "emitter", "internal/serve", "internal/secret", "sidecar/spool"},
	"internal/summary": {"eval", "stats"},
	"internal/replay":  {"eval", "pipeline"},

	// What the demo and the tests add.
	"internal/demo/broker":       {"eval"},
	"internal/testkit/containers":      {},
	"internal/testkit/certs":        {},
	"internal/demo/modelserver":     {},
	"internal/demo/scenario":        {"eval", "internal/demo/modelserver"},
	"internal/testkit/conformance":        {"eval"},
	"datasets/storetest":       {"eval", "datasets"},
	"kafka/consumer/killtest": {},
	"internal/demo": {
		"eval", "datasets", "emitter",
		"internal/app", "internal/config", "internal/demo/broker", "internal/demo/modelserver", "internal/demo/scenario", "internal/summary",
	},

	// The program as a whole, from outside.
	"test/faults": {},

	// The programs.
	"cmd/emitter": {"eval", "emitter", "emitter/mskiam", "internal/demo/scenario", "internal/secret", "sidecar", "sidecar/spool"},
	"cmd/evalworker": {
		"eval", "datasets", "emitter/mskiam", "sampler",
		"internal/app", "internal/config", "internal/demo", "kafka/deadletter", "internal/replay", "internal/summary",
	},
	"internal/gen":     {"eval", "internal/config", "telemetry"},
	"examples/publish": {"eval", "emitter"},
	"bench": {
		"eval", "emitter",
		"internal/app", "internal/testkit/containers", "internal/config", "internal/testkit/conformance", "kafka/conn", "internal/demo/modelserver",
	},
}

// rooms gives each vendor library its one room.
var rooms = map[string][]string{
	"github.com/segmentio/kafka-go":         {"kafka/consumer", "kafka/fetch", "kafka/conn", "kafka/deadletter", "emitter", "emitter/mskiam", "bench"},
	"github.com/aws/":                       {"emitter/mskiam"},
	"github.com/DataDog/": {"telemetry", "emitter/ddtrace", "internal/testkit/datadog"},
	"github.com/sashabaranov/go-openai":     {"judges"},
	"github.com/santhosh-tekuri/jsonschema": {"validators"},
	"modernc.org/sqlite":                    {"datasets"},
	"github.com/pressly/goose":              {"datasets"},
	"github.com/jackc/pgx":                  {"datasets", "internal/testkit/containers"},
	"github.com/twmb/franz-go":              {"internal/demo/broker"},
	"github.com/expr-lang/expr":             {"sampler"},
	"github.com/goccy/go-yaml":              {"internal/config/strictyaml", "internal/config"},
	"github.com/testcontainers/":            {"internal/testkit/containers"},
	"github.com/moby/":                      {"internal/testkit/containers"},
	"github.com/spf13/cobra":                {"cmd/emitter", "cmd/evalworker"},
	"gonum.org/":                            {"stats"},
	"github.com/fsnotify/fsnotify":          {"internal/config"},
	"github.com/schollz/progressbar":        {"cmd/emitter", "cmd/evalworker"},
	"github.com/cespare/xxhash":             {"sampler"},
	"github.com/gofrs/flock":                {"sidecar/spool"},
}

// TestLayers holds the two tables above. It is a statement of policy: to change
// the architecture is to change the tables, in review.
func TestLayers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range list(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if len(p.GoFiles) == 0 {
			continue
		}
		seen[name] = true
		allowed, ok := layers[name]
		if !ok {
			t.Errorf("%s is no part of the architecture: give it a line in layers", name)
			continue
		}
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module+"/"); ok {
				if !slices.Contains(allowed, own) {
					t.Errorf("%s must not import %s", name, own)
				}
				continue
			}
			for vendor, room := range rooms {
				if strings.HasPrefix(imp, vendor) && !slices.Contains(room, name) {
					t.Errorf("%s must not import %s: its room is %s", name, imp, strings.Join(room, ", "))
				}
			}
			if name == "eval" && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				t.Errorf("eval must import the standard library only, not %s", imp)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		if !seen[name] {
			t.Errorf("%s stands in layers and does not exist", name)
		}
	}
}

// TestEmitterIsLight: an application that publishes events does not carry what
// only some of them need.
func TestEmitterIsLight(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./emitter").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, heavy := range []string{"github.com/aws/", "github.com/DataDog/", "github.com/twmb/"} {
			if strings.HasPrefix(dep, heavy) {
				t.Errorf("emitter carries %s", dep)
			}
		}
	}
}

type listed struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,GoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
