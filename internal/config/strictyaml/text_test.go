package strictyaml_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		into, want any
		fault      string
	}{
		{"string that looks like a number", "007", new(string), "007", ""},
		{"secret", "k", new(secret.String), secret.String("k"), ""},
		{"boolean", "true", new(bool), true, ""},
		{"integer", "-3", new(int), -3, ""},
		{"hexadecimal", "0x10", new(int), 16, ""},
		{"number", "1e-3", new(float64), 0.001, ""},
		{"number behind a pointer", "0.5", new(*float64), new(0.5), ""},
		{"duration", "90s", new(time.Duration), 90 * time.Second, ""},
		{"list", "a:1, b:2", new([]string), []string{"a:1", "b:2"}, ""},
		{"own type", "high", new(level), level(2), ""},
		{"no boolean", "yes", new(bool), false, "got a string; want true or false"},
		{"no integer", "1.5", new(int), 0, "got a number; want an integer"},
		{"no number", "inf", new(float64), 0.0, "got a string; want a number"},
		{"no unit", "30", new(time.Duration), time.Duration(0), `"30" is not a duration; want a duration with its unit, such as 500ms, 30s or 5m`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			faults := strictyaml.Text(tt.text, tt.into)
			if faults.Error() != tt.fault {
				t.Errorf("faults = %v, want %q", faults, tt.fault)
			}
			var got any
			switch v := tt.into.(type) {
			case *string:
				got = *v
			case *secret.String:
				got = *v
			case *bool:
				got = *v
			case *int:
				got = *v
			case *float64:
				got = *v
			case **float64:
				got = *v
			case *time.Duration:
				got = *v
			case *[]string:
				got = *v
			case *level:
				got = *v
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
