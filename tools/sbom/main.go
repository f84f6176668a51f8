// Command sbom writes what programs are made of, from the modules that Go recorded in
// them: a bill of materials in the form of CycloneDX, and the texts of the licences.
//
//	sbom -version v1.2.3 -created 2026-06-01T09:00:00Z -dir DIR PROGRAM...
//
// The modules' files have to be in Go's cache, which they are after a build. The same
// programs give the same files.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Files that are written.
const (
	bomFile      = "sbom.cdx.json"
	licencesFile = "licenses.txt"
	home         = "github.com/evalworker/evalworker"
)

func main() {
	version := flag.String("version", "devel", "version of the programs")
	created := flag.String("created", "", "time of the sources, in RFC 3339")
	dir := flag.String("dir", ".", "folder to write "+bomFile+" and "+licencesFile+" into")
	flag.Parse()
	if err := run(*version, *created, *dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(version, created, dir string, paths []string) error {
	if len(paths) == 0 {
		return errors.New("want the programs as arguments")
	}
	var programs []program
	for _, path := range paths {
		p, err := read(path)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	texts, err := licences(context.Background(), programs)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom(version, created, programs, texts), cdx.SpecVersion1_6); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, bomFile), out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, licencesFile), document(texts), 0o644)
}

// program is one program and what Go recorded in it.
type program struct {
	name string
	sum  [sha256.Size]byte
	info *debug.BuildInfo
}

func read(path string) (program, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return program{}, fmt.Errorf("%s: %w", path, err)
	}
	return program{filepath.Base(path), sha256.Sum256(data), info}, nil
}

// modules returns the modules of others that are inside a program, as they were built: the
// one that replaces another stands for it.
func (p program) modules() []*debug.Module {
	var out []*debug.Module
	for _, m := range p.info.Deps {
		if strings.HasPrefix(m.Path, home+"/") {
			continue // a module of this repository is the program itself
		}
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, m)
	}
	return out
}

// goVersion returns Go's version as a number, without "go".
func (p program) goVersion() string {
	version, _, _ := strings.Cut(strings.TrimPrefix(p.info.GoVersion, "go"), " ")
	return version
}

// bom returns the bill of materials: both programs, each with the modules that it
// contains, and Go's standard library.
func bom(version, created string, programs []program, texts map[string]licence) *cdx.BOM {
	product := purl(home, version)
	b := cdx.NewBOM()
	serial := sha256.New()
	components := map[string]cdx.Component{}
	dependencies := []cdx.Dependency{}
	var names []string
	for _, p := range programs {
		serial.Write(p.sum[:])
		own := product + "#cmd/" + p.name
		names = append(names, own)
		components[own] = cdx.Component{
			BOMRef: own, Type: cdx.ComponentTypeApplication, Name: p.name, Version: version, PackageURL: own,
			Licenses: spdx("Apache-2.0"),
			Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(p.sum[:])}},
		}
		std := purl("std", p.goVersion())
		components[std] = cdx.Component{
			BOMRef: std, Type: cdx.ComponentTypeLibrary, Name: "std", Version: p.goVersion(), PackageURL: std,
			Description: "Go's standard library and runtime", Licenses: spdx("BSD-3-Clause"),
		}
		uses := []string{std}
		for _, m := range p.modules() {
			ref := purl(m.Path, m.Version)
			uses = append(uses, ref)
			components[ref] = cdx.Component{
				BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: ref,
				Hashes: hashes(m.Sum), Licenses: spdx(texts[ref].ids...),
			}
		}
		slices.Sort(uses)
		dependencies = append(dependencies, cdx.Dependency{Ref: own, Dependencies: &uses})
	}
	id := serial.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8 of RFC 9562: of one's own making
	b.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	b.Metadata = &cdx.Metadata{
		Timestamp: created,
		Component: &cdx.Component{
			BOMRef: product, Type: cdx.ComponentTypeContainer, Name: "evalworker", Version: version, PackageURL: product,
			Licenses: spdx("Apache-2.0"),
		},
	}
	list := slices.SortedFunc(maps.Values(components), func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	dependencies = append([]cdx.Dependency{{Ref: product, Dependencies: &names}}, dependencies...)
	b.Components, b.Dependencies = &list, &dependencies
	return b
}

// purl returns the package URL of a module.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// hashes returns the sum of a module's files as go.sum has it, which is a SHA-256 in Base64
// of the list of their sums.
func hashes(sum string) *[]cdx.Hash {
	text, ok := strings.CutPrefix(sum, "h1:")
	data, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil
	}
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(data)}}
}

// spdx returns licences by their SPDX identifiers; nil for none.
func spdx(ids ...string) *cdx.Licenses {
	if len(ids) == 0 {
		return nil
	}
	var out cdx.Licenses
	for _, id := range ids {
		out = append(out, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	return &out
}
