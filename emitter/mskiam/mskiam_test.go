package mskiam_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/emitter/mskiam"
)

// offline hides the machine's own settings from AWS' credential chain.
func offline(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
	} {
		t.Setenv(name, value)
		if value == "" {
			_ = os.Unsetenv(name) // t.Setenv puts it back
		}
	}
}

func TestSign(t *testing.T) {
	offline(t)
	key, token := "AKIA"+strings.Repeat("X", 16), strings.Repeat("token", 4)
	secret := strings.Repeat("canary", 6)
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_SESSION_TOKEN", token)
	signed, err := mskiam.New().Sign(t.Context(), "eu-central-1", "b-1.events.kafka.eu-central-1.amazonaws.com")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(signed, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"version": "2020_10_22", "host": "b-1.events.kafka.eu-central-1.amazonaws.com", "action": "kafka-cluster:Connect",
		"x-amz-security-token": token, "x-amz-expires": "300", "x-amz-signedheaders": "host", "x-amz-algorithm": "AWS4-HMAC-SHA256",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	if !strings.HasPrefix(got["x-amz-credential"], key+"/") || !strings.HasSuffix(got["x-amz-credential"], "/eu-central-1/kafka-cluster/aws4_request") {
		t.Errorf("credential %q", got["x-amz-credential"])
	}
	if len(got["x-amz-signature"]) != 64 || strings.Contains(string(signed), secret) {
		t.Errorf("signature %q", got["x-amz-signature"])
	}
}

func TestTheRegionOfTheSurroundings(t *testing.T) {
	offline(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA"+strings.Repeat("X", 16))
	t.Setenv("AWS_SECRET_ACCESS_KEY", strings.Repeat("canary", 6))
	if _, err := mskiam.New().Sign(t.Context(), "", "b-1"); err == nil || !strings.Contains(err.Error(), "sasl.region") {
		t.Errorf("without a region: %v", err)
	}
	t.Setenv("AWS_REGION", "us-east-2")
	signed, err := mskiam.New().Sign(t.Context(), "", "b-1")
	if err != nil || !strings.Contains(string(signed), "/us-east-2/kafka-cluster/") {
		t.Errorf("%s, %v", signed, err)
	}
}

func TestWithoutCredentials(t *testing.T) {
	offline(t)
	if _, err := mskiam.New().Sign(t.Context(), "eu-central-1", "b-1"); err == nil || !strings.Contains(err.Error(), "sign the login to b-1") {
		t.Errorf("without credentials: %v", err)
	}
}

// TestItFits: Sign fits the configuration of an emitter.
func TestItFits(t *testing.T) {
	offline(t)
	e, err := emitter.New(emitter.Config{
		Brokers: []string{"127.0.0.1:1"},
		TLS:     emitter.TLS{Enabled: true},
		SASL:    emitter.SASL{Mechanism: "AWS_MSK_IAM", Region: "eu-central-1", Sign: mskiam.New().Sign},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
