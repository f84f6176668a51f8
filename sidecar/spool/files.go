package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/evalworker/evalworker/internal/base/regular"
)

// The folder may be one that others can write to, such as a volume that several
// containers share. What they put there must neither be read as events, nor lead
// anything that the spool writes to another place, nor hold it.

// errForeign is the error of what the spool has not made itself.
var errForeign = errors.New("move it out of the folder: the spool has not made it")

// checkFile returns why a file of the folder is not one of the spool's own: it is a
// link, a pipe or the like, has another name elsewhere, or belongs to a user who owns
// neither this process nor the folder.
func checkFile(path string, info fs.FileInfo) error {
	why := regular.Check(info.Mode())
	if why == nil {
		why = checkOwner(filepath.Dir(path), info)
	}
	if why == nil {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: %w", why, errForeign)}
}

// openOwn opens a file of the folder that is the spool's own. It follows no link, waits
// for nothing, and takes the file's mode back from other users.
func openOwn(path string, flag int) (*os.File, error) {
	info, err := os.Lstat(path)
	if err == nil {
		err = checkFile(path, info)
	} else if errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0 {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag&^os.O_TRUNC|noFollow|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	// Again, because it may have been replaced since.
	if info, err = f.Stat(); err == nil {
		err = checkFile(path, info)
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Mode().Perm()&0o077 != 0 {
		_ = f.Chmod(0o600) // fails only for a file of the folder's owner
	}
	return f, nil
}

// truncateOwn cuts a file of the folder.
func truncateOwn(path string, size int64) error {
	f, err := openOwn(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// checkFolder returns why the folder cannot be a spool: something in it that has a name
// of the spool's and is not its own. It takes back from other users that they may write
// to the folder, or warns where only they could do that.
func checkFolder(dir string, log *slog.Logger) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		// A folder with the sticky bit, as /tmp has it, is meant to be shared.
		if info.Mode()&fs.ModeSticky == 0 && os.Chmod(dir, info.Mode()&^0o022) == nil {
			log.Warn("spool: other users could write to the folder: its mode was changed", "folder", dir, "mode", fmt.Sprintf("%#o", info.Mode().Perm()&^0o022))
		} else {
			log.Warn("spool: other users can write to the folder, and delete what is in it: give this process one of its own",
				"folder", dir, "mode", fmt.Sprintf("%#o", info.Mode().Perm()))
		}
	}
	for _, name := range []string{lockFile, positionFile, reserveFile, asideFile} {
		f, err := openOwn(filepath.Join(dir, name), os.O_RDONLY)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return checkDamaged(filepath.Join(dir, damagedDir))
}

// checkDamaged returns an error when the folder for damaged parts is a link.
func checkDamaged(dir string) error {
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "open", Path: dir, Err: fmt.Errorf("it is a link: %w", errForeign)}
	}
	return nil
}
