package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestUnitsVerify: systemd itself finds nothing wrong with the units. The programs are
// not installed here, so any program stands for them.
func TestUnitsVerify(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for _, unit := range []string{"evalworker.service", "emitter.service"} {
		text := readUnit(t, unit)
		path := filepath.Join(t.TempDir(), unit)
		stand := strings.NewReplacer("/usr/local/bin/evalworker", "/bin/true", "/usr/local/bin/emitter", "/bin/true").Replace(text)
		if err := os.WriteFile(path, []byte(stand), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
		var own []string // systemd also reports on units of the machine
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, unit) {
				own = append(own, line)
			}
		}
		if len(own) > 0 {
			t.Errorf("%s: %v\n%s", unit, err, strings.Join(own, ""))
		}
	}
}

// TestUnitsGiveTimeToStop: systemd waits longer than the programs' own limits, by
// default 25 s and 10 s for the worker, and 20 s for the sidecar.
func TestUnitsGiveTimeToStop(t *testing.T) {
	t.Parallel()
	for unit, own := range map[string]time.Duration{"evalworker.service": 35 * time.Second, "emitter.service": 20 * time.Second} {
		var found bool
		for line := range strings.Lines(readUnit(t, unit)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "TimeoutStopSec="); ok {
				found = true
				if d, err := time.ParseDuration(value + "s"); err != nil || d <= own {
					t.Errorf("%s: %s s, want more than %v", unit, value, own)
				}
			}
		}
		if !found {
			t.Errorf("%s: no TimeoutStopSec", unit)
		}
	}
}

func readUnit(t *testing.T, unit string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy/systemd", unit))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
