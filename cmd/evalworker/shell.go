package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/evalworker/evalworker/internal/cli"
)

// shellCommand returns how to call one of the project's programs from another
// terminal: by its bare name when the shell finds it, else by the path beside this
// program, else through the go command. It can be pasted.
func shellCommand(name string) string {
	exe, err := os.Executable()
	if err != nil {
		return name
	}
	if runByGo(exe) {
		return "go run ./cmd/" + name
	}
	beside := filepath.Join(filepath.Dir(exe), name)
	found, err := exec.LookPath(name)
	switch {
	case err == nil && (sameFile(found, beside) || !fileExists(beside)):
		return name
	case fileExists(beside):
		return cli.Quote(beside)
	case name == "evalworker": // under another name
		return cli.Quote(exe)
	}
	return "go run github.com/evalworker/evalworker/cmd/" + name + "@latest"
}

// runByGo reports whether "go run" has built a program, which is then in the build
// cache.
func runByGo(exe string) bool {
	return strings.Contains(exe, "go-build") || strings.HasSuffix(filepath.Dir(exe), "-d")
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
