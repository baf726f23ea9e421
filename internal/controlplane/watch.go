package controlplane

import (
	"log/slog"
	"os"
	"sync"
)

// watched is something that is read from files, and read again when they change.
// Where the new content cannot be used, the old one stays in use and the log says
// why: a slip of an editor must not lock everybody out.
type watched[T any] struct {
	name  string
	paths []string
	load  func() (T, error)
	log   *slog.Logger

	mu     sync.Mutex
	value  T
	stamps []os.FileInfo // nil for a file that was not there
	failed bool
}

// watch reads the files for the first time, when an error is the caller's.
func watch[T any](name string, paths []string, load func() (T, error), log *slog.Logger) (*watched[T], error) {
	w := &watched[T]{name: name, paths: paths, load: load, log: log}
	w.stamps = w.look()
	var err error
	w.value, err = load()
	return w, err
}

// get returns the current content.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.look(); !sameStamps(w.stamps, now) {
		w.read(now)
	}
	return w.value
}

// reload reads the files also where they seem unchanged.
func (w *watched[T]) reload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read(w.look())
}

// valid reports whether the content is that of the files as they are.
func (w *watched[T]) valid() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.failed
}

// read is given the stamps from before the reading: a change meanwhile makes the
// next ones differ.
func (w *watched[T]) read(stamps []os.FileInfo) {
	value, err := w.load()
	w.stamps, w.failed = stamps, err != nil
	if err != nil {
		w.log.Error("a file has changed and cannot be used; what it held before stays in use", "file", w.name, "error", err)
		return
	}
	w.value = value
	w.log.Info("a file was read again", "file", w.name)
}

func (w *watched[T]) look() []os.FileInfo {
	stamps := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = info
		}
	}
	return stamps
}

func sameStamps(a, b []os.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return false
		}
		if a[i] != nil && (!os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size()) {
			return false
		}
	}
	return true
}
