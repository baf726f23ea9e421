package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// MaximumSize is the largest file that is read, in bytes.
	MaximumSize = 2 << 30
	// MaximumColumns is the largest number of columns a file may have.
	MaximumColumns = 10_000
	// MaximumCategories is the largest number of distinct values that are counted
	// in a column.
	MaximumCategories = 1000
	// MaximumNumbers is the largest number of values that are kept of a file's numeric
	// columns, 8 bytes each: 2 GiB.
	MaximumNumbers = 1 << 28
)

// The formats of data files.
const (
	FormatCSV     = "csv"
	FormatParquet = "parquet"
	FormatJSONL   = "jsonl"
)

// Formats lists the formats that [Read] knows.
func Formats() []string { return []string{FormatCSV, FormatParquet, FormatJSONL} }

// FormatOf is the format that a file's extension stands for: csv where it says nothing.
func FormatOf(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet", ".pq":
		return FormatParquet
	case ".jsonl", ".ndjson":
		return FormatJSONL
	}
	return FormatCSV
}

// Table is a data file. It is safe for use by many goroutines.
type Table struct {
	path, format string

	mutex   sync.Mutex
	first   contents // of the first reading: digest, rows, names
	columns []*column
}

// contents is what one reading of a file yields.
type contents struct {
	digest  digesting
	rows    int64
	names   []string
	columns []*column // nil where not wanted
	unit    string    // what a place counts: line, row
}

// digesting waits for a file's digest. That of a Parquet file is computed beside all else,
// and the profile too, since no processor without instructions for it does it in less time.
type digesting func() (string, error)

// column keeps what profiles of a column may need: its numbers in the order of
// the file while all values are numbers, and the counts of its distinct texts
// while they are few.
type column struct {
	need     need
	missing  int64
	present  int64
	numbers  []float64
	notNum   place
	infinite place
	counts   map[string]int64 // nil once there are more than MaximumCategories
	refused  *Error           // why nothing can be made of the column
}

// need says what of a column is kept.
type need uint8

const (
	numbers need = 1 << iota
	categories
)

func needOf(method string) need {
	if method == MethodCategorical {
		return categories
	}
	return numbers
}

// wanted is which columns a reading keeps, and what of them.
type wanted struct {
	need  need
	names []string
	all   bool             // the others too, while there is room
	has   func(i int) need // what earlier readings have kept
}

// of is what is to be kept of the column at i.
func (w wanted) of(i int, name string) need {
	if (w.all || slices.Contains(w.names, name)) && w.has(i)&w.need == 0 {
		return w.need
	}
	return 0
}

// place is a value and where it stands, for messages; line 0 is nowhere.
type place struct {
	line  int
	value string
}

// source is an open file.
type source interface {
	io.Reader
	io.ReaderAt
}

// Digest is the SHA-256 of the file's bytes, as sha256:<64 hexadecimal digits>. An error is of
// type *[Error]: the file could not be read to its end.
func (t *Table) Digest() (string, error) { return t.first.digest() }

// Columns names the columns in the order of the file.
func (t *Table) Columns() []string { return slices.Clone(t.first.names) }

// Rows is the number of records, a header apart.
func (t *Table) Rows() int64 { return t.first.rows }

// Read reads a data file for the given columns and binning method. What else
// [Table.Profile] is asked for takes one more reading, which keeps all columns.
//
//   - csv: with a header row, comma-separated, UTF-8, quotes as in RFC 4180.
//   - jsonl: an object a line, its keys the columns; a key that is absent is missing.
//   - parquet: columns of numbers, truth values and text; nested ones only count as there.
//
// An empty format is that of the file's extension. Errors are of type *[Error], and
// about the file: a column that does not exist is [Table.Profile]'s to refuse.
func Read(path, format, method string, columns ...string) (*Table, error) {
	if format == "" {
		format = FormatOf(path)
	}
	t := &Table{path: path, format: format}
	return t, t.read(wanted{need: needOf(method), names: columns})
}

// read reads the file, and takes over the columns that are wanted.
func (t *Table) read(want wanted) error {
	file, err := os.Open(t.path)
	if err != nil {
		return openError(t.path, err)
	}
	read := &openFile{File: file}
	defer read.release()
	info, err := file.Stat()
	switch {
	case err != nil:
		return openError(t.path, err)
	case info.IsDir():
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s is a directory", t.path), Fix: "Name the data file in it."}
	case info.Size() > MaximumSize:
		return &Error{
			Part: PartFile, Why: fmt.Sprintf("%s has %d bytes, and at most %d are read", t.path, info.Size(), int64(MaximumSize)),
			Fix: sampleFix,
		}
	}
	return t.take(read, info.Size(), want)
}

// openFile is closed when nobody reads it any more.
type openFile struct {
	*os.File
	more atomic.Int32 // readers besides the first
}

// hold keeps the file open for one reader more.
func (f *openFile) hold() { f.more.Add(1) }

func (f *openFile) release() {
	if f.more.Add(-1) < 0 {
		f.Close() //nolint:errcheck // opened for reading only
	}
}

const sampleFix = "Use a random sample of it: a hundred thousand rows say as much about a distribution."

func (t *Table) take(in source, size int64, want wanted) error {
	want.has = func(i int) need {
		if i < len(t.columns) {
			return t.columns[i].need
		}
		return 0
	}
	var got *contents
	var err error
	if err := checkMagic(in, t.path, t.format, size); err != nil {
		return err
	}
	switch t.format {
	case FormatCSV:
		got, err = readCSV(in, t.path, size, want)
	case FormatJSONL:
		got, err = readJSONL(in, t.path, size, want)
	case FormatParquet:
		got, err = readParquet(in, t.path, size, want)
	default:
		return &Error{Part: PartFile, Why: fmt.Sprintf("there is no format %q", t.format), Fix: `Use "csv", "parquet" or "jsonl".`}
	}
	if err != nil {
		return err
	}
	if t.columns == nil {
		t.first = *got
		t.columns = make([]*column, len(got.names))
		for i := range t.columns {
			t.columns[i] = &column{}
		}
	} else if same, err := sameDigest(got.digest, t.first.digest); err != nil {
		return err
	} else if !same {
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s changed while it was read", t.path), Fix: "Try again when nothing writes to it."}
	}
	for i, c := range got.columns {
		if c != nil && c.need != 0 {
			t.columns[i].merge(c)
		}
	}
	return nil
}

func sameDigest(a, b digesting) (bool, error) {
	first, err := a()
	if err != nil {
		return false, err
	}
	second, err := b()
	return first == second, err
}

// merge adds what another reading has kept of the same column.
func (c *column) merge(other *column) {
	c.missing, c.present, c.refused = other.missing, other.present, other.refused
	c.notNum = other.notNum
	if other.need&numbers != 0 {
		c.numbers, c.infinite = other.numbers, other.infinite
	}
	if other.need&categories != 0 {
		c.counts = other.counts
	}
	c.need |= other.need
}

// loaded is the column, read from the file if need be.
func (t *Table) loaded(at int, name string, n need) (*column, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.columns[at].need&n == 0 {
		if err := t.read(wanted{need: n, names: []string{name}, all: true}); err != nil {
			return nil, err
		}
	}
	return t.columns[at], nil
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

func readError(path string, err error) *Error {
	return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s cannot be read: %v", path, err), Fix: "Check the file."}
}

// magics are the beginnings of files that people name by mistake.
var magics = []struct{ prefix, is, format, fix string }{
	{"PAR1", "a Parquet file", FormatParquet, `Set format = "parquet", or leave format out of a file whose name ends in .parquet.`},
	{"\x1f\x8b", "compressed with gzip", "", "Decompress it first."},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", "", "Decompress it first."},
	{"PK\x03\x04", "a zip archive or a spreadsheet", "", "Export it as CSV."},
	{"\xff\xfe", "UTF-16 text", "", "Save it as UTF-8."},
	{"\xfe\xff", "UTF-16 text", "", "Save it as UTF-8."},
}

var formatNames = map[string]string{FormatCSV: "CSV", FormatParquet: "Parquet", FormatJSONL: "JSON lines"}

func checkMagic(in io.ReaderAt, path, format string, size int64) error {
	start := make([]byte, 4)
	n, err := in.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return readError(path, err)
	}
	start = start[:n]
	for _, magic := range magics {
		if magic.format != format && bytes.HasPrefix(start, []byte(magic.prefix)) {
			return &Error{Part: PartFile, Why: fmt.Sprintf("%s is %s, not %s", path, magic.is, formatNames[format]), Fix: magic.fix}
		}
	}
	switch {
	case size == 0:
		e := &Error{Part: PartFile, Why: fmt.Sprintf("%s is empty", path), Fix: "It needs data."}
		if format == FormatCSV {
			e.Fix = headerFix
		}
		return e
	case format == FormatParquet && !bytes.HasPrefix(start, []byte("PAR1")):
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s is not a Parquet file", path), Fix: `Check the path, or set format = "csv" or "jsonl".`}
	}
	return nil
}

const headerFix = "It needs a header row with the names of the columns, and the data below."

// add takes a value in, blanks around it removed.
func (c *column) add(text []byte, line int) {
	if isMissing(text) {
		c.missing++
		return
	}
	c.present++
	if c.need&categories != 0 {
		if c.count(text) {
			return
		}
		if c.notNum.line == 0 && !isNumber(string(text)) { // for messages
			c.notNum = place{line: line, value: string(text)}
		}
		return
	}
	if c.notNum.line > 0 {
		return
	}
	value, length := scanNumber(text)
	if length == 0 || length != len(text) {
		var ok bool
		if value, ok = parseNumber(string(text)); !ok {
			c.notNum, c.numbers = place{line: line, value: string(text)}, nil
			return
		}
	}
	c.number(value, line, func() string { return string(text) })
}

// number takes a number in that is present.
func (c *column) number(value float64, line int, text func() string) {
	if value-value != 0 { // infinite
		if c.infinite.line == 0 {
			c.infinite = place{line: line, value: text()}
		}
		return
	}
	c.numbers = append(c.numbers, value)
}

// count counts a category; true where it was known already.
func (c *column) count(text []byte) bool {
	if c.counts == nil {
		return false
	}
	if n, seen := c.counts[string(text)]; seen {
		c.counts[string(text)] = n + 1
		return true
	}
	if len(c.counts) < MaximumCategories {
		c.counts[string(text)] = 1
	} else {
		c.counts = nil
	}
	return false
}

// newColumn has room for what is needed.
func newColumn(n need) *column {
	c := &column{need: n}
	if n&categories != 0 {
		c.counts = map[string]int64{}
	}
	return c
}

// append adds the values of a stretch of the file that follows, whose first line
// is base+1. Room is made for total values at once.
func (c *column) append(next *column, base int, total func() int) {
	c.missing += next.missing
	c.present += next.present
	if c.refused == nil {
		c.refused = next.refused
	}
	if c.infinite.line == 0 && c.notNum.line == 0 && next.infinite.line > 0 {
		c.infinite = next.infinite
		c.infinite.line += base
	}
	if c.notNum.line == 0 && next.notNum.line > 0 {
		c.notNum, c.numbers = next.notNum, nil
		c.notNum.line += base
	}
	if c.counts != nil {
		if next.counts == nil {
			c.counts = nil
		}
		for text, n := range next.counts {
			c.counts[text] += n
		}
		if len(c.counts) > MaximumCategories {
			c.counts = nil
		}
	}
	if c.notNum.line > 0 {
		return
	}
	if c.numbers == nil && len(next.numbers) > 0 {
		c.numbers = make([]float64, 0, total())
	}
	if n := len(c.numbers); cap(c.numbers) > n && len(next.numbers) > 0 && &c.numbers[:n+1][n] == &next.numbers[0] {
		c.numbers = c.numbers[:n+len(next.numbers)] // they are in their place
		return
	}
	c.numbers = append(c.numbers, next.numbers...)
}

// bound refuses what would take more memory than [MaximumNumbers]; of columns that
// nobody asked for it only drops what was kept, so that they are read when they are.
func bound(path string, names []string, columns []*column, want wanted) error {
	total := 0
	for _, c := range columns {
		if c != nil {
			total += len(c.numbers)
		}
	}
	if total <= MaximumNumbers {
		return nil
	}
	for i, c := range columns {
		if c != nil && !slices.Contains(want.names, names[i]) {
			total -= len(c.numbers)
			*c = column{}
		}
	}
	if total > MaximumNumbers {
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s has more than %d numbers in the columns that are asked for", path, MaximumNumbers), Fix: sampleFix}
	}
	return nil
}

func isMissing(text []byte) bool {
	switch len(text) {
	case 0:
		return true
	case 2:
		return strings.EqualFold(string(text), "NA")
	case 3:
		return strings.EqualFold(string(text), "NaN") || strings.EqualFold(string(text), "N/A")
	case 4:
		return strings.EqualFold(string(text), "null") || strings.EqualFold(string(text), "<NA>")
	}
	return false
}
