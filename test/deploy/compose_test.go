package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const composeFolder = "../../deploy"

// loadCompose loads files of deploy/ as Docker Compose does, with all profiles. A key that
// Compose does not know is an error.
func loadCompose(ctx context.Context, environ []string, files ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions(files, cli.WithEnv(environ), cli.WithProfiles([]string{"*"}), cli.WithInterpolation(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

func mustLoadCompose(t *testing.T, environ ...string) *types.Project {
	t.Helper()
	p, err := loadCompose(t.Context(), environ, filepath.Join(composeFolder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestComposeLoads: Compose itself accepts the file, with every variable and with none.
func TestComposeLoads(t *testing.T) {
	t.Parallel()
	p := mustLoadCompose(t)
	want := []string{"datadog", "emitter", "kafka", "keys", "postgres", "prometheus", "topics", "traffic", "worker"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(p.Services))); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for name, s := range p.Services {
		if optional := name == "datadog" || name == "prometheus"; optional != slices.Equal(s.Profiles, []string{name}) {
			t.Errorf("%s has profiles %v", name, s.Profiles)
		}
	}
	if v := p.Services["worker"].Environment["EVALWORKER_DATADOG_ENABLED"]; v != nil && *v != "" {
		t.Errorf("without a key, the worker sends to Datadog: %q", *v)
	}
	if v := mustLoadCompose(t, "DD_API_KEY=none").Services["worker"].Environment["EVALWORKER_DATADOG_ENABLED"]; v == nil || *v != "true" {
		t.Error("with a key, the worker does not send to Datadog")
	}
	if _, err := loadCompose(t.Context(), nil, filepath.Join(composeFolder, "compose.yaml"), filepath.Join(composeFolder, "compose.test.yaml")); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(composeFolder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"healthcheck:", "health_check:"}, {"postgres: {condition: service_healthy}", "postgress: {condition: service_healthy}"}, {"- spool:/var", "- spol:/var"}} {
		broken := filepath.Join(t.TempDir(), "compose.yaml")
		if err := os.WriteFile(broken, []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadCompose(t.Context(), nil, broken); err == nil {
			t.Errorf("%q passes", change[1])
		}
	}
}

// TestComposeIsRestricted: what every service has to have.
func TestComposeIsRestricted(t *testing.T) {
	t.Parallel()
	p := mustLoadCompose(t)
	// Why each of these writes to its root: Kafka's configuration, and the agent's own processes.
	writable := []string{"kafka", "topics", "datadog"}
	for name, s := range p.Services {
		if err := restrictedService(s, slices.Contains(writable, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for other, dependency := range s.DependsOn {
			needed := p.Services[other]
			if dependency.Condition == types.ServiceConditionHealthy && needed.HealthCheck == nil {
				t.Errorf("%s waits for the health of %s, which has no check", name, other)
			}
			if dependency.Condition == types.ServiceConditionCompletedSuccessfully && needed.Restart != "no" {
				t.Errorf("%s waits for the end of %s, which is started again", name, other)
			}
		}
	}
	for name, own := range map[string]time.Duration{"worker": 35 * time.Second, "emitter": 20 * time.Second, "traffic": 30 * time.Second} {
		if grace := p.Services[name].StopGracePeriod; grace == nil || time.Duration(*grace) <= own {
			t.Errorf("%s: stop_grace_period %v, want more than %v", name, grace, own)
		}
	}
	bare := p.Services["worker"]
	bare.CapDrop, bare.Ports = nil, []types.ServicePortConfig{{Target: 1, Published: "1"}}
	if restrictedService(bare, false) == nil {
		t.Error("a service with rights, open to the world, passes")
	}
}

func restrictedService(s types.ServiceConfig, writable bool) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Image == "" || strings.HasSuffix(s.Image, ":latest") {
		fault("image %q", s.Image)
	}
	if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 || s.Deploy.Resources.Limits.NanoCPUs == 0 {
		fault("no limits")
	}
	if s.ReadOnly == writable {
		fault("read_only is %t", s.ReadOnly)
	}
	if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
		fault("privileges %v", s.SecurityOpt)
	}
	if s.Name != "datadog" && !slices.Equal(s.CapDrop, []string{"ALL"}) {
		fault("cap_drop %v", s.CapDrop)
	}
	if s.Restart != "no" && s.HealthCheck == nil && s.Name != "datadog" {
		fault("no health check")
	}
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			fault("port %d is published on %q", port.Target, port.HostIP)
		}
	}
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
			fault("%s is mounted, read-only %t: %v", v.Source, v.ReadOnly, err)
		}
	}
	return errors.Join(faults...)
}

// buildProgram builds a program of cmd/ and returns its path.
func buildProgram(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/"+name)
	build.Dir, build.Env = "../..", append(os.Environ(), "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestComposePrograms: the programs accept their configuration, variables and flags, and
// the schema is the one that the traffic's answers follow.
func TestComposePrograms(t *testing.T) {
	t.Parallel()
	p := mustLoadCompose(t, "DD_API_KEY=none")
	keys := t.TempDir()
	for _, name := range []string{"health-token", "emitter-token", "store-password"} {
		if err := os.WriteFile(filepath.Join(keys, name), []byte(strings.Repeat("0", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	local := strings.NewReplacer("/keys/", keys+"/", "/etc/evalworker/", mustAbs(t, composeFolder)+"/compose/")
	worker, emitter := buildProgram(t, "evalworker"), buildProgram(t, "emitter")
	check := exec.CommandContext(t.Context(), worker, "check", "--quiet")
	for name, value := range p.Services["worker"].Environment {
		check.Env = append(check.Env, name+"="+local.Replace(*value))
	}
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range []string{"emitter", "traffic"} {
		// With --help, flags are read and nothing is done.
		if out, err := exec.CommandContext(t.Context(), emitter, append(slices.Clone(p.Services[name].Command), "--help")...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	for name, s := range p.Services {
		if s.HealthCheck == nil || !strings.HasPrefix(strings.Join(s.HealthCheck.Test, " "), "CMD /usr/local/bin/") {
			continue
		}
		program := map[string]string{"worker": worker, "emitter": emitter}[name]
		if out, err := exec.CommandContext(t.Context(), program, append(slices.Clone(s.HealthCheck.Test[2:]), "--help")...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	schemas := t.TempDir()
	command(t, ".", emitter, "simulate", "--stdout", "--events", "1", "--schemas", schemas)
	want, err := os.ReadFile(filepath.Join(schemas, "support_reply.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(composeFolder, "compose/schemas/support_reply.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the schema is stale (-want +got):\n%s", diff)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// prometheusConfig are the keys of Prometheus' configuration that the file may have.
type prometheusConfig struct {
	Global struct {
		ScrapeInterval string `json:"scrape_interval"`
	} `json:"global"`
	ScrapeConfigs []struct {
		JobName       string `json:"job_name"`
		MetricsPath   string `json:"metrics_path"`
		Authorization struct {
			Type            string `json:"type"`
			CredentialsFile string `json:"credentials_file"`
		} `json:"authorization"`
		DNS []struct {
			Names           []string `json:"names"`
			Type            string   `json:"type"`
			Port            int      `json:"port"`
			RefreshInterval string   `json:"refresh_interval"`
		} `json:"dns_sd_configs"`
	} `json:"scrape_configs"`
}

// TestComposePrometheus: Prometheus asks the workers at their port, with the token that
// they are started with, and has the file.
func TestComposePrometheus(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(composeFolder, "compose/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var c prometheusConfig
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		t.Fatal(err)
	}
	p := mustLoadCompose(t)
	scrape := c.ScrapeConfigs[0]
	if _, ok := p.Services[scrape.DNS[0].Names[0]]; !ok || fmt.Sprintf(":%d", scrape.DNS[0].Port) != *p.Services["worker"].Environment["EVALWORKER_HEALTH_LISTEN"] {
		t.Errorf("it asks %v", scrape.DNS)
	}
	if scrape.Authorization.CredentialsFile != *p.Services["worker"].Environment["EVALWORKER_HEALTH_TOKEN_FILE"] {
		t.Errorf("its token is %s", scrape.Authorization.CredentialsFile)
	}
	if !slices.ContainsFunc(p.Services["prometheus"].Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Source == "keys" && strings.HasPrefix(scrape.Authorization.CredentialsFile, v.Target+"/")
	}) {
		t.Error("it does not have the token")
	}
}
