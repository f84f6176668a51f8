package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// again says how to call one of the project's programs from another terminal, so
// that it can be pasted: by its bare name when the shell finds it, else by the
// path beside this program, else through the go command.
func again(name string) string {
	exe, err := os.Executable()
	if err != nil {
		return name
	}
	if builtToRun(exe) {
		return "go run ./cmd/" + name
	}
	beside := filepath.Join(filepath.Dir(exe), name)
	found, err := exec.LookPath(name)
	switch {
	case err == nil && (same(found, beside) || !exists(beside)):
		return name
	case exists(beside):
		return quote(beside)
	case name == "evalworker": // under another name
		return quote(exe)
	}
	return "go run github.com/evalworker/evalworker/cmd/" + name + "@latest"
}

// builtToRun reports whether a program is one that "go run" has built, which
// lies in the build cache.
func builtToRun(exe string) bool {
	return strings.Contains(exe, "go-build") || strings.HasSuffix(filepath.Dir(exe), "-d")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func same(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// quote makes one word of s for a shell.
func quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@=+,-"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
