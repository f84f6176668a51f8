package boards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Pictures draws all dashboards of a folder that is laid out as deploy/datadog is, by
// the base names of their files.
func Pictures(folder string) (map[string][]byte, error) {
	var monitors []Monitor
	err := each(filepath.Join(folder, "monitors"), func(id string, raw []byte) error {
		m := Monitor{ID: id}
		err := json.Unmarshal(raw, &m)
		m.Name = strings.NewReplacer("${env}", "prod", "${team}", "llm").Replace(m.Name)
		monitors = append(monitors, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	err = each(filepath.Join(folder, "dashboards"), func(id string, raw []byte) (err error) {
		out[id], err = Draw(raw, monitors)
		return err
	})
	return out, err
}

// each calls do with the files of a folder, in the order of their names.
func each(folder string, do func(id string, raw []byte) error) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path) //nolint:gosec // files of this repository
		if err != nil {
			return err
		}
		if err := do(strings.TrimSuffix(filepath.Base(path), ".json"), raw); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
