package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/google/licensecheck"
)

// licence is what the files of a module say about how it may be used.
type licence struct {
	ids  []string // SPDX identifiers of known licences
	text []byte   // of all its files
}

// licenceName matches the names of files that have to go with a program.
var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([-._].*)?$`)

// known is the part of a file, in percent, that must be a licence that is known.
const known = 75

// licences returns the licences of the modules inside programs, by package URL.
func licences(ctx context.Context, programs []program) (map[string]licence, error) {
	var args []string
	for _, p := range programs {
		for _, m := range p.modules() {
			args = append(args, m.Path+"@"+m.Version)
		}
	}
	slices.Sort(args)
	download := exec.CommandContext(ctx, "go", append([]string{"mod", "download", "-json"}, slices.Compact(args)...)...)
	download.Stderr = os.Stderr
	found, err := download.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	out := map[string]licence{}
	for in := json.NewDecoder(bytes.NewReader(found)); ; {
		var m struct{ Path, Version, Dir string }
		switch err := in.Decode(&m); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		one, err := readLicence(m.Dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		out[purl(m.Path, m.Version)] = one
	}
}

// readLicence reads the licence files in the folder of a module.
func readLicence(dir string) (licence, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return licence{}, err
	}
	var out licence
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceName.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".csv" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return licence{}, err
		}
		out.text = append(append(out.text, bytes.TrimSpace(text)...), "\n\n"...)
		found := licensecheck.Scan(text)
		if found.Percent < known {
			continue
		}
		for _, m := range found.Match {
			if !m.IsURL {
				out.ids = append(out.ids, m.ID)
			}
		}
	}
	if len(out.text) == 0 {
		return licence{}, errors.New("no licence among its files")
	}
	slices.Sort(out.ids)
	out.ids = slices.Compact(out.ids)
	return out, nil
}

// document returns the texts of all licences, each once, below the modules that have it.
func document(all map[string]licence) []byte {
	byText := map[string][]string{}
	for ref, one := range all {
		byText[string(one.text)] = append(byText[string(one.text)], ref)
	}
	for _, refs := range byText {
		slices.Sort(refs)
	}
	texts := slices.SortedFunc(maps.Keys(byText), func(a, b string) int { return slices.Compare(byText[a], byText[b]) })
	out := bytes.NewBufferString("The programs contain these modules, under these licences.\n")
	for _, text := range texts {
		out.WriteString("\n" + string(bytes.Repeat([]byte("="), 80)) + "\n")
		for _, ref := range byText[text] {
			fmt.Fprintln(out, ref)
		}
		out.WriteString("\n" + text)
	}
	return out.Bytes()
}
