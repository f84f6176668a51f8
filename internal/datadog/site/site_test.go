package site_test

import (
	"testing"

	"github.com/evalworker/evalworker/internal/datadog/site"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "datadoghq.com", "datadoghq.eu": "datadoghq.eu", " US5.datadoghq.com\n": "us5.datadoghq.com", "ddog-gov.com": "ddog-gov.com",
		"ap2.datadoghq.com": "ap2.datadoghq.com",
	} {
		if got, ok := site.Of(value); got != want || !ok {
			t.Errorf("%q is %q, %v, want %q", value, got, ok, want)
		}
	}
	for _, value := range []string{
		"datadoghq.con", "datadoghq.com.example.com", "mydatadoghq.com", "datadoghq.com:8443", "datadoghq.com/api", "https://datadoghq.com",
		"app.datadoghq.eu", "api.datadoghq.com", "a.b.datadoghq.com", "datadoghq.com@example.com", "datadoghq", "datadoghq.com\nexample.com",
	} {
		if got, ok := site.Of(value); ok {
			t.Errorf("%q is the site %q", value, got)
		}
	}
}
