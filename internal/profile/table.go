package profile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaximumSize is the largest file that is read, in bytes.
	MaximumSize = 2 << 30
	// MaximumColumns is the largest number of columns a file may have.
	MaximumColumns = 10_000
	// MaximumCategories is the largest number of distinct values that are counted
	// in a column.
	MaximumCategories = 1000
)

// Table is a data file that has been read.
type Table struct {
	path    string
	digest  string
	rows    int64
	names   []string
	columns []*column
}

// column keeps what profiles of a column may need: its numbers in the order of
// the file while all values are numbers, and the counts of its distinct texts
// while they are few.
type column struct {
	missing  int64
	present  int64
	numbers  []float64
	notNum   place
	infinite place
	counts   map[string]int64 // nil once there are more than MaximumCategories
}

// place is a value and where it stands, for messages; line 0 is nowhere.
type place struct {
	line  int
	value string
}

// Digest is the SHA-256 of the file's bytes, as sha256:<64 hexadecimal digits>.
func (t *Table) Digest() string { return t.digest }

// Columns names the columns in the order of the file.
func (t *Table) Columns() []string { return append([]string(nil), t.names...) }

// Rows is the number of records after the header.
func (t *Table) Rows() int64 { return t.rows }

// Read reads a CSV file with a header row: comma-separated, UTF-8, quotes as in
// RFC 4180. Errors are of type *[Error].
func Read(path string) (*Table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	defer file.Close() //nolint:errcheck // opened for reading only
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, openError(path, err)
	case info.IsDir():
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s is a directory", path), Fix: "Name the data file in it."}
	case info.Size() > MaximumSize:
		return nil, &Error{
			Part: PartFile, Why: fmt.Sprintf("%s has %d bytes, and at most %d are read", path, info.Size(), int64(MaximumSize)),
			Fix: "Use a random sample of it: a hundred thousand rows say as much about a distribution.",
		}
	}
	t, err := parse(file, path)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func openError(path string, err error) *Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{
			Part: PartFile, Err: err, Why: fmt.Sprintf("the file %s does not exist", path),
			Fix: "Check the path. In Terraform it starts from the working directory: write \"${path.module}/...\" for a file next to the configuration; in a spec file it starts from the spec file itself.",
		}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("the file %s may not be read", path), Fix: "Give the user that runs this permission to read it."}
	}
	return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("the file %s cannot be opened: %v", path, err), Fix: "Check the path."}
}

// magics are the beginnings of files that people name by mistake.
var magics = []struct{ prefix, is, fix string }{
	{"PAR1", "a Parquet file", "Convert it to CSV; only the one column is needed."},
	{"\x1f\x8b", "compressed with gzip", "Decompress it first."},
	{"PK\x03\x04", "a zip archive or a spreadsheet", "Export it as CSV."},
	{"\xff\xfe", "UTF-16 text", "Save it as UTF-8."},
	{"\xfe\xff", "UTF-16 text", "Save it as UTF-8."},
}

// parse reads all of in; path is for messages only.
func parse(in io.Reader, path string) (*Table, error) {
	hash := sha256.New()
	buffered := bufio.NewReaderSize(&textReader{in: io.TeeReader(in, hash)}, 1<<16)
	start, err := buffered.Peek(4)
	for _, magic := range magics {
		if bytes.HasPrefix(start, []byte(magic.prefix)) {
			return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s is %s, not CSV", path, magic.is), Fix: magic.fix}
		}
	}
	if len(start) == 0 && errors.Is(err, io.EOF) {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s is empty", path), Fix: "It needs a header row with the names of the columns, and the data below."}
	}
	if bytes.HasPrefix(start, []byte("\xef\xbb\xbf")) {
		if _, err := buffered.Discard(3); err != nil {
			return nil, readError(path, err)
		}
	}

	records := csv.NewReader(buffered)
	records.ReuseRecord, records.TrimLeadingSpace = true, true
	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has nothing but blank lines", path), Fix: "It needs a header row with the names of the columns, and the data below."}
	}
	if err != nil {
		return nil, readError(path, err)
	}
	if len(header) > MaximumColumns {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has %d columns, and at most %d are read", path, len(header), MaximumColumns), Fix: "Keep the columns that are watched."}
	}
	t := &Table{path: path}
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, notUTF8(path, 1)
		}
		t.names = append(t.names, strings.TrimSpace(strings.Clone(header[i])))
		t.columns = append(t.columns, &column{counts: map[string]int64{}})
	}
	next, _ := records.FieldPos(0) // the line after the record before
	next += strings.Count(header[0], "\n") + 1
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, readError(path, err)
		}
		t.rows++
		if len(header) == 1 {
			// The reader skips blank lines; in a file of one column each is a missing
			// value.
			line, _ := records.FieldPos(0)
			blank := int64(max(line-next, 0))
			t.columns[0].missing += blank
			t.rows += blank
			next = line + strings.Count(record[0], "\n") + 1
		}
		for i, text := range record {
			if !utf8.ValidString(text) {
				line, _ := records.FieldPos(i)
				return nil, notUTF8(path, line)
			}
			if !t.columns[i].add(strings.TrimSpace(text)) {
				line, _ := records.FieldPos(i)
				t.columns[i].refuse(strings.TrimSpace(text), line)
			}
		}
	}
	if t.rows == 0 {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has a header and no data", path), Fix: "Add the data below the header; a file without a header needs one."}
	}
	t.digest = "sha256:" + hex.EncodeToString(hash.Sum(nil))
	return t, nil
}

func notUTF8(path string, line int) *Error {
	return &Error{Part: PartFile, Why: fmt.Sprintf("%s is not UTF-8 text (line %d)", path, line), Fix: "Save it as CSV in UTF-8."}
}

func readError(path string, err error) *Error {
	var binary errBinary
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &binary):
		return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s is a binary file: byte %d is NUL", path, int64(binary)), Fix: "Save it as CSV in UTF-8."}
	case errors.As(err, &syntax) && errors.Is(err, csv.ErrFieldCount):
		return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s: line %d has not as many fields as the header", path, syntax.StartLine), Fix: "Quote fields that contain a comma, and give every row all its fields."}
	case errors.As(err, &syntax):
		return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s: line %d, column %d: %v", path, syntax.Line, syntax.Column, syntax.Err), Fix: "Write a quote within a quoted field twice, and close every quoted field."}
	}
	return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s cannot be read: %v", path, err), Fix: "Check the file."}
}

// errBinary is the offset of the first NUL byte.
type errBinary int64

func (e errBinary) Error() string { return fmt.Sprintf("NUL byte at offset %d", int64(e)) }

// textReader fails at the first NUL byte, which no text has.
type textReader struct {
	in     io.Reader
	offset int64
}

func (r *textReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	// A byte-order mark of UTF-16 says more than the NUL bytes after it.
	if i := bytes.IndexByte(p[:n], 0); i >= 0 && !(r.offset == 0 && n > 1 && (p[0] == 0xff || p[0] == 0xfe)) {
		return i, errBinary(r.offset + int64(i))
	}
	r.offset += int64(n)
	return n, err
}

// add takes a value in; false asks for refuse, with the line that is costly to
// know otherwise.
func (c *column) add(text string) bool {
	if isMissing(text) {
		c.missing++
		return true
	}
	c.present++
	if c.counts != nil {
		if _, seen := c.counts[text]; seen {
			c.counts[text]++
		} else if len(c.counts) < MaximumCategories {
			c.counts[strings.Clone(text)] = 1
		} else {
			c.counts = nil
		}
	}
	if c.notNum.line > 0 {
		return true
	}
	value, ok := parseNumber(text)
	if !ok || math.IsInf(value, 0) {
		return c.infinite.line > 0 && ok
	}
	c.numbers = append(c.numbers, value)
	return true
}

// refuse notes the first value that is not a number, or not a finite one.
func (c *column) refuse(text string, line int) {
	at := place{line: line, value: strings.Clone(text)}
	if _, ok := parseNumber(text); ok {
		c.infinite = at
		return
	}
	c.notNum, c.numbers = at, nil
}

func isMissing(text string) bool {
	switch len(text) {
	case 0:
		return true
	case 2:
		return strings.EqualFold(text, "NA")
	case 3:
		return strings.EqualFold(text, "NaN") || strings.EqualFold(text, "N/A")
	case 4:
		return strings.EqualFold(text, "null") || strings.EqualFold(text, "<NA>")
	}
	return false
}

// parseNumber reads a decimal number as other languages write it: unlike Go's
// own syntax, without underscores or hexadecimal digits. Numbers beyond the
// largest float are infinite.
func parseNumber(text string) (float64, bool) {
	switch strings.ToLower(strings.TrimLeft(text, "+-")) {
	case "inf", "infinity":
		return math.Inf(1), true
	}
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return value, true
}
