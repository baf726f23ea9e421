// Package sqlite keeps the control plane's objects in one SQLite file, in pure
// Go: what is in it, package relational knows.
//
// Several goroutines and several processes may use one file at the same time:
// every write is one immediate transaction that waits for the others. An answer
// is given after the write is on the disk (write-ahead log, synchronous=FULL).
//
// Reads never create the file. Where there is none, or an empty one, the store
// is empty; the first write makes it, for its owner only.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/relational"
)

// readers is how many connections read at the same time; there is one writer.
const readers = 8

// Store is a file of objects. It is safe for concurrent use.
type Store struct {
	*relational.Store
	path        string
	now         func() time.Time
	busyTimeout time.Duration

	mu   sync.Mutex
	file *file // nil until the file exists and was needed
}

// Open names the file; it neither reads nor creates it. A relative path is
// taken from the working directory of this moment.
func Open(path string) (*Store, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, unusable(nil, "%q is no path of a file. Set the path of the control plane's file, for instance mlops.db.", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the control plane's file %s: %w", path, err)
	}
	s := &Store{path: abs, now: time.Now, busyTimeout: 15 * time.Second}
	s.Store = relational.New(engine{s})
	return s, nil
}

// Close waits for running statements and closes the file. The store may be used
// again, and then opens it again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget()
}

func (s *Store) forget() error {
	old := s.file
	s.file = nil
	if old == nil {
		return nil
	}
	return old.close()
}

// file is an open file that was found to be ours.
type file struct {
	relational.Database
	info    os.FileInfo
	storeID string
	write   *sql.DB // nil until the first write
	// frozen says that nothing can be written beside the file, so that SQLite
	// was told to take it as it is.
	frozen bool
}

func (f *file) close() error {
	err := f.Read.Close()
	if f.write != nil {
		err = errors.Join(err, f.write.Close())
	}
	return err
}

// same reports whether the path still leads to the file that is open. Without
// this, a server whose file was deleted would go on answering from a file that
// nobody can find any more.
func (s *Store) same(f *file, now os.FileInfo) bool {
	if f.frozen && (!f.info.ModTime().Equal(now.ModTime()) || f.info.Size() != now.Size() || s.hasLog()) {
		return false
	}
	return os.SameFile(f.info, now)
}

// hasLog reports whether there is a write-ahead log whose writes may be missing
// from the file.
func (s *Store) hasLog() bool {
	path := s.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // SQLite keeps the log beside the file itself
	}
	wal, err := os.Stat(path + "-wal")
	return err == nil && wal.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// forReading returns the open file, or nil where there is none yet.
func (s *Store) forReading(ctx context.Context) (*file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.current(ctx)
	return f, s.classify(err)
}

// forWriting returns the open file, made where there was none.
func (s *Store) forWriting(ctx context.Context) (*file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.current(ctx)
	if err == nil && f != nil && f.frozen {
		// What could not be written beside a moment ago may be so now.
		_ = s.forget()
		f, err = s.current(ctx)
	}
	if err == nil && f == nil {
		if err = s.create(ctx); err == nil {
			f, err = s.current(ctx)
		}
	}
	if err == nil && f == nil {
		err = fmt.Errorf("the file was removed at the moment it was created")
	}
	if err == nil && f.frozen {
		err = fmt.Errorf("%w: SQLite cannot write beside the file", fs.ErrPermission)
	}
	if err == nil && f.write == nil {
		err = s.openWriter(ctx, f)
	}
	if err != nil {
		return nil, s.classify(err)
	}
	return f, nil
}

// current returns the file behind the path as it is now: nil where it is absent
// or empty.
func (s *Store) current(ctx context.Context) (*file, error) {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.forget()
	}
	if err != nil {
		return nil, err
	}
	if s.file != nil && s.same(s.file, info) {
		return s.file, nil
	}
	// A close of another file's connections must not fail this request.
	_ = s.forget()
	if ours, err := s.inspect(info); err != nil || !ours {
		return nil, err
	}
	f, err := s.openReader(ctx, info)
	if err != nil || f == nil {
		return nil, err
	}
	s.file = f
	return f, nil
}

// inspect looks at the file without SQLite, which would write beside it. It is
// false for an empty file.
func (s *Store) inspect(info os.FileInfo) (bool, error) {
	switch {
	case info.IsDir():
		return false, unusable(nil, "%s is a directory. Set the path of a file in it, for instance %s.", s.path, filepath.Join(s.path, "mlops.db"))
	case !info.Mode().IsRegular():
		return false, unusable(nil, "%s is not a regular file (%s). Set another path.", s.path, info.Mode().Type())
	case info.Size() == 0:
		return false, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	header := make([]byte, 100)
	if _, err := io.ReadFull(f, header); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	if string(header[:16]) != "SQLite format 3\x00" {
		return false, unusable(nil, "%s is not a SQLite database, so it is no control plane's file. Nothing was written to it. Set another path, or move the file away.", s.path)
	}
	if binary.BigEndian.Uint32(header[68:72]) != applicationID {
		return false, unusable(nil, "%s is a SQLite database of another program. Nothing was written to it. Set another path for the control plane's file.", s.path)
	}
	return true, nil
}

// openReader opens the file for reading. It is nil where SQLite, after a crash
// of the process that was creating it, rolled the file back to an empty one.
func (s *Store) openReader(ctx context.Context, info os.FileInfo) (*file, error) {
	f, err := s.tryReader(ctx, info, false)
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			// A write-ahead log needs files beside the database. Where the
			// directory is read-only and there is no log with writes that are
			// missing from the file, the file alone is the whole truth.
			if !s.hasLog() {
				return s.tryReader(ctx, info, true)
			}
		}
	}
	return f, err
}

func (s *Store) tryReader(ctx context.Context, info os.FileInfo, frozen bool) (_ *file, err error) {
	f := &file{info: info, frozen: frozen}
	query := url.Values{"mode": {"rw"}, "_pragma": {s.busyPragma(), "query_only(1)"}}
	if frozen {
		query = url.Values{"mode": {"ro"}, "immutable": {"1"}}
	}
	if f.Read, err = sql.Open("sqlite", s.dsn(query)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Read.Close()
		}
	}()
	f.Read.SetMaxOpenConns(readers)
	f.Read.SetMaxIdleConns(readers)
	var version, tables int
	if err := f.Read.QueryRowContext(ctx, `SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version`).Scan(&version, &tables); err != nil {
		return nil, err
	}
	switch {
	case tables == 0:
		return nil, f.Read.Close()
	case version > relational.Newest():
		return nil, unusable(nil, "%s has layout %d, of a newer release; this one knows layouts up to %d. Nothing was written to it. Use the newer release, or set another path.", s.path, version, relational.Newest())
	case version < 1:
		return nil, unusable(nil, "%s is marked as a control plane's file, and has no layout version. Nothing was written to it. Restore it from a backup, or set another path.", s.path)
	}
	err = f.Read.QueryRowContext(ctx, relational.SelectStoreID).Scan(&f.storeID)
	if err != nil && !isOperational(err) {
		err = unusable(err, "%s is marked as a control plane's file, and lacks its tables (%v). Nothing was written to it. Restore it from a backup, or set another path.", s.path, err)
	}
	if err != nil {
		return nil, err
	}
	f.Layout.Store(int32(version))
	return f, nil
}

// isOperational reports whether an error is about the moment or the medium
// rather than about what is in the file.
func isOperational(err error) bool {
	if errors.Is(err, sql.ErrNoRows) {
		return false
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return !ok || e.Code()&0xff != sqlite3.SQLITE_ERROR
}

// create makes the file where there is none, and lays it out.
func (s *Store) create(ctx context.Context) (err error) {
	made, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	// Without write-ahead log: see initialise.
	db, err := sql.Open("sqlite", s.dsn(url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {s.busyPragma(), "synchronous(FULL)"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return initialise(ctx, db)
}

// openWriter adds the writing connection to an open file.
func (s *Store) openWriter(ctx context.Context, f *file) error {
	db, err := sql.Open("sqlite", s.dsn(url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {s.busyPragma(), "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)"}}))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	// The switch to the write-ahead log needs the file for itself and does not
	// wait by SQLite's busy timeout. It is remembered in the file.
	for start := time.Now(); ; {
		var mode string
		err = db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode)
		if err == nil && mode != "wal" {
			err = unusable(nil, "%s cannot be written safely: its file system has no shared memory for a write-ahead log (journal mode %q). Set a path on a local disk.", s.path, mode)
		}
		e, isSQLite := errors.AsType[*sqlite.Error](err)
		if err == nil || !isSQLite || e.Code()&0xff != sqlite3.SQLITE_BUSY || time.Since(start) > s.busyTimeout {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		if ctx.Err() != nil {
			err = ctx.Err()
			break
		}
	}
	if err == nil {
		err = migrate(ctx, db)
	}
	if err != nil {
		_ = db.Close()
		return err
	}
	f.Layout.Store(int32(relational.Newest()))
	f.write = db
	return nil
}

func (s *Store) busyPragma() string {
	return fmt.Sprintf("busy_timeout(%d)", s.busyTimeout.Milliseconds())
}

// dsn writes the path as a file URI, whatever characters it has.
func (s *Store) dsn(query url.Values) string {
	path := filepath.ToSlash(s.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/dir/file
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// transact runs one write: in an immediate transaction, on the disk when it
// returns.
func (s *Store) transact(ctx context.Context, write func(tx *sql.Tx, now time.Time) error) error {
	for attempt := 0; ; attempt++ {
		f, err := s.forWriting(ctx)
		if err != nil {
			return err
		}
		err = s.try(ctx, f, write)
		if errors.Is(err, errMoved) && attempt < 3 {
			continue
		}
		return s.classify(err)
	}
}

var errMoved = errors.New("the file was removed or replaced while it was being written")

func (s *Store) try(ctx context.Context, f *file, write func(tx *sql.Tx, now time.Time) error) error {
	tx, err := f.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := write(tx, s.now().UTC().Truncate(time.Millisecond)); err != nil {
		return err
	}
	if info, err := os.Stat(s.path); err != nil || !s.same(f, info) {
		return errMoved
	}
	return tx.Commit()
}
