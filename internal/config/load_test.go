package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config"
)

// folder writes files and returns the path of the configuration among them.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, config.FileName)
}

// TestStoreBesideTheFile: a relative path of a store is relative to the configuration,
// wherever the program runs, and so is the default one. All else stays as it is.
func TestStoreBesideTheFile(t *testing.T) {
	for name, tt := range map[string]struct{ yaml, variable, want string }{
		"relative":          {"store: {url: 'sqlite:cases.db'}", "", "sqlite:HERE/cases.db"},
		"above":             {"store: {url: 'sqlite:../cases.db'}", "", "sqlite:ABOVE/cases.db"},
		"default":           {"log: {level: info}", "", "sqlite:HERE/evalworker.db"},
		"in an environment": {"", "sqlite:cases.db", "sqlite:HERE/cases.db"},
		"absolute":          {"store: {url: 'sqlite:/var/cases.db'}", "", "sqlite:/var/cases.db"},
		"in memory":         {"store: {url: 'sqlite::memory:'}", "", "sqlite::memory:"},
		"on a server":       {"store: {url: 'postgres://me@host/cases'}", "", "postgres://me@host/cases"},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t, map[string]string{config.FileName: tt.yaml + "\n"})
			here := filepath.Dir(path)
			want := strings.NewReplacer("HERE", here, "ABOVE", filepath.Dir(here)).Replace(tt.want)
			environ := []string{"EVALWORKER_STORE_URL=" + tt.variable}
			if c, err := config.Load(path, environ); err != nil || c.Store.URL != want {
				t.Fatalf("%+v, %v; want %s", c, err, want)
			}
			t.Chdir(filepath.Dir(here))
			relative := filepath.Join(filepath.Base(here), config.FileName)
			if c, err := config.Load(relative, environ); err != nil || c.Store.URL != want {
				t.Errorf("from the folder above: %+v, %v; want %s", c, err, want)
			}
			t.Chdir(here) // names stay short there
			want = strings.Replace(want, here+"/", "", 1)
			if c, err := config.Load(config.FileName, environ); err != nil || strings.Replace(c.Store.URL, "../", filepath.Dir(here)+"/", 1) != want {
				t.Errorf("from its own folder: %+v, %v; want %s", c, err, want)
			}
		})
	}
}

// faultsOf loads and returns the faults with paths relative to the folder.
func faultsOf(t *testing.T, path string, environ []string) []string {
	t.Helper()
	_, err := config.Load(path, environ)
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[fault.List](err)
	if !ok {
		t.Fatalf("an error that is no faults: %v", err)
	}
	out := lines(faults)
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], filepath.Dir(path)+string(filepath.Separator), "")
	}
	return out
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: `
kafka: {topic: from.file, group: from_file}
models:
  default: {timeout: 7s}
  own: {base_url: "http://file.test/v1", api_key: own}
log: {level: WARN}
`})
	c, err := config.Load(path, []string{
		"EVALWORKER_KAFKA_TOPIC=from.env", "EVALWORKER_SAMPLING_DEFAULT_RATE=0.25", "EVALWORKER_SHUTDOWN_GRACE=3s",
		"EVALWORKER_HEALTH_PPROF=true", "EVALWORKER_LOG_FORMAT=", "EVALWORKER_TEST_REAL=off", "EVALWORKER_CONFIG=" + path,
		"KAFKA_BROKERS=one:9092, two:9093", "OPENAI_API_KEY=env", "OPENAI_BASE_URL=http://env.test/v1", "UNRELATED=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		Topic, Group, ClientID, Format string
		Brokers                        []string
		Level                          slog.Level
		Rate                           float64
		Grace, KafkaGrace              time.Duration
		Pprof                          bool
		Default, Own                   string
	}
	model := func(name string) string {
		m := c.Models[name]
		return fmt.Sprint(m.Model, " ", m.BaseURL, " ", m.APIKey.Reveal(), " ", m.Timeout)
	}
	got := result{
		c.Kafka.Topic, c.Kafka.Group, c.Kafka.ClientID, c.Log.Format, c.Kafka.Brokers, c.Log.Level.Level(), c.Sampling.DefaultRate,
		c.Shutdown.Grace, c.Kafka.Grace, c.Health.Pprof, model("default"), model("own"),
	}
	want := result{
		"from.env", "from_file", "evalworker", "json",
		[]string{"one:9092", "two:9093"},
		slog.LevelWarn, 0.25,
		3 * time.Second, 3 * time.Second, true, "gpt-6-luna http://env.test/v1 env 7s", "gpt-6-luna http://file.test/v1 own 30s",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEnvironmentFaults(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: "sampling: {default_rate: 0.5}\n", "empty": "\n", "two": "a\nb\n", "topic": "from.file\n"})
	dir := filepath.Dir(path)
	tests := []struct {
		name    string
		environ []string
		want    []string
	}{
		{"unknown, with a near name", []string{"EVALWORKER_KAFKA_TOPCI=x"}, []string{`EVALWORKER_KAFKA_TOPCI: unknown variable; did you mean EVALWORKER_KAFKA_TOPIC?`}},
		{"wrong type", []string{"EVALWORKER_HEALTH_PPROF=yes", "EVALWORKER_KAFKA_WINDOW=many"}, []string{
			`EVALWORKER_HEALTH_PPROF: got a string; want true or false`,
			`EVALWORKER_KAFKA_WINDOW: got a string; want an integer`,
		}},
		{"out of range: the variable is named, not the file", []string{"EVALWORKER_SAMPLING_DEFAULT_RATE=7"}, []string{
			`EVALWORKER_SAMPLING_DEFAULT_RATE: 7 is out of range; want 0, or a probability from 1e-9 to 1, such as 0.05 for 5 %`,
		}},
		{"item of a list", []string{"KAFKA_BROKERS=a:1,b"}, []string{`KAFKA_BROKERS[1]: "b" is not host:port; want host:port, for example localhost:9092`}},
		{"bad address of a model's server", []string{"OPENAI_BASE_URL=nowhere"}, []string{`OPENAI_BASE_URL: is not the URL of a server; want its URL, for example https://api.openai.com/v1`}},
		{"file that is not there", []string{"OPENAI_API_KEY_FILE=" + dir + "/nothing"}, []string{
			`OPENAI_API_KEY_FILE: nothing cannot be read: no such file or directory; want a file that holds the value`,
		}},
		{"file without a value", []string{"EVALWORKER_STORE_URL_FILE=" + dir + "/empty"}, []string{`EVALWORKER_STORE_URL_FILE: empty is empty; want a file that holds the value`}},
		{"file with two", []string{"EVALWORKER_STORE_URL_FILE=" + dir + "/two"}, []string{`EVALWORKER_STORE_URL_FILE: two holds more than one line; want a file that holds the value`}},
		{"value and file", []string{"OPENAI_API_KEY=a", "OPENAI_API_KEY_FILE=" + dir + "/topic"}, []string{`OPENAI_API_KEY_FILE: OPENAI_API_KEY is set too; want one of the two`}},
		{"value from a file", []string{"EVALWORKER_KAFKA_TOPIC_FILE=" + dir + "/topic"}, nil},
		{"what clients of applications read", []string{"EVALWORKER_URL=http://127.0.0.1:8788", "EVALWORKER_TOKEN=any"}, nil},
		{"what Kubernetes sets for a service of this name", []string{
			"EVALWORKER_SERVICE_HOST=10.0.0.1", "EVALWORKER_SERVICE_PORT=8787", "EVALWORKER_SERVICE_PORT_HTTP=8787", "EVALWORKER_PORT=tcp://10.0.0.1:8787",
			"EVALWORKER_PORT_8787_TCP=tcp://10.0.0.1:8787", "EVALWORKER_PORT_8787_TCP_ADDR=10.0.0.1", "EVALWORKER_BLUE_SERVICE_HOST=10.0.0.2",
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tt.want, faultsOf(t, path, tt.environ)); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

// TestNoSettingLooksLikeAServiceLink: such a setting would be ignored.
func TestNoSettingLooksLikeAServiceLink(t *testing.T) {
	t.Parallel()
	for _, k := range config.Keys() {
		if config.IsServiceLink(k.Env) {
			t.Errorf("%s looks like a variable of Kubernetes", k.Env)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{
		config.FileName: "models:\n  default: {key_file: keys/one, api_key: loses}\n", "keys/one": "  wins\n",
	})
	c, err := config.Load(path, []string{"OPENAI_API_KEY=loses"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Models["default"].APIKey.Reveal(); got != "wins" {
		t.Errorf("the key is %q, want that of the file", got)
	}
	bad := folder(t, map[string]string{config.FileName: "models:\n  default:\n    key_file: gone\n"})
	want := []string{"evalworker.yaml:3:15: models.default.key_file: gone cannot be read: no such file or directory; want a file that holds the key alone"}
	if d := cmp.Diff(want, faultsOf(t, bad, nil)); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
}

// TestFaultsHideNoOther: one of each layer at once, in the order of the files.
func TestFaultsHideNoOther(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{
		config.FileName: `kafka:
  topc: x
  window: 0
evaluators:
  - {name: a, type: contains, any: [x], pattern: y}
  - {name: a, type: jsonschema}
  - {name: B-c, type: llm_judge, rubric: corectness, model: big}
  - {name: d, type: json_schema, schema: nothing, negate: false}
sampling:
  rules:
    - {name: r, when: 'feature == "x" && fature == "y"'}
`,
		"rubrics/own.yaml": "needs: [output]\ncriteria:\n  - {id: one, qestion: Is it?}\n",
	})
	got := faultsOf(t, path, []string{"EVALWORKER_NOTHING=1"})
	want := []string{
		`EVALWORKER_NOTHING: unknown variable; want EVALWORKER_ and the path of a key, such as EVALWORKER_KAFKA_TOPIC`,
		`evalworker.yaml:2:3: kafka.topc: unknown key; did you mean "topic"?`,
		`evalworker.yaml:3:11: kafka.window: 0 is out of range; want a number from 1 to 1400: what is finished out of order has to fit`,
		`evalworker.yaml:5:50: evaluators[0].pattern: not an option of type contains; contains takes any, all, none, case_sensitive`,
		`evalworker.yaml:6:12: evaluators[1].name: "a" is already the name of evaluators[0]; want a name of its own`,
		`evalworker.yaml:6:21: evaluators[1].type: unknown type "jsonschema"; did you mean "json_schema"?`,
		`evalworker.yaml:7:12: evaluators[2].name: "B-c" is no name of an evaluator; want lower-case letters`,
		`evalworker.yaml:7:42: evaluators[2].rubric: unknown rubric "corectness"; did you mean "correctness"?`,
		`evalworker.yaml:7:61: evaluators[2].model: unknown model "big"; want one of default`,
		`evalworker.yaml:8:42: evaluators[3].schema: unknown schema "nothing"; there is no file in the folder of schemas`,
		`evalworker.yaml:8:59: evaluators[3].negate: not an option of type json_schema; json_schema takes schema`,
		`evalworker.yaml:11:7: sampling.rules[0].rate: missing; want the probability for events that match, from 0 to 1`,
		`evalworker.yaml:11:42: sampling.rules[0].when: unknown field`,
		`rubrics/own.yaml:3:15: criteria[0].qestion: unknown key; did you mean "question"?`,
	}
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if w == "" || !strings.HasPrefix(g, w) {
			t.Errorf("fault %d:\n got %s\nwant %s", i, g, w)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	path := folder(t, nil)
	want := []string{"evalworker.yaml: cannot be read; no such file or directory"}
	if d := cmp.Diff(want, faultsOf(t, path, nil)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestNamedFoldersMustExist: only the default ones may be absent.
func TestNamedFoldersMustExist(t *testing.T) {
	t.Parallel()
	if got := faultsOf(t, folder(t, map[string]string{config.FileName: "schemas: schemas/\n"}), nil); got != nil {
		t.Errorf("a default folder that is absent: %v", got)
	}
	got := faultsOf(t, folder(t, map[string]string{config.FileName: "schemas: schema\n"}), nil)
	want := []string{"evalworker.yaml:1:10: schemas: schema is not a folder; want a folder, named relative to the file; leave the key out when there is none"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestFoldersAreRelativeToTheFile: not to where the program runs.
func TestFoldersAreRelativeToTheFile(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: "rubrics: ours\n", "ours/own.yaml": "needs: [output]\ncriteria: [{id: one, question: Is it?}]\n"})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.RubricDir(), filepath.Join(filepath.Dir(path), "ours"); got != want {
		t.Errorf("RubricDir = %s, want %s", got, want)
	}
	if got := c.SchemaDir(); got != "" {
		t.Errorf("SchemaDir = %s, want none", got)
	}
}

// TestNoEcho: where a value could not be read, nothing more is
// said of it.
func TestNoEcho(t *testing.T) {
	t.Parallel()
	path := folder(t, map[string]string{config.FileName: "evaluators:\n  - {nmae: a, type: 3}\n  - just text\nmodels: {default: 5}\n"})
	want := []string{
		`evalworker.yaml:2:6: evaluators[0].nmae: unknown key; did you mean "name"?`,
		`evalworker.yaml:2:21: evaluators[0].type: got an integer; want a string: put it in quotes`,
		`evalworker.yaml:3:5: evaluators[1]: got a string; want a mapping of keys`,
		`evalworker.yaml:4:19: models.default: got an integer; want a mapping of keys`,
	}
	if d := cmp.Diff(want, faultsOf(t, path, nil)); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
}

// TestHealthListen: a probe finds its server while anything else has faults.
func TestHealthListen(t *testing.T) {
	t.Parallel()
	const variable = "EVALWORKER_HEALTH_LISTEN=127.0.0.1:3"
	for name, tt := range map[string]struct {
		text    string // of the file; empty: no file
		environ []string
		want    string // empty: a fault
	}{
		"no file":               {want: "127.0.0.1:8787"},
		"in the file":           {text: "health: {listen: ':1'}", want: ":1"},
		"faults of other keys":  {text: "evaluators: [{name: a, type: nothing}]\nkafka: {topics: x}\nhealth: {listen: ':1'}", want: ":1"},
		"in the environment":    {text: "health: {listen: ':1'}", environ: []string{variable, "EVALWORKER_KAFKA_MAX_IN_FLIGHT=many"}, want: "127.0.0.1:3"},
		"no YAML":               {text: "health: {listen: "},
		"no text":               {text: "health: {listen: [1]}"},
		"no YAML, but variable": {text: "health: {listen: ", environ: []string{variable}, want: "127.0.0.1:3"},
	} {
		path := ""
		if tt.text != "" {
			path = filepath.Join(t.TempDir(), "evalworker.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := config.HealthListen(path, tt.environ); (err == nil) != (tt.want != "") || err == nil && got != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
	if _, err := config.HealthListen(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil {
		t.Error("a file that is not there has no fault")
	}
}
