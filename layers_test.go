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
// package that is not goPackage may not exist, so that a new one is a decision.
// Imports point down, parts never import each other, and event knows none of them.
var layers = map[string][]string{
	// Small tools that the client for applications shares with the programs, in a light
	// module of their own.
	"internal/base":          {},
	"internal/base/backoff":  {},
	"internal/base/certs":    {},
	"internal/base/conn":     {"internal/base/fault", "internal/base/regular", "internal/base/secret"},
	"internal/base/fault":    {},
	"internal/base/jsonscan": {},
	"internal/base/regular":  {},
	"internal/base/secret":   {"internal/base/regular"},
	"internal/base/testdiff": {},
	"internal/base/visible":  {},

	// Small tools of several rooms; each imports nothing of ours.
	"internal/outage": {},

	// What applications publish, and the vocabulary of evaluation.
	"event": {"internal/base/fault", "internal/base/jsonscan"},
	"eval":  {"event"},

	// The grounds: what several parts stand on.
	"internal/config/strictyaml": {"internal/base/fault"},
	"redact":                     {"event", "internal/base/fault", "internal/base/jsonscan", "internal/base/visible"},
	"stats":                      {},
	"store":                      {"internal/base/backoff", "internal/base/fault", "internal/base/secret", "internal/outage", "internal/base/regular"},

	// Kafka.
	"kafka/fetch":      {"event", "internal/base/conn"},
	"kafka/consumer":   {"eval", "event", "internal/base/backoff", "internal/base/fault", "internal/outage", "internal/base/conn", "kafka/fetch"},
	"kafka/deadletter": {"eval", "event", "internal/base/backoff", "internal/base/fault", "internal/base/conn", "kafka/consumer"},

	// The parts.
	"sampler":         {"eval", "event", "internal/base/fault"},
	"validators":      {"eval", "event", "internal/base/fault", "internal/base/jsonscan", "internal/base/regular", "internal/base/visible", "redact"},
	"judges":          {"eval", "event", "internal/base/fault", "internal/config/strictyaml", "internal/base/regular", "internal/base/visible"},
	"judges/model":    {"eval", "event", "internal/base/backoff", "internal/base/fault", "internal/base/secret", "internal/config/strictyaml", "internal/outage", "internal/base/regular", "judges"},
	"datasets":        {"eval", "event", "redact", "store"},
	"telemetry":       {"eval", "event", "internal/base/fault", "internal/datadog/site", "internal/outage"},
	"emitter":         {"event", "internal/base/backoff", "internal/base/fault", "internal/base/jsonscan", "internal/base/secret", "internal/base/conn"},
	"emitter/ddtrace": {},
	"emitter/mskiam":  {},
	"emitter/openai":  {"event"},
	"emitter/otel":    {"emitter"},

	// One revision of what is evaluated, and what happens to one event.
	"policy":   {"eval", "event", "internal/base/fault", "internal/config/strictyaml", "judges", "judges/model", "sampler", "validators"},
	"pipeline": {"eval", "event", "internal/base/backoff", "internal/outage", "policy"},

	// How the processes run.
	"internal/serve": {"internal/base/fault", "internal/base/secret", "internal/outage"},
	"internal/config": {
		"internal/base/fault", "internal/base/secret", "internal/config/strictyaml", "internal/datadog", "internal/base/regular", "internal/serve",
		"kafka/consumer", "policy", "redact", "store", "telemetry", "validators",
	},
	"internal/app": {
		"datasets", "emitter/mskiam", "eval", "event", "internal/base/backoff", "internal/config", "internal/outage", "internal/serve",
		"judges/model", "kafka/consumer", "pipeline", "policy", "redact", "sampler", "store", "telemetry",
	},
	"internal/replay":  {"eval", "event", "internal/base/fault", "internal/base/jsonscan", "pipeline"},
	"internal/summary": {"eval", "event", "stats"},
	"sidecar":          {"emitter", "eval", "event", "internal/base/backoff", "internal/base/fault", "internal/base/secret", "internal/base/jsonscan", "internal/outage", "internal/serve", "sidecar/spool"},
	"sidecar/spool":    {"internal/base/fault", "internal/base/regular"},

	// Monitors and dashboards.
	"deploy/datadog":        {},
	"internal/datadog":      {"deploy/datadog", "eval", "internal/base/backoff", "internal/base/fault", "internal/base/secret", "internal/datadog/site"},
	"internal/datadog/site": {},

	// What checks the files of deploy/datadog.
	"deploy/datadog/lint": {"eval", "internal/base/fault", "judges", "telemetry", "validators"},

	// What the demo and the tests add.
	"internal/demo/broker":      {"internal/base/fault"},
	"internal/demo/modelserver": {},
	"internal/demo/scenario":    {"event", "internal/demo/modelserver"},
	"internal/demo": {
		"datasets", "emitter", "eval", "event", "internal/app", "internal/config", "internal/base/fault",
		"internal/demo/broker", "internal/demo/modelserver", "internal/demo/scenario", "internal/summary", "store",
	},
	"internal/testkit/command":     {"internal/cli"},
	"internal/testkit/conformance": {"eval", "event"},
	"internal/testkit/containers":  {},
	"internal/testkit/crowd":       {},
	"internal/testkit/datadog":     {},
	"internal/testkit/leaks":       {},
	"kafka/consumer/killtest":      {},

	// The program as a whole, from outside.
	"test/application": {},
	"test/clients":     {},
	"test/faults":      {},
	"test/upgrade":     {},

	// The programs.
	"internal/cli": {"event", "internal/base/fault", "internal/base/visible"},
	"cmd/emitter": {
		"emitter", "emitter/mskiam", "event", "internal/base/backoff", "internal/cli", "internal/base/fault", "internal/base/regular", "internal/base/secret",
		"internal/config/strictyaml", "internal/demo/scenario", "redact", "sidecar", "sidecar/spool",
	},
	"cmd/evalworker": {
		"datasets", "emitter/mskiam", "eval", "event", "internal/app", "internal/cli", "internal/config", "internal/base/fault",
		"internal/datadog", "internal/demo", "internal/replay", "internal/summary", "judges/model", "kafka/deadletter", "policy", "redact", "store",
	},
	"internal/gen":        {"deploy/datadog", "deploy/datadog/lint", "event", "internal/config", "internal/datadog", "internal/gen/boards", "telemetry"},
	"internal/gen/boards": {"telemetry"},
	"examples/nethttp":    {"emitter", "emitter/openai", "event"},
	"examples/publish":    {"emitter", "event"},
	"examples/withhold":   {"emitter", "event", "redact"},
	"bench": {
		"emitter", "event", "internal/app", "internal/config", "internal/demo/broker", "internal/demo/modelserver",
		"internal/testkit/containers", "internal/testkit/datadog", "internal/base/conn", "store",
	},
}

// rooms names the one room of each vendor library.
var rooms = map[string][]string{
	"github.com/segmentio/kafka-go":         {"internal/base/conn", "kafka/fetch", "kafka/consumer", "kafka/deadletter", "emitter", "emitter/mskiam", "bench"},
	"github.com/klauspost/compress":         {"kafka/fetch"},
	"github.com/aws/":                       {"emitter/mskiam"},
	"github.com/prometheus/":                {"telemetry"},
	"github.com/DataDog/":                   {"telemetry", "emitter/ddtrace", "internal/datadog", "internal/testkit/datadog"},
	"github.com/sashabaranov/go-openai":     {"judges/model", "emitter/openai", "examples/nethttp"},
	"github.com/santhosh-tekuri/jsonschema": {"validators"},
	"modernc.org/sqlite":                    {"store"},
	"github.com/pressly/goose":              {"store"},
	"github.com/jackc/pgx":                  {"store", "internal/testkit/containers"},
	"github.com/twmb/franz-go":              {"internal/demo/broker", "bench"},
	"github.com/expr-lang/expr":             {"sampler"},
	"github.com/goccy/go-yaml":              {"internal/config/strictyaml", "internal/config"},
	"github.com/testcontainers/":            {"internal/testkit/containers"},
	"github.com/moby/":                      {"internal/testkit/containers"},
	"github.com/spf13/cobra":                {"cmd/emitter", "cmd/evalworker", "internal/cli", "internal/testkit/command"},
	"go.opentelemetry.io/":                  {"emitter/otel"},
	"gonum.org/":                            {"stats"},
	"github.com/fsnotify/fsnotify":          {"internal/config"},
	"github.com/schollz/progressbar":        {"internal/cli"},
	"github.com/rivo/uniseg":                {"internal/summary"},
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
			if (name == "eval" || name == "event") && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				t.Errorf("%s must import the standard library only, not %s", name, imp)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(layers)) {
		if !seen[name] {
			t.Errorf("%s stands in layers and does not exist", name)
		}
	}
}

type goPackage struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
}

func list(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,GoFiles,Imports", "work").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
