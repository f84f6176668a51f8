package clients

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleaseSetsVersions runs the lines of tools/release.sh that write the version into files
// on copies of them: what names the clients' version must not be left behind.
func TestReleaseSetsVersions(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	text, err := os.ReadFile("../../tools/release.sh")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -e\nnumber=9.8.7\n"
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "sed -i") && !strings.Contains(line, "deploy/") && !strings.Contains(line, "$chart") {
			script += line
		}
	}
	dir := t.TempDir()
	files := []string{
		"clients/python/src/evalworker/_version.py", "clients/node/package.json", "clients/java/pom.xml",
		"examples/spring/pom.xml", "docs/publish.md",
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("../..", name)) //nolint:gosec // of this tree
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := run(dir, bash, "-c", script); err != nil {
		t.Fatal(err)
	}
	current := pomOf(t, "../../clients/java/pom.xml").Version
	for _, name := range files {
		was, err := os.ReadFile(filepath.Join("../..", name)) //nolint:gosec // of this tree
		if err != nil {
			t.Fatal(err)
		}
		is, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // of this tree
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(is, []byte("9.8.7")); n == 0 || n < bytes.Count(was, []byte(current)) || bytes.Contains(is, []byte(current)) {
			t.Errorf("%s has the new version %d times, or still has %s", name, n, current)
		}
		if len(bytes.Split(is, []byte("\n"))) != len(bytes.Split(was, []byte("\n"))) {
			t.Errorf("%s has gained or lost lines", name)
		}
	}
}

// pom is what Maven Central asks for in the description of what it takes.
type pom struct {
	Version     string   `xml:"version"`
	Name        string   `xml:"name"`
	Description string   `xml:"description"`
	URL         string   `xml:"url"`
	Licenses    []string `xml:"licenses>license>url"`
	Developers  []string `xml:"developers>developer>name"`
	Connections []string `xml:"scm>connection"`
	SCM         string   `xml:"scm>url"`
	Plugins     []string `xml:"build>plugins>plugin>artifactId"`
}

func pomOf(t *testing.T, file string) pom {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // of this tree
	if err != nil {
		t.Fatal(err)
	}
	var p pom
	if err := xml.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMavenCentral: the client for Java has what Maven Central refuses a release without.
func TestMavenCentral(t *testing.T) {
	t.Parallel()
	p := pomOf(t, "../../clients/java/pom.xml")
	plugins := strings.Join(p.Plugins, " ")
	for what, has := range map[string]bool{
		"version": p.Version != "", "name": p.Name != "", "description": p.Description != "", "url": p.URL != "", "a license": len(p.Licenses) > 0,
		"a developer": len(p.Developers) > 0, "scm": len(p.Connections) > 0 && p.SCM != "",
		"sources": strings.Contains(plugins, "maven-source-plugin"), "javadoc": strings.Contains(plugins, "maven-javadoc-plugin"),
	} {
		if !has {
			t.Errorf("the pom has no %s", what)
		}
	}
}

// TestLicenses: each package holds the license of the whole.
func TestLicenses(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"python", "node", "java"} {
		if got, err := os.ReadFile("../../clients/" + client + "/LICENSE"); err != nil || !bytes.Equal(got, want) { //nolint:gosec // of this tree
			t.Errorf("clients/%s: %v", client, err)
		}
	}
}
