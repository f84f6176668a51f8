package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Placeholders are what Terraform and the program fill in, in strings of the files.
var placeholders = []string{"${env}", "${notify}", "${docs}", "${team}"}

// placeholder matches a placeholder, and what looks like the beginning of one.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}?`)

// noisy are keys that Datadog sets, drops or reorders by itself, so that Terraform would
// change the object for ever, and keys that are deprecated. Each has the mend.
var noisy = map[string]string{
	"id":                     "Datadog gives ids",
	"created":                "Datadog sets it",
	"created_at":             "Datadog sets it",
	"creator":                "Datadog sets it",
	"modified":               "Datadog sets it",
	"modified_at":            "Datadog sets it",
	"deleted":                "Datadog sets it",
	"author_handle":          "Datadog sets it",
	"author_name":            "Datadog sets it",
	"author_info":            "Datadog sets it",
	"url":                    "Datadog sets it",
	"overall_state":          "Datadog sets it",
	"overall_state_modified": "Datadog sets it",
	"matching_downtimes":     "Datadog sets it",
	"state":                  "Datadog sets it",
	"multi":                  "Datadog derives it from the query",
	"is_read_only":           "deprecated: restriction policies say who may edit",
	"notify_list":            "Datadog orders it anew",
	"locked":                 "deprecated: restriction policies say who may edit",
	"silenced":               "deprecated: downtimes silence monitors",
	"new_host_delay":         "deprecated: new_group_delay is its successor",
	"groupby_simple_monitor": "deprecated: notify_by is its successor",
	"device_ids":             "deprecated",
	"synthetics_check_id":    "deprecated",
	"dashboard_lists":        "Terraform does not update it alone",
}

// document checks what every JSON document here has to keep to: it is one object, no key
// stands twice, and no key or placeholder is one that cannot be there.
func document(b []byte) (faults fault.List) {
	w := walker{dec: json.NewDecoder(bytes.NewReader(b))}
	w.dec.UseNumber()
	if err := w.value(""); err != nil {
		w.faults.Add("", "no JSON: "+err.Error(), "")
		return w.faults
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		w.faults.Add("", "something stands behind the object", "one file holds one object")
	}
	return w.faults
}

// walker reads a document token by token.
type walker struct {
	dec    *json.Decoder
	faults fault.List
}

func (w *walker) value(path string) error {
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return w.object(path)
		}
		for i := 0; w.dec.More(); i++ {
			if err := w.value(fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		_, err = w.dec.Token()
		return err
	case string:
		w.faults.Under(path, written(token))
	case nil:
		w.faults.Add(path, "null", "leave it out: Datadog does not keep it, so Terraform would see a change for ever")
	case bool:
		if !token && (path == "pause_auto_refresh" || strings.HasSuffix(path, ".pause_auto_refresh")) {
			w.faults.Add(path, "false", "leave it out: Datadog does not keep it, so Terraform would see a change for ever")
		}
	}
	return nil
}

func (w *walker) object(path string) error {
	var keys []string
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		if slices.Contains(keys, key) {
			w.faults.Add(at, "the key stands there twice", "readers keep one of them, and not all the same")
		}
		keys = append(keys, key)
		if mend, ok := noisy[key]; ok {
			w.faults.Add(at, "this key must not be there", mend)
		}
		if strings.Contains(key, "${") {
			w.faults.Add(at, "a placeholder in a key", "placeholders stand in values only")
		}
		if err := w.value(at); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// written checks a string's placeholders.
func written(s string) (faults fault.List) {
	if strings.Contains(s, "%{") {
		faults.Add("", "%{ begins a directive of Terraform", "write it another way")
	}
	if strings.Contains(s, "$${") {
		faults.Add("", "$${ is an escape of Terraform only", "write it another way")
		return faults
	}
	for _, found := range placeholder.FindAllString(s, -1) {
		if !slices.Contains(placeholders, found) {
			faults.Add("", "unknown placeholder "+found, fault.Suggest(found, placeholders, ""))
		}
	}
	return faults
}
