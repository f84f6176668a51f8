package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// triggerKeys are the keys that KEDA's trigger apache-kafka reads (2.21,
// pkg/scalers/apache_kafka_scaler.go). KEDA ignores any other without a word.
// excludePersistentLag is left out on purpose: it makes a fleet shrink while it is behind.
var triggerKeys = []string{
	"bootstrapServers", "consumerGroup", "topic", "lagThreshold", "activationLagThreshold", "offsetResetPolicy", "partitionLimitation",
	"allowIdleConsumers", "scaleToZeroOnInvalidOffset", "limitToPartitionsWithLag", "ensureEvenDistributionOfPartitions", "sasl", "tls",
	"awsRegion",
}

// keda checks an object against KEDA's own definition, in which no unknown field is
// allowed, and the keys of its triggers.
func keda(o object) error {
	file := map[string]string{"ScaledObject": "keda.sh_scaledobjects.yaml", "TriggerAuthentication": "keda.sh_triggerauthentications.yaml"}[o.Kind]
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		return err
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return err
	}
	schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	spec := schema["properties"].(map[string]any)["spec"]
	closed(spec)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("spec.json", spec); err != nil {
		return err
	}
	compiled, err := compiler.Compile("spec.json")
	if err != nil {
		return err
	}
	asJSON, err := json.Marshal(o.Raw["spec"])
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	if err := compiled.Validate(value); err != nil {
		return err
	}
	return triggers(o)
}

// closed adds additionalProperties: false to every object of a schema that lists its
// properties. The API server drops such fields silently.
func closed(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if _, ok := s["properties"]; ok && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] == nil {
			s["additionalProperties"] = false
		}
		for _, sub := range s {
			closed(sub)
		}
	case []any:
		for _, sub := range s {
			closed(sub)
		}
	}
}

func triggers(o object) error {
	spec, _ := o.Raw["spec"].(map[string]any)
	list, _ := spec["triggers"].([]any)
	var faults []error
	for _, t := range list {
		metadata, _ := t.(map[string]any)["metadata"].(map[string]any)
		for key := range metadata {
			if !slices.Contains(triggerKeys, key) {
				faults = append(faults, fmt.Errorf("the trigger apache-kafka does not know %q", key))
			}
		}
	}
	return errors.Join(faults...)
}
