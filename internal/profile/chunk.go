package profile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// chunkSize is how much is read at a time; tests make it small.
var chunkSize = 1 << 20

const (
	// maximumRecord is how long a record may be: a quote that is never closed would
	// otherwise take the rest of the file into memory.
	maximumRecord = 64 << 20
)

// chunker cuts a text file into stretches of whole records. Whoever takes them digests them,
// in their order, when nothing else waits for them.
type chunker struct {
	in     io.Reader
	path   string
	quotes bool // a line break between an odd number of quotes ends no record
	hash   hash.Hash
	carry  []byte // what follows the last whole record
	offset int64
	ended  bool
	step   int // how much is read at a time
	spare  sync.Pool
}

func newChunker(in io.Reader, path string, size int64, quotes bool) *chunker {
	return &chunker{in: in, path: path, quotes: quotes, hash: sha256.New(), step: int(min(int64(chunkSize), size+1))}
}

// add adds a stretch, or what is left of it, to the digest.
func (c *chunker) add(chunk []byte) { c.hash.Write(chunk) } //nolint:errcheck // never fails

// digest is that of what was added.
func (c *chunker) digest() digesting {
	sum := digestOf(c.hash)
	return func() (string, error) { return sum, nil }
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// release gives a chunk's memory back.
func (c *chunker) release(chunk []byte) {
	if cap(chunk) < 2*chunkSize {
		chunk = chunk[:0]
		c.spare.Put(&chunk)
	}
}

// next is the next stretch; io.EOF after the last. A byte that no text has is an error
// that comes after the records before it.
func (c *chunker) next() ([]byte, error) {
	if c.ended {
		return nil, io.EOF
	}
	var chunk []byte
	if spare, ok := c.spare.Get().(*[]byte); ok {
		chunk = *spare
	}
	chunk = append(chunk, c.carry...)
	for size := c.step; ; size = max(c.step, len(chunk)) {
		from := len(chunk)
		if free := cap(chunk) - from; free < size {
			chunk = append(make([]byte, 0, from+size+size/8), chunk...)
		}
		n, err := io.ReadFull(c.in, chunk[from:from+size])
		chunk = chunk[:from+n]
		c.ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !c.ended {
			return nil, readError(c.path, err)
		}
		if i := bytes.IndexByte(chunk[from:], 0); i >= 0 {
			if cut := c.cut(chunk[:from+i]); cut > 0 { // first the records before
				c.carry, c.ended = nil, true
				return chunk[:cut], errBinary(c.offset + int64(i))
			}
			return nil, errBinary(c.offset + int64(i))
		}
		c.offset += int64(n)
		cut := len(chunk)
		if !c.ended {
			cut = c.cut(chunk)
		}
		if cut > 0 || c.ended {
			c.carry = append(c.carry[:0], chunk[cut:]...)
			if cut == 0 {
				return nil, io.EOF
			}
			return chunk[:cut], nil
		}
		if len(chunk) >= maximumRecord {
			e := &Error{Part: PartFile, Why: fmt.Sprintf("%s: a line is longer than %d bytes", c.path, maximumRecord), Fix: "Break it into lines, a record each."}
			if c.quotes && bytes.IndexByte(chunk, '"') >= 0 {
				e.Why = fmt.Sprintf("%s: a record is longer than %d bytes", c.path, maximumRecord)
				e.Fix = "Close every quoted field; write a quote within one twice."
			}
			return nil, e
		}
	}
}

// cut is where the last whole record ends.
func (c *chunker) cut(chunk []byte) int {
	cut := bytes.LastIndexByte(chunk, '\n') + 1
	if !c.quotes {
		return cut
	}
	for open := bytes.Count(chunk[:cut], quote); open%2 == 1; {
		before := bytes.LastIndexByte(chunk[:cut-1], '\n') + 1
		open -= bytes.Count(chunk[before:cut], quote)
		cut = before
	}
	return cut
}

var quote = []byte{'"'}

// errBinary is the offset of the first NUL byte.
type errBinary int64

func (e errBinary) Error() string { return fmt.Sprintf("NUL byte at offset %d", int64(e)) }

func (e errBinary) explain(path string) *Error {
	return &Error{Part: PartFile, Err: e, Why: fmt.Sprintf("%s is a binary file: byte %d is NUL", path, int64(e)), Fix: "Save it as CSV in UTF-8."}
}

func notUTF8(path string, line int) *Error {
	return &Error{Part: PartFile, Why: fmt.Sprintf("%s is not UTF-8 text (line %d)", path, line), Fix: "Save it in UTF-8."}
}
