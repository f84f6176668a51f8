package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// MaxFile bounds a file that holds one secret, in bytes.
const MaxFile = 16 << 10

// FromFile reads a secret from a file that holds nothing else but white space
// around it. It reads the file anew each time, so that a file that was replaced
// counts from the next use on. The error names the file and holds nothing of
// its content.
func FromFile(path string) (String, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, bare(err))
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	text := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s cannot be read: %w", path, bare(err))
	case len(data) > MaxFile:
		return "", fmt.Errorf("%s is longer than %d bytes", path, MaxFile)
	case text == "":
		return "", fmt.Errorf("%s is empty", path)
	case strings.ContainsAny(text, "\r\n\x00"):
		return "", fmt.Errorf("%s holds more than one line", path)
	}
	return String(text), nil
}

// bare gives the part of an error that does not repeat the path.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
