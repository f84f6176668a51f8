package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/judges/model"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/store"
	"github.com/evalworker/evalworker/telemetry"
)

// Config is the whole configuration.
type Config struct {
	Kafka      consumer.Config         `yaml:"kafka"`
	Schemas    string                  `yaml:"schemas"` // folder, relative to the file; see SchemaDir
	Rubrics    string                  `yaml:"rubrics"` // folder, relative to the file; see RubricDir
	Models     map[string]model.Config `yaml:"models"`
	Evaluators []Evaluator             `yaml:"evaluators"`
	Sampling   sampler.Config          `yaml:"sampling"`
	Redaction  redact.Config           `yaml:"redaction"`
	Store      store.Config            `yaml:"store"`
	Datadog    telemetry.Config        `yaml:"datadog"`
	Health     serve.Config            `yaml:"health"`
	Shutdown   Shutdown                `yaml:"shutdown"`
	Log        Log                     `yaml:"log"`

	// folder is that of the file, for what the file names relative to itself;
	// empty stands for the working directory.
	folder string
}

// Shutdown bounds the end of the worker.
type Shutdown struct {
	Grace time.Duration `yaml:"grace"` // for events in flight to finish
	Close time.Duration `yaml:"close"` // for telemetry and the store to be closed after that
}

// Log says how the worker logs.
type Log struct {
	Level  Level  `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
}

// Level is the least level that is logged. It is a [slog.Leveler].
type Level slog.Level

// Level gives the level as slog takes it.
func (l Level) Level() slog.Level { return slog.Level(l) }

// MarshalText gives the level in lower case.
func (l Level) MarshalText() ([]byte, error) {
	return []byte(strings.ToLower(slog.Level(l).String())), nil
}

// UnmarshalText reads one of the four levels, in any case.
func (l *Level) UnmarshalText(text []byte) error {
	for _, known := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(known.String(), string(text)) {
			*l = Level(known)
			return nil
		}
	}
	return fault.List{{Problem: "unknown level", Expected: "want debug, info, warn or error"}}
}

// Formats of the log.
const (
	LogJSON = "json"
	LogText = "text"
)

const (
	defaultSchemas = "schemas/"
	defaultRubrics = "rubrics/"
	defaultModel   = "default"
)

// Default gives the configuration of a worker that nobody configured: a broker
// on this machine, no evaluators.
func Default() Config {
	c := Config{
		Kafka:     consumer.DefaultConfig(),
		Schemas:   defaultSchemas,
		Rubrics:   defaultRubrics,
		Models:    map[string]model.Config{defaultModel: model.DefaultConfig()},
		Sampling:  sampler.DefaultConfig(),
		Redaction: redact.Config{},
		Store:     store.DefaultConfig(),
		Datadog:   telemetry.DefaultConfig(),
		Health:    serve.DefaultConfig(),
		Shutdown:  Shutdown{Grace: 25 * time.Second, Close: 10 * time.Second},
		Log:       Log{Level: Level(slog.LevelInfo), Format: LogJSON},
	}
	c.Kafka.Grace = c.Shutdown.Grace
	return c
}

// SchemaDir gives the folder of the schemas, or "" when there is none.
func (c *Config) SchemaDir() string { return c.dir(c.Schemas) }

// RubricDir gives the folder of the rubrics, or "" when there is none.
func (c *Config) RubricDir() string { return c.dir(c.Rubrics) }

// dir resolves a folder. One that does not exist is none: of the default one
// nobody needs to hear, and of another Validate tells.
func (c *Config) dir(name string) string {
	if dir := c.resolve(name); name != "" && isDir(dir) {
		return dir
	}
	return ""
}

// resolve gives the path of what the file names relative to itself.
func (c *Config) resolve(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(c.folder, name)
}

// Validate checks the configuration with all that it names: rubrics, schemas,
// models and conditions. Paths are those of the file's keys; faults of rubric
// and schema files name their file.
func (c *Config) Validate() fault.List {
	var fs fault.List
	k := c.Kafka
	k.Grace = c.Shutdown.Grace
	for _, f := range k.Validate() {
		if f.Path == "grace" {
			fs.Under("shutdown", fault.List{f})
			continue
		}
		fs.Under("kafka", fault.List{f})
	}
	fs.Under("redaction", c.Redaction.Validate())
	datadog := c.Datadog // whose faults may quote a URL
	datadog.AgentURL = withoutPassword(datadog.AgentURL)
	fs.Under("store", c.Store.Validate())
	fs.Under("datadog", datadog.Validate())
	fs.Under("health", c.Health.Validate())
	fs.Under("shutdown", c.Shutdown.Validate())
	fs.Under("log", c.Log.Validate())
	fs = append(fs, c.missingFolders()...)
	fs = append(fs, c.validateModels()...)
	fs = append(fs, c.validateEvaluators()...)
	fs = append(fs, c.validateSampling()...)
	return fs
}

// Validate gives every fault. The bound of Grace is the stream's.
func (s Shutdown) Validate() fault.List {
	var fs fault.List
	if s.Close <= 0 || s.Close > 10*time.Minute {
		fs.Add("close", fmt.Sprintf("%v is out of range", s.Close), "want a duration above zero, up to 10m")
	}
	return fs
}

// Validate gives every fault.
func (l Log) Validate() fault.List {
	var fs fault.List
	if l.Format != LogJSON && l.Format != LogText {
		fs.Add("format", fmt.Sprintf("%q is unknown", l.Format), "want json or text")
	}
	return fs
}
