package validators

import (
	"net/url"
	"path"
	"strings"
)

// reference is one $ref of a schema file.
type reference struct {
	pointer string // of the keyword
	target  string // as it was written
	based   bool   // an $id above it changes what it is relative to
}

// references finds every $ref of a schema document. Values that are data and no
// schema (enum, const, default, examples) are left alone, and so are properties
// that happen to have the name "$ref".
func references(doc any) []reference {
	var found []reference
	var walk func(v any, pointer string, names, based bool)
	walk = func(v any, pointer string, names, based bool) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				walk(item, pointer+"/"+itoa(i), false, based)
			}
		case map[string]any:
			if !names {
				id, isID := v["$id"].(string)
				if !isID {
					id, isID = v["id"].(string) // draft 4
				}
				based = based || isID && !strings.HasPrefix(id, "#")
			}
			for _, key := range sortedKeys(v) {
				child := pointer + "/" + escapeToken(key)
				switch {
				case names:
					walk(v[key], child, false, based)
				case key == "$ref":
					if target, ok := v[key].(string); ok {
						found = append(found, reference{child, target, based})
					}
				case key == "enum", key == "const", key == "default", key == "examples", key == "example":
				default:
					walk(v[key], child, namesSchemas(key), based)
				}
			}
		}
	}
	walk(doc, "", false, false)
	return found
}

// namesSchemas reports whether the members of a keyword's value are schemas by
// names of somebody's own.
func namesSchemas(keyword string) bool {
	switch keyword {
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
		return true
	}
	return false
}

// within says why a reference may not be followed, or gives the file of the
// folder and the fragment that it leads to. file is empty for a reference whose
// meaning depends on an $id, which the compiler resolves, and for one into the
// referring file itself it is that file.
func (r reference) within(from string) (file, fragment, refusal string) {
	u, err := url.Parse(r.target)
	if err != nil {
		return "", "", "is no URI reference"
	}
	switch {
	case u.Scheme == "" && u.Host == "" && u.Path == "":
		if r.based {
			return "", "", ""
		}
		return from, u.Fragment, ""
	case u.Scheme == "urn":
		return "", "", ""
	case u.Scheme == "file":
		return "", "", "is an absolute file"
	case u.Scheme != "" || u.Host != "":
		return "", "", "" // an $id of the folder or a meta-schema, or else refused by the loader
	case strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, `\`) || strings.Contains(u.Path, `:\`):
		return "", "", "is an absolute path"
	}
	if u.Path != "" {
		to := path.Join(path.Dir(from), u.Path)
		if to == ".." || strings.HasPrefix(to, "../") {
			return "", "", "leads out of the schema folder"
		}
		if r.based {
			return "", "", ""
		}
		return to, u.Fragment, ""
	}
	return "", "", "is no URI reference"
}
