package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// Copy says what a backup holds.
type Copy struct {
	// StoreID is the id of the store that was copied.
	StoreID string
	// Objects and Events count what is in the copy, refused writes included.
	Objects, Events int64
	// Bytes is the size of the copy.
	Bytes int64
}

// Backup copies the store into a new file, as it is at one moment, while others
// go on reading and writing. The copy is a store of its own, without a
// write-ahead log. It appears under its name when it is complete, on the disk
// and found to be intact; a file that is there is never overwritten.
func (s *Store) Backup(ctx context.Context, out string) (_ Copy, err error) {
	f, err := s.forReading(ctx)
	if err != nil {
		return Copy{}, err
	}
	if f == nil {
		return Copy{}, unusable(nil, "%s does not exist or is empty: there is nothing to back up. Set the path of the control plane's file.", s.path)
	}
	out, err = filepath.Abs(out)
	if err != nil {
		return Copy{}, fmt.Errorf("finding the path of the copy: %w", err)
	}
	// A write-ahead log that is left there would be taken for the copy's.
	for _, path := range []string{out, out + "-wal", out + "-journal"} {
		if _, err := os.Lstat(path); err == nil {
			return Copy{}, fmt.Errorf("%s exists, and a backup overwrites nothing: move it away, or choose another name", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Copy{}, fmt.Errorf("writing the copy: %w", err)
		}
	}
	unfinished, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".*")
	if err != nil {
		return Copy{}, fmt.Errorf("writing the copy: %w", err)
	}
	defer func() {
		_ = unfinished.Close()
		for _, suffix := range []string{"", "-journal"} {
			_ = os.Remove(unfinished.Name() + suffix) // its name has another link by now, or it failed
		}
	}()
	if err := s.copyInto(ctx, f, unfinished.Name()); err != nil {
		return Copy{}, err
	}
	found, err := check(ctx, unfinished.Name(), f.storeID)
	if err != nil {
		return Copy{}, fmt.Errorf("the copy of %s is not intact: %w", s.path, err)
	}
	if err := unfinished.Sync(); err != nil {
		return Copy{}, fmt.Errorf("writing the copy: %w", err)
	}
	if err := appear(unfinished.Name(), out); err != nil {
		return Copy{}, fmt.Errorf("writing the copy: %w", err)
	}
	return found, nil
}

func (s *Store) copyInto(ctx context.Context, f *file, path string) (err error) {
	query := url.Values{"mode": {"rw"}, "_pragma": {s.busyPragma(), "synchronous(FULL)"}}
	if f.frozen {
		query = url.Values{"mode": {"ro"}, "immutable": {"1"}}
	}
	db, err := sql.Open("sqlite", s.dsn(query))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		if err = s.classify(err); port.CodeOf(err) == port.CodeStoreFull {
			return fmt.Errorf("%s cannot be written: the disk is full, or a quota or a limit on file sizes is reached", filepath.Dir(path))
		}
		return err
	}
	return nil
}

// check reads a whole copy, and counts what it holds.
func check(ctx context.Context, path, storeID string) (found Copy, err error) {
	copied := &Store{path: path}
	db, err := sql.Open("sqlite", copied.dsn(url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return Copy{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var integrity string
	var application int
	err = db.QueryRowContext(ctx, `
		SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check), (SELECT application_id FROM pragma_application_id),
			(SELECT value FROM meta WHERE key = 'store_id'), (SELECT count(*) FROM objects), (SELECT count(*) FROM events)`).
		Scan(&integrity, &application, &found.StoreID, &found.Objects, &found.Events)
	switch {
	case err != nil:
		return Copy{}, err
	case integrity != "ok":
		return Copy{}, errors.New(integrity)
	case application != applicationID || found.StoreID != storeID:
		return Copy{}, fmt.Errorf("it is not of store %s", storeID)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Copy{}, err
	}
	found.Bytes = info.Size()
	return found, nil
}

// appear gives a finished file its name, unless somebody else has taken it.
func appear(path, name string) error {
	if err := os.Link(path, name); errors.Is(err, fs.ErrExist) {
		return err
	} else if err != nil { // a file system without links
		return os.Rename(path, name)
	}
	// The name must outlive a power failure, too; not every system can do that.
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
