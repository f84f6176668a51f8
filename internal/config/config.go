package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/datadog"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/store"
	"github.com/evalworker/evalworker/telemetry"
)

// Policy is the part of the configuration that may change while a worker runs.
type Policy = policy.Config

// Config is the whole configuration.
type Config struct {
	Kafka     consumer.Config `yaml:"kafka" doc:"Where events come from."`
	Policy    `yaml:",inline"`
	Redaction redact.Config      `yaml:"redaction" doc:"What is redacted in content before a judge or the store sees it."`
	Store     store.Config       `yaml:"store" doc:"Where failing requests are kept as cases."`
	Datadog   Datadog            `yaml:"datadog" doc:"Where spans and metrics go; DD_... environment variables take precedence."`
	Health    serve.HealthConfig `yaml:"health" doc:"HTTP server with /livez, /readyz, /statusz and /metrics."`
	Shutdown  Shutdown           `yaml:"shutdown" doc:"How the worker stops."`
	Log       Log                `yaml:"log" doc:"How the worker logs; never content, only ids."`

	// NeedsRestart are the keys whose new values a [Watcher] found and which take effect
	// at the next start.
	NeedsRestart []string `yaml:"-"`
}

// Datadog is the section of both that send to Datadog: the worker's telemetry, and the
// commands that put monitors and dashboards there. Neither knows the other.
type Datadog struct {
	telemetry.Config `yaml:",inline"`
	Monitors         datadog.Config `yaml:"monitors" doc:"Monitors and dashboards, for the commands evalworker datadog; the worker reads none of it."`
}

// Validate returns every fault.
func (d Datadog) Validate() fault.List {
	d.AgentURL = withoutPassword(d.AgentURL) // faults may quote it
	fs := d.Config.Validate()
	fs.Under("monitors", d.Monitors.Validate())
	return fs
}

// unknownEvaluators returns a fault for each monitored evaluator that is not configured.
func (d Datadog) unknownEvaluators(all []policy.EvaluatorConfig) fault.List {
	var fs fault.List
	var names []string
	for _, e := range all {
		names = append(names, e.Name)
	}
	for i, name := range d.Monitors.Evaluators {
		if !slices.Contains(names, name) {
			fs.Add(fmt.Sprintf("monitors.evaluators[%d]", i), fmt.Sprintf("unknown evaluator %q", name), fault.Suggest(name, names, "there are no evaluators"))
		}
	}
	return fs
}

// Shutdown bounds the steps of stopping the worker.
type Shutdown struct {
	Grace time.Duration `yaml:"grace" doc:"Time for events in flight to finish after SIGTERM."`
	Close time.Duration `yaml:"close" doc:"Time to close telemetry and the store after that."`
}

// Log configures the log.
type Log struct {
	Level  Level  `yaml:"level" doc:"Lowest level: debug, info, warn or error."`
	Format string `yaml:"format" doc:"Format: json or text."`
}

// Level is the lowest level that is logged. It is a [slog.Leveler].
type Level slog.Level

// Level implements [slog.Leveler].
func (l Level) Level() slog.Level { return slog.Level(l) }

// MarshalText returns the level in lower case.
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

// Default returns the configuration in effect without a file: a broker on this
// machine and no evaluators.
func Default() Config {
	c := Config{
		Kafka:    consumer.DefaultConfig(),
		Policy:   policy.DefaultConfig(),
		Store:    store.DefaultConfig(),
		Datadog:  Datadog{telemetry.DefaultConfig(), datadog.DefaultConfig()},
		Health:   serve.DefaultHealthConfig(),
		Shutdown: Shutdown{Grace: 25 * time.Second, Close: 10 * time.Second},
		Log:      Log{Level: Level(slog.LevelInfo), Format: LogJSON},
	}
	c.Kafka.Grace = c.Shutdown.Grace
	return c
}

// Validate returns every fault of the configuration and of the files that it
// names. Paths are keys of the file.
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
	fs.Under("store", c.Store.Validate())
	fs.Under("datadog", c.Datadog.Validate())
	fs.Under("datadog", c.Datadog.unknownEvaluators(c.Evaluators))
	fs.Under("health", c.Health.Validate())
	fs.Under("shutdown", c.Shutdown.Validate())
	fs.Under("log", c.Log.Validate())
	return append(fs, c.Policy.Validate()...)
}

// Validate returns every fault except those of Grace, which the consumer checks.
func (s Shutdown) Validate() fault.List {
	var fs fault.List
	if s.Close <= 0 || s.Close > 10*time.Minute {
		fs.Add("close", fmt.Sprintf("%v is out of range", s.Close), "want a duration above zero, up to 10m")
	}
	return fs
}

// Validate returns every fault.
func (l Log) Validate() fault.List {
	var fs fault.List
	if l.Format != LogJSON && l.Format != LogText {
		fs.Add("format", fmt.Sprintf("%q is unknown", l.Format), "want json or text")
	}
	return fs
}
