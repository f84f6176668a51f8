package deploy

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// fleet are values for several workers.
const fleet = `
config: {store: {url: "postgres://evalworker@db/evalworker"}}
`

func kinds(o objects) []string {
	var out []string
	for _, one := range o {
		out = append(out, one.Kind)
	}
	return out
}

// TestRendersStrictly: what the chart renders has only fields that Kubernetes and KEDA
// know, with the chart's own values and with all that it can do.
func TestRendersStrictly(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		values string
		kinds  []string
	}{
		"default": {"", []string{"ConfigMap", "Deployment", "PersistentVolumeClaim", "PodDisruptionBudget", "Secret", "ServiceAccount"}},
		"full":    {full(t), []string{"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor", "ScaledObject", "Secret", "ServiceAccount", "TriggerAuthentication"}},
		"hpa": {
			fleet + "autoscaling: {mode: hpa, hpa: {selector: {env: prod}}}",
			[]string{"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Secret", "ServiceAccount"},
		},
		"MSK": {
			`
autoscaling: {mode: keda}
config:
  store: {url: "postgres://evalworker@db/evalworker"}
  kafka: {tls: {enabled: true}, sasl: {mechanism: AWS_MSK_IAM, region: eu-west-1}}
`,
			[]string{"ConfigMap", "Deployment", "PodDisruptionBudget", "ScaledObject", "Secret", "ServiceAccount", "TriggerAuthentication"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(row.kinds, kinds(mustRender(t, row.values))); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefusesMistakes: a misspelt value, and combinations that would lose cases or make
// the fleet swing, do not render, and the message names the value.
func TestRefusesMistakes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ values, message string }{
		"misspelt value":               {"replica: 2", "replica"},
		"misspelt value inside":        {"autoscaling: {maxReplica: 3}", "maxReplica"},
		"misspelt section of the file": {"config: {kafkaa: {group: a}}", "additional properties 'kafkaa' not allowed"},
		"misspelt key of the file":     {"config: {kafka: {broker: [\"a:1\"]}}", "additional properties 'broker' not allowed"},
		"misspelt key of an evaluator": {"config: {evaluators: [{name: a, type: secrets, rat: 1}]}", "additional properties 'rat' not allowed"},
		"misspelt key of a model":      {"config: {models: {default: {modle: m}}}", "additional properties 'modle' not allowed"},
		"a grace that is removed":      {"shutdown: {graceSeconds: null}", "missing property 'graceSeconds'"},
		"a grace beside the chart's":   {"extraEnv: [{name: EVALWORKER_SHUTDOWN_GRACE, value: 600s}]", "extraEnv: EVALWORKER_SHUTDOWN_GRACE"},
		"a section that is removed":    {"resources: null", "missing property 'resources'"},
		"no way to the agent":          {"datadog: {agent: null}", "missing property 'agent'"},
		"several workers on SQLite":    {"replicas: 2", "cannot share a SQLite file"},
		"autoscaling on SQLite":        {"autoscaling: {mode: keda}", "autoscaling needs a store that workers share"},
		"threshold within in-flight events": {
			fleet + "autoscaling: {mode: keda, lagThreshold: 500}", "four times config.kafka.max_in_flight (256)",
		},
		"fewer than the fewest":           {fleet + "autoscaling: {mode: hpa, minReplicas: 5, maxReplicas: 3}", "minReplicas is above maxReplicas"},
		"shutdown in the configuration":   {"config: {shutdown: {grace: 60s}}", "config.shutdown"},
		"health in the configuration":     {"config: {health: {listen: \":1\"}}", "config.health"},
		"Datadog off in two places":       {"config: {datadog: {enabled: false}}", "config.datadog.enabled"},
		"a secret without a key":          {"secrets: {modelKey: {name: model}}", "secrets.modelKey"},
		"a login that KEDA does not have": {strings.Replace(full(t), "SCRAM-SHA-512", "GSSAPI", 1), "GSSAPI"},
		"a login without a password":      {strings.Replace(full(t), "kafkaPassword: {name: kafka, key: password}", "", 1), "secrets.kafkaPassword"},
		"a monitor without metrics":       {"metrics: {enabled: false, podMonitor: {enabled: true}}", "metrics.podMonitor.enabled"},
		"an interval that is none":        {"metrics: {podMonitor: {interval: 0s}}", "interval"},
		"no evaluators":                   {"config: {evaluators: []}", "evaluators"},
		"a store that is none":            {"config: {store: {url: \"mysql://db\"}}", "url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := render(row.values); err == nil || !strings.Contains(err.Error(), row.message) {
				t.Errorf("error %v, want one with %q", err, row.message)
			}
		})
	}
}

// TestChecksCanFail: what the strict decoding and KEDA's definition are there to find.
func TestChecksCanFail(t *testing.T) {
	t.Parallel()
	scaled := mustRender(t, full(t)).find(t, "ScaledObject")
	for name, row := range map[string]struct{ text, old, new string }{
		"Deployment":          {string(mustRender(t, "").find(t, "Deployment").YAML), "terminationGracePeriodSeconds", "terminationGracePeriod"},
		"ScaledObject":        {string(scaled.YAML), "maxReplicaCount", "maxReplicasCount"},
		"trigger":             {string(scaled.YAML), "lagThreshold", "lagTreshold"},
		"PodMonitor":          {string(mustRender(t, full(t)).find(t, "PodMonitor").YAML), "credentials:", "credential:"},
		"number for a string": {string(scaled.YAML), `lagThreshold: "2000"`, `lagThreshold: 2000`},
		"persistent lag":      {string(scaled.YAML), "limitToPartitionsWithLag", "excludePersistentLag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(row.text, row.old) {
				t.Fatalf("%q is not in:\n%s", row.old, row.text)
			}
			if _, err := decode([]byte(row.text)); err != nil {
				t.Fatalf("before: %v", err)
			}
			if _, err := decode([]byte(strings.Replace(row.text, row.old, row.new, 1))); err == nil {
				t.Errorf("%q passes", row.new)
			}
		})
	}
}

// TestGraceIsLongerThanTheWorkers: for every value, the kubelet waits longer than the
// worker needs.
func TestGraceIsLongerThanTheWorkers(t *testing.T) {
	t.Parallel()
	for _, grace := range []int{1, 25, 300, 3600} {
		for _, end := range []int{1, 10, 3600} {
			d := mustRender(t, fmt.Sprintf("shutdown: {graceSeconds: %d, closeSeconds: %d}", grace, end)).deployment(t)
			pod := d.Spec.Template.Spec
			if got := *pod.TerminationGracePeriodSeconds; got <= int64(grace+end) {
				t.Errorf("%d s for a worker that takes up to %d", got, grace+end)
			}
			env := variables(pod.Containers[0])
			if env["EVALWORKER_SHUTDOWN_GRACE"] != fmt.Sprintf("%ds", grace) || env["EVALWORKER_SHUTDOWN_CLOSE"] != fmt.Sprintf("%ds", end) {
				t.Errorf("the worker is told %v", env)
			}
		}
	}
}

func variables(c corev1.Container) map[string]string {
	out := map[string]string{}
	for _, v := range c.Env {
		out[v.Name] = v.Value
	}
	return out
}

// TestReplicasBelongToTheAutoscaler: beside an autoscaler the Deployment names no number,
// or every upgrade would set the fleet back, and Helm 4 refuses the conflict.
func TestReplicasBelongToTheAutoscaler(t *testing.T) {
	t.Parallel()
	if d := mustRender(t, fleet+"replicas: 3").deployment(t); d.Spec.Replicas == nil || *d.Spec.Replicas != 3 {
		t.Errorf("replicas %v, want 3", d.Spec.Replicas)
	}
	for _, mode := range []string{"keda", "hpa"} {
		if d := mustRender(t, fleet+"autoscaling: {mode: "+mode+"}").deployment(t); d.Spec.Replicas != nil {
			t.Errorf("%s: replicas %d", mode, *d.Spec.Replicas)
		}
	}
}

// TestPodsRollOnlyWhenTheyHaveTo: what a worker loads again rolls no pod; a change of
// anything else needs a restart.
func TestPodsRollOnlyWhenTheyHaveTo(t *testing.T) {
	t.Parallel()
	sum := func(values string) string {
		return mustRender(t, values).deployment(t).Spec.Template.Annotations["checksum/restart"]
	}
	base := sum("")
	// TestChartKnowsWhatReloads (internal/config) says that these are all.
	for _, set := range []string{
		"evaluators: [{name: secrets, type: secrets}]", "sampling: {default_rate: 0.5}", "models: {default: {model: m}}",
		"judges: {when_down: wait}", "feedback: {rating_max: 5}", "schemas: elsewhere", "rubrics: elsewhere",
	} {
		if sum("config: {"+set+"}") != base {
			t.Errorf("%s rolls the pods", set)
		}
	}
	if sum("config: {kafka: {topic: other}}") == base {
		t.Error("another topic does not roll the pods")
	}
}

// TestPodIsRestricted: the pod keeps to Kubernetes' restricted profile, and no secret's
// value is in its variables.
func TestPodIsRestricted(t *testing.T) {
	t.Parallel()
	pod := mustRender(t, full(t)).deployment(t).Spec.Template.Spec
	c := pod.Containers[0]
	if s := pod.SecurityContext; !*s.RunAsNonRoot || *s.RunAsUser == 0 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security of the pod: %+v", s)
	}
	if s := c.SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Contains(s.Capabilities.Drop, "ALL") {
		t.Errorf("security of the container: %+v", s)
	}
	if *pod.AutomountServiceAccountToken {
		t.Error("the pod has a token of the cluster")
	}
	env := variables(c)
	for _, name := range []string{"OPENAI_API_KEY_FILE", "EVALWORKER_KAFKA_SASL_PASSWORD_FILE", "EVALWORKER_STORE_PASSWORD_FILE", "EVALWORKER_HEALTH_TOKEN_FILE"} {
		if !strings.HasPrefix(env[name], "/var/run/secrets/evalworker/") {
			t.Errorf("%s = %q", name, env[name])
		}
	}
	if env["GOMEMLIMIT"] != "460MiB" {
		t.Errorf("GOMEMLIMIT = %q of 512Mi", env["GOMEMLIMIT"])
	}
}

// TestPodMonitorAsksTheWorkers: it selects the pods, names their port, and bears the token
// that they are started with.
func TestPodMonitorAsksTheWorkers(t *testing.T) {
	t.Parallel()
	for _, values := range []string{"metrics: {podMonitor: {enabled: true}}", full(t)} {
		rendered := mustRender(t, values)
		monitor := rendered.find(t, "PodMonitor").Typed.(*monitoringv1.PodMonitor)
		pod := rendered.deployment(t).Spec.Template
		for name, value := range monitor.Spec.Selector.MatchLabels {
			if pod.Labels[name] != value {
				t.Errorf("pods have %s=%q, want %q", name, pod.Labels[name], value)
			}
		}
		endpoint := monitor.Spec.PodMetricsEndpoints[0]
		if port := pod.Spec.Containers[0].Ports[0].Name; *endpoint.Port != port {
			t.Errorf("port %q, want %q", *endpoint.Port, port)
		}
		mounted := pod.Spec.Volumes[1].Projected.Sources[0].Secret
		if asks := endpoint.Authorization.Credentials; asks.Name != mounted.Name || asks.Key != mounted.Items[0].Key {
			t.Errorf("the token is %s of %s, the worker's %s of %s", asks.Key, asks.Name, mounted.Items[0].Key, mounted.Name)
		}
	}
	if _, set := variables(mustRender(t, "").deployment(t).Spec.Template.Spec.Containers[0])["EVALWORKER_HEALTH_METRICS"]; set {
		t.Error("metrics are on without a variable, which older images refuse")
	}
	if got := variables(mustRender(t, "metrics: {enabled: false}").deployment(t).Spec.Template.Spec.Containers[0])["EVALWORKER_HEALTH_METRICS"]; got != "false" {
		t.Errorf("metrics are off, and the worker is told %q", got)
	}
}

// TestExampleRenders: the values of the example in deploy/README.md give a fleet that is
// scaled and watched.
func TestExampleRenders(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(page), "```yaml\n# fleet.yaml")
	_, example, _ = strings.Cut(example, "\n")
	example, _, _ = strings.Cut(example, "```")
	if !found {
		t.Fatal("deploy/README.md has no example fleet.yaml")
	}
	rendered := mustRender(t, example)
	for _, kind := range []string{"Deployment", "PodMonitor", "ScaledObject", "TriggerAuthentication"} {
		if rendered.find(t, kind) == nil {
			t.Errorf("no %s in %v", kind, kinds(rendered))
		}
	}
}

// TestVersionLabel: objects and pods say which version runs, in the form of a label.
func TestVersionLabel(t *testing.T) {
	t.Parallel()
	chart, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	for values, want := range map[string]string{
		"":                     chart.Metadata.AppVersion,
		"image: {tag: v1.2.3}": "v1.2.3",
		"image: {tag: " + strings.Repeat("a", 62) + "-" + strings.Repeat("b", 30) + "}": strings.Repeat("a", 62),
	} {
		d := mustRender(t, values).deployment(t)
		const key = "app.kubernetes.io/version"
		if got, pod := d.Labels[key], d.Spec.Template.Labels[key]; got != want || pod != want {
			t.Errorf("%q: %q and %q, want %q", values, got, pod, want)
		}
	}
}

// TestNetworkPolicyOpensWhatTheConfigurationNeeds: the ports come from it, those of every server of a list too.
func TestNetworkPolicyOpensWhatTheConfigurationNeeds(t *testing.T) {
	t.Parallel()
	with := func(config string) string {
		return "networkPolicy: {enabled: true}\ndatadog: {agent: socket}\nconfig: {" + config + "}"
	}
	for name, row := range map[string]struct {
		values string
		ports  []string // beside DNS
	}{
		"everything":        {full(t), []string{"3128", "443", "6432", "8000", "9093"}},
		"several databases": {with(`store: {url: "postgres://worker@db-1:6432,db-2:6433,db-3/evals?target_session_attrs=read-write"}`), []string{"443", "5432", "6432", "6433", "9092"}},
		"a database's user": {with(`store: {url: "postgresql://worker:1234@db/evals"}`), []string{"443", "5432", "9092"}},
		"IPv6":              {with(`kafka: {brokers: ["[fd00::1]:9094", "[fd00::2]:9095"]}, store: {url: "postgres://worker@[fd00::3]:6432,[fd00::4]/evals"}`), []string{"443", "5432", "6432", "9094", "9095"}},
		"a model's port":    {with(`models: {default: {model: small, base_url: "https://models:8443/v1"}}`), []string{"443", "8443", "9092"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := mustRender(t, row.values).find(t, "NetworkPolicy").Typed.(*networkingv1.NetworkPolicy)
			var ports []string
			for _, rule := range policy.Spec.Egress {
				for _, p := range rule.Ports {
					ports = append(ports, p.Port.String())
				}
			}
			slices.Sort(ports)
			want := append(row.ports, "53", "53")
			slices.Sort(want)
			if diff := cmp.Diff(want, ports); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWorkerAcceptsTheFiles lays the ConfigMap out as the kubelet does, with its links,
// and lets the program check it.
func TestWorkerAcceptsTheFiles(t *testing.T) {
	t.Parallel()
	program := buildProgram(t, "evalworker")
	for _, row := range []struct {
		values string
		env    []string
	}{{"", nil}, {full(t), []string{"OPENAI_API_KEY=none", "EVALWORKER_KAFKA_SASL_PASSWORD=none"}}} {
		rendered := mustRender(t, row.values)
		folder := t.TempDir()
		data := filepath.Join(folder, "..2026_01_01")
		config := rendered.find(t, "ConfigMap").Typed.(*corev1.ConfigMap)
		pod := rendered.deployment(t).Spec.Template.Spec
		for _, item := range pod.Volumes[0].ConfigMap.Items {
			path := filepath.Join(data, item.Path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(config.Data[item.Key]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for name, target := range map[string]string{
			"..data": "..2026_01_01", "evalworker.yaml": "..data/evalworker.yaml", "schemas": "..data/schemas", "rubrics": "..data/rubrics",
		} {
			if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
		check := exec.CommandContext(t.Context(), program, "check", "--config", filepath.Join(folder, "evalworker.yaml"))
		check.Env = append(row.env, "HOME="+folder)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// The values of the plain manifests.
const (
	manifestOne   = "secrets: {healthToken: {name: evalworker-health, key: token}}"
	manifestFleet = `
replicas: 3
config: {store: {url: "postgres://evalworker@postgres/evalworker"}}
secrets:
  healthToken: {name: evalworker-health, key: token}
  storePassword: {name: evalworker-store, key: password}
`
)

var update = flag.Bool("update", false, "write the plain manifests")

// TestManifestsAreCurrent: the plain manifests are what the chart renders.
func TestManifestsAreCurrent(t *testing.T) {
	t.Parallel()
	for file, values := range map[string]string{"one-worker.yaml": manifestOne, "fleet.yaml": manifestFleet} {
		var want strings.Builder
		want.WriteString("# Made from deploy/helm/evalworker by: cd test/deploy && go test -run ManifestsAreCurrent -update\n")
		for _, o := range mustRender(t, values) {
			text, err := yaml.Marshal(o.Raw)
			if err != nil {
				t.Fatal(err)
			}
			want.WriteString("---\n" + string(text))
		}
		path := filepath.Join("../../deploy/kubernetes", file)
		if *update {
			if err := os.WriteFile(path, []byte(want.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(got)); diff != "" {
			t.Errorf("%s is stale: run the test with -update (-want +got):\n%s", file, diff)
		}
	}
}
