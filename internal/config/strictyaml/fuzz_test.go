package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

// FuzzDecode: whatever the file holds, reading it ends, every fault has a place
// inside the file, and a fault found later gets one too.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "title: x\n", "titel: x\non: maybe\n", "list:\n  - {name: 1}\n  - &a {heat: .5}\n  - *a\n", "inner: {<<: {share: 1}}\n",
		"title: |\n  a\n\n  b\n", "title: >-\n  a\n  b\n", "title: \"\\x41\\\n  b\"\n", "title: 'it''s'\n", "? a\n: b\n", "%YAML 1.2\n---\na: 1\n...\n",
		"a: [1, 2\n", "\t\n", "any: {a: [1, {b: !!str 2}]}\r\n", "any: &x [*x]\n", "---\n---\n", "a: &b\n", "- - - x\n", "timeout: 1x\nsmall: 0x\n",
	} {
		f.Add([]byte(seed), "title", 1, 2)
	}
	f.Add([]byte("models: {a.b: {name: x}}\nlist: [{}]\n"), "models.a.b.name", 0, 0)
	f.Fuzz(func(t *testing.T, data []byte, path string, line, column int) {
		v := defaults()
		doc, faults := strictyaml.Decode("f.yaml", data, &v)
		inFile := len(strings.Split(strings.ReplaceAll(string(data), "\r", "\n"), "\n")) + 1 // the parser may point past the end
		for _, fault := range faults {
			if fault.File != "f.yaml" || fault.Problem == "" || fault.Line < 0 || fault.Line > inFile || fault.Line > 0 && fault.Column < 1 {
				t.Errorf("fault without a place: %+v", fault)
			}
		}
		for _, fault := range doc.Locate(fault.List{{Path: path, Line: line, Column: column}, {Path: "title", Line: line, Column: column}}) {
			if fault.Line < 1 || fault.Column < 1 || fault.Line > inFile {
				t.Errorf("located outside the file: %+v", fault)
			}
		}
		again := defaults()
		if _, second := strictyaml.Decode("f.yaml", data, &again); second.Error() != faults.Error() {
			t.Errorf("two readings differ:\n%v\n%v", faults, second)
		}
	})
}
