package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const chartFolder = "../../deploy/helm/evalworker"

// object is one rendered object, in its own type and as it stands.
type object struct {
	Kind, Name string
	Typed      any // of Kubernetes or the Prometheus operator; nil for KEDA's
	Raw        map[string]any
	YAML       []byte
}

// objects are the rendered objects in the order of kind and name.
type objects []object

// find returns the only object of a kind; nil when there is none.
func (o objects) find(t *testing.T, kind string) *object {
	t.Helper()
	var found *object
	for i := range o {
		if o[i].Kind == kind {
			if found != nil {
				t.Fatalf("two objects of kind %s", kind)
			}
			found = &o[i]
		}
	}
	return found
}

// deployment returns the worker's Deployment.
func (o objects) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	found := o.find(t, "Deployment")
	if found == nil {
		t.Fatal("no Deployment")
	}
	return found.Typed.(*appsv1.Deployment)
}

// render renders the chart with these values beside its own.
func render(values string) (objects, error) {
	chart, err := loader.Load(chartFolder)
	if err != nil {
		return nil, err
	}
	var given map[string]any
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: "evalworker", Namespace: "llm", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, given, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	var out objects
	for name, text := range files {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		found, err := decode([]byte(text))
		if err != nil {
			return nil, errors.Join(errors.New(name), err)
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b object) int { return strings.Compare(a.Kind+a.Name, b.Kind+b.Name) })
	return out, nil
}

// mustRender is render for values that are right.
func mustRender(t *testing.T, values string) objects {
	t.Helper()
	out, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// decode decodes the documents of one file strictly: an unknown or repeated field is an
// error.
func decode(text []byte) (objects, error) {
	var out objects
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		var head struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		o := object{YAML: doc}
		if err := errors.Join(yaml.Unmarshal(doc, &head), yaml.UnmarshalStrict(doc, &o.Raw)); err != nil {
			return nil, err
		}
		o.Kind, o.Name = head.Kind, head.Metadata.Name
		if o.Kind == "ScaledObject" || o.Kind == "TriggerAuthentication" {
			if err := keda(o); err != nil {
				return nil, err
			}
		} else {
			types := map[string]func() any{
				"ConfigMap":               func() any { return new(corev1.ConfigMap) },
				"Deployment":              func() any { return new(appsv1.Deployment) },
				"HorizontalPodAutoscaler": func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
				"NetworkPolicy":           func() any { return new(networkingv1.NetworkPolicy) },
				"PersistentVolumeClaim":   func() any { return new(corev1.PersistentVolumeClaim) },
				"PodMonitor":              func() any { return new(monitoringv1.PodMonitor) },
				"PodDisruptionBudget":     func() any { return new(policyv1.PodDisruptionBudget) },
				"Secret":                  func() any { return new(corev1.Secret) },
				"ServiceAccount":          func() any { return new(corev1.ServiceAccount) },
			}
			typed, ok := types[o.Kind]
			if !ok {
				return nil, errors.New("a kind that this test does not know: " + o.Kind)
			}
			o.Typed = typed()
			if err := yaml.UnmarshalStrict(doc, o.Typed); err != nil {
				return nil, err
			}
		}
		out = append(out, o)
	}
}

// full are values that use everything that the chart can render.
func full(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
