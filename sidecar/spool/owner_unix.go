//go:build unix

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// noFollow makes the opening of a link fail.
const noFollow = syscall.O_NOFOLLOW

// checkOwner returns an error when a file has a second name, or belongs to a user other
// than this process's, root and the owner of the folder, who could replace it anyway.
func checkOwner(dir string, file fs.FileInfo) error {
	sys, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if sys.Nlink > 1 {
		return errors.New("it has another name too")
	}
	if sys.Uid == 0 || int(sys.Uid) == os.Geteuid() {
		return nil
	}
	if info, err := os.Stat(dir); err == nil {
		if folder, ok := info.Sys().(*syscall.Stat_t); ok && folder.Uid == sys.Uid {
			return nil
		}
	}
	return fmt.Errorf("it belongs to user %d", sys.Uid)
}
