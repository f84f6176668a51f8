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
	"internal/sensitive":  {"eval"},
	"internal/strictyaml": {"eval", "internal/secret"},
	"internal/kafkaconn":  {"eval", "internal/secret"},
	"stats":               {},

	// The parts.
	"sampler":         {"eval"},
	"validators":      {"eval", "internal/sensitive"},
	"judges":          {"eval", "internal/secret", "internal/strictyaml"},
	"telemetry":       {"eval"},
	"datasets":        {"eval", "internal/secret", "internal/sensitive"},
	"emitter":         {"eval", "internal/kafkaconn", "internal/secret"},
	"emitter/ddtrace": {},
	"emitter/mskiam":  {},

	// How this process runs.
	"internal/health":   {"eval", "internal/secret"},
	"internal/fetch":    {"eval", "internal/kafkaconn"},
	"internal/stream":   {"eval", "internal/fetch", "internal/kafkaconn"},
	"internal/dlq":      {"eval", "internal/kafkaconn", "internal/stream"},
	"internal/pipeline": {"eval", "sampler"},
	"internal/config": {
		"eval", "datasets", "judges", "sampler", "telemetry", "validators",
		"internal/health", "internal/kafkaconn", "internal/secret", "internal/stream", "internal/strictyaml",
	},
	"internal/app": {
		"eval", "datasets", "emitter/mskiam", "judges", "sampler", "telemetry", "validators",
		"internal/config", "internal/health", "internal/pipeline", "internal/stream",
	},
	"internal/spool":   {"eval"},
	"internal/sidecar": {"eval", "emitter", "internal/health", "internal/secret", "internal/spool"},
	"internal/summary": {"eval", "stats"},
	"internal/replay":  {"eval", "internal/pipeline"},

	// What the demo and the tests add.
	"internal/devbroker":       {"eval"},
	"internal/components":      {},
	"internal/certtest":        {},
	"internal/modelserver":     {},
	"internal/scenario":        {"eval", "internal/modelserver"},
	"internal/evaltest":        {"eval"},
	"datasets/storetest":       {"eval", "datasets"},
	"internal/stream/killtest": {},
	"internal/demo": {
		"eval", "datasets", "emitter",
		"internal/app", "internal/config", "internal/devbroker", "internal/modelserver", "internal/scenario", "internal/summary",
	},

	// The program as a whole, from outside.
	"test/faults": {},

	// The programs.
	"cmd/emitter": {"eval", "emitter", "emitter/mskiam", "internal/scenario", "internal/secret", "internal/sidecar", "internal/spool"},
	"cmd/evalworker": {
		"eval", "datasets", "emitter/mskiam", "sampler",
		"internal/app", "internal/config", "internal/demo", "internal/dlq", "internal/replay", "internal/summary",
	},
	"internal/gen":     {"eval", "internal/config", "telemetry"},
	"examples/publish": {"eval", "emitter"},
	"bench": {
		"eval", "emitter",
		"internal/app", "internal/components", "internal/config", "internal/evaltest", "internal/kafkaconn", "internal/modelserver",
	},
}

// rooms gives each vendor library its one room.
var rooms = map[string][]string{
	"github.com/segmentio/kafka-go":         {"internal/stream", "internal/fetch", "internal/kafkaconn", "internal/dlq", "emitter", "emitter/mskiam", "bench"},
	"github.com/aws/":                       {"emitter/mskiam"},
	"github.com/DataDog/":                   {"telemetry", "emitter/ddtrace", "internal/evaltest"},
	"github.com/sashabaranov/go-openai":     {"judges"},
	"github.com/santhosh-tekuri/jsonschema": {"validators"},
	"modernc.org/sqlite":                    {"datasets"},
	"github.com/pressly/goose":              {"datasets"},
	"github.com/jackc/pgx":                  {"datasets", "internal/components"},
	"github.com/twmb/franz-go":              {"internal/devbroker"},
	"github.com/expr-lang/expr":             {"sampler"},
	"github.com/goccy/go-yaml":              {"internal/strictyaml", "internal/config"},
	"github.com/testcontainers/":            {"internal/components"},
	"github.com/moby/":                      {"internal/components"},
	"github.com/spf13/cobra":                {"cmd/emitter", "cmd/evalworker"},
	"gonum.org/":                            {"stats"},
	"github.com/fsnotify/fsnotify":          {"internal/config"},
	"github.com/schollz/progressbar":        {"cmd/emitter", "cmd/evalworker"},
	"github.com/cespare/xxhash":             {"sampler"},
	"github.com/gofrs/flock":                {"internal/spool"},
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
