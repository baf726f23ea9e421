package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// unusable is the answer where a person has to do something about the file.
func unusable(err error, format string, args ...any) error {
	return &port.Error{Code: port.CodeStoreUnusable, Detail: fmt.Sprintf(format, args...), Err: err}
}

func full(err error, path string) error {
	return &port.Error{
		Code: port.CodeStoreFull, Err: err,
		Detail: fmt.Sprintf("%s cannot grow: the disk is full, or a quota or a limit on file sizes is reached (%v). Nothing was changed, and reads go on; free some space, then try again.", path, err),
	}
}

// classify turns an error of the file system or of SQLite into one that says
// the path, what is wrong and what helps. Errors of the port pass unchanged.
func (s *Store) classify(err error) error {
	if err == nil || port.CodeOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return &port.Error{
				Code: port.CodeUnavailable, RetryAfter: time.Second, Err: err,
				Detail: fmt.Sprintf("another process has kept the lock of %s for more than %s. Wait for it to end, then try again.", s.path, s.busyTimeout),
			}
		case sqlite3.SQLITE_INTERRUPT:
			return fmt.Errorf("%w: %w", context.Canceled, err)
		case sqlite3.SQLITE_READONLY:
			return unusable(err, "%s cannot be written: the file is read-only for this user. Give the user write permission on the file and on its directory, or set another path.", s.path)
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
			return unusable(err, "%s cannot be opened. The user needs read and write permission on the file and on the directory %s, where SQLite keeps its journal.", s.path, filepath.Dir(s.path))
		case sqlite3.SQLITE_FULL:
			return full(err, s.path)
		case sqlite3.SQLITE_NOTADB:
			return unusable(err, "%s is not a SQLite database. Set another path, or move the file away.", s.path)
		case sqlite3.SQLITE_CORRUPT:
			return unusable(err, "%s is damaged (%v). Restore it from a backup; `sqlite3 FILE .recover` may save what is left.", s.path, err)
		case sqlite3.SQLITE_IOERR:
			switch e.Code() {
			case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
				// What SQLite makes of a quota or a limit; it says SQLITE_FULL only
				// of a full disk.
				return full(err, s.path)
			}
			return unusable(err, "%s cannot be read or written: %v. Check the disk; network file systems without locks do not work.", s.path, err)
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return unusable(err, "%s cannot be opened: permission denied. The user needs read and write permission on the file and on the directory %s.", s.path, filepath.Dir(s.path))
	case errors.Is(err, syscall.EROFS):
		return unusable(err, "%s cannot be written: its file system is read-only. Set a path on another one.", s.path)
	case errors.Is(err, fs.ErrNotExist):
		return unusable(err, "%s cannot be created: the directory %s does not exist. Create it, or set another path.", s.path, filepath.Dir(s.path))
	case errors.Is(err, syscall.ENOTDIR):
		return unusable(err, "%s cannot be opened: a part of the path is a file, not a directory. Set another path.", s.path)
	}
	return unusable(err, "%s cannot be used: %v.", s.path, err)
}
