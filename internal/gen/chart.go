package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/evalworker/evalworker/internal/config"
)

// chartFile is the schema of the chart's values. People write it, but for what the value
// config may hold.
const chartFile = "deploy/helm/evalworker/values.schema.json"

// chartSchema returns the schema of the chart's values with the keys of the configuration,
// so that a misspelt one is refused before a pod starts with it.
func chartSchema(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, chartFile))
	if err != nil {
		return nil, err
	}
	before, after, found := strings.Cut(string(text), `    "configuration": `)
	if !found {
		return nil, errors.New(chartFile + ": $defs.configuration is not there")
	}
	var old json.RawMessage
	rest := json.NewDecoder(strings.NewReader(after))
	if err := rest.Decode(&old); err != nil {
		return nil, err
	}
	keys := new(node)
	for _, k := range config.Keys() {
		at := keys
		for part := range strings.SplitSeq(k.Path, ".") {
			at = at.child(part)
		}
	}
	own, err := json.MarshalIndent(keys, "    ", "  ")
	if err != nil {
		return nil, err
	}
	return []byte(before + `    "configuration": ` + string(own) + after[rest.InputOffset():]), nil
}

// node is what one key of the configuration may hold: anything when it is a leaf, because
// the worker knows best which values are right.
type node struct {
	keys  map[string]*node
	named *node // what any name holds, for the part NAME of a path
	items *node // for a part that ends in []
}

// child returns what a part of a key's path leads to.
func (n *node) child(part string) *node {
	if part == "NAME" {
		if n.named == nil {
			n.named = new(node)
		}
		return n.named
	}
	name, list := strings.CutSuffix(part, "[]")
	if n.keys == nil {
		n.keys = map[string]*node{}
	}
	if n.keys[name] == nil {
		n.keys[name] = new(node)
	}
	to := n.keys[name]
	if !list {
		return to
	}
	if to.items == nil {
		to.items = new(node)
	}
	return to.items
}

// MarshalJSON writes the node as a JSON Schema.
func (n *node) MarshalJSON() ([]byte, error) {
	switch {
	case n.keys != nil:
		return json.Marshal(map[string]any{"type": "object", "additionalProperties": false, "properties": n.keys})
	case n.named != nil:
		return json.Marshal(map[string]any{"type": "object", "additionalProperties": n.named})
	case n.items != nil:
		return json.Marshal(map[string]any{"type": "array", "items": n.items})
	}
	return []byte("true"), nil
}
