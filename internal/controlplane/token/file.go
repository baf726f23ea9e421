package token

import (
	"fmt"
	"os"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Load reads a file. It waits for a change of it that is under way.
func Load(path string) (Set, error) {
	data, err := lockedfile.Read(path)
	if err != nil {
		return Set{}, fmt.Errorf("reading the tokens: %w", err)
	}
	set, err := Parse(data)
	if err != nil {
		return Set{}, fmt.Errorf("reading the tokens of %s: %w", path, err)
	}
	return set, nil
}

// Append adds an entry to a file, and makes the file where there is none, for
// its owner only. What the file holds already stays as it is.
func Append(path string, entry Entry) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	return change(path, func(data []byte) ([]byte, error) { return add(data, entry) })
}

// Revoke removes the entry of a name. Servers that use the file refuse the
// token from their next request on.
func Revoke(path, name string) error {
	if _, err := os.Stat(path); err != nil { // changing a file would make it
		return fmt.Errorf("reading the tokens: %w", err)
	}
	return change(path, func(data []byte) ([]byte, error) { return remove(data, name) })
}

// change keeps others out meanwhile, so that no change undoes another one.
func change(path string, with func([]byte) ([]byte, error)) error {
	if err := lockedfile.Transform(path, with); err != nil {
		return fmt.Errorf("changing the tokens of %s: %w", path, err)
	}
	return nil
}
