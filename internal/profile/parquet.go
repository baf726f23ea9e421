package profile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on what a Parquet file may ask for, whatever it claims: a reader that believed the
// sizes in a file would let a small one take all memory. That is why the pages are decoded
// here, and a library only reads the metadata, after checkThrift, and decompresses.
const (
	maximumFooter    = 64 << 20
	maximumPage      = 256 << 20 // bytes, decompressed
	maximumPageRows  = 1 << 24
	maximumRowGroups = 1 << 15
	maximumHeader    = 1 << 20
)

// damagedError is why a Parquet file cannot be decoded.
type damagedError string

func (e damagedError) Error() string { return string(e) }

func damaged(text string, args ...any) error { return damagedError(fmt.Sprintf(text, args...)) }

// parquetFile is an open file with its metadata.
type parquetFile struct {
	in   io.ReaderAt
	path string
	size int64
	meta format.FileMetaData
}

// readParquet reads the wanted columns, several row groups at once.
func readParquet(in source, path string, size int64, want wanted) (got *contents, err error) {
	f := &parquetFile{in: in, path: path, size: size}
	digest := f.digest(in)
	defer func() {
		if err != nil {
			_, _ = digest() // the file is not read when this returns
			err = f.explain(err)
		}
	}()
	if err := f.open(); err != nil {
		return nil, err
	}
	leaves, err := f.leaves()
	if err != nil {
		return nil, err
	}
	got = &contents{unit: "row", digest: digest, rows: f.meta.NumRows, columns: make([]*column, len(leaves))}
	for i, l := range leaves {
		got.names = append(got.names, l.name)
		n := want.of(i, l.name)
		if n == 0 {
			continue
		}
		got.columns[i] = newColumn(n)
		switch {
		case l.refused != nil:
			got.columns[i].refused = l.refused(path)
		case n == numbers && l.number != nil && !want.all && got.rows/8 <= size:
			// As many rows as a file of this size may well have: each row group decodes to
			// its place at once.
			got.columns[i].numbers = make([]float64, 0, got.rows)
		}
	}
	type part struct {
		columns []*column
		err     error
	}
	// room is where the numbers go that are decoded to their place.
	room := make([][]float64, len(leaves))
	needs := make([]need, len(leaves))
	for i, c := range got.columns {
		if c != nil && c.refused == nil {
			needs[i], room[i] = c.need, c.numbers[:cap(c.numbers)]
		}
	}
	fresh := func(first, rows int64) []*column {
		columns := make([]*column, len(leaves))
		for i, n := range needs {
			if n == 0 {
				continue
			}
			columns[i] = newColumn(n)
			if room[i] != nil {
				columns[i].numbers = room[i][first : first : first+rows]
			}
		}
		return columns
	}
	group, base, first := 0, 0, int64(0)
	next := func() (func() part, bool) {
		if group == len(f.meta.RowGroups) {
			return nil, false
		}
		g, from := &f.meta.RowGroups[group], first
		group++
		first += g.NumRows
		return func() part {
			columns, err := f.rowGroup(g, leaves, fresh(from, g.NumRows))
			return part{columns, err}
		}, true
	}
	err = inOrder(next, func(p part) error {
		if p.err != nil {
			return p.err
		}
		for i, c := range p.columns {
			if c != nil && got.columns[i].need != 0 {
				got.columns[i].append(c, base, func() int { // no more than the first group makes likely
					return int(min(f.meta.NumRows, int64(len(c.numbers)*len(f.meta.RowGroups))+1))
				})
			}
		}
		for i, c := range p.columns { // all have as many rows
			if c != nil && leaves[i].refused == nil {
				base += int(c.present + c.missing)
				break
			}
		}
		return bound(path, got.names, got.columns, want)
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// digest reads the whole file once more, at once with all else.
func (f *parquetFile) digest(in source) digesting {
	file, shared := in.(interface {
		hold()
		release()
	})
	if shared {
		file.hold()
	}
	var sum string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if shared {
			defer file.release()
		}
		h := sha256.New()
		var n int64
		n, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.NewSectionReader(in, 0, f.size)}, make([]byte, min(int(f.size)+1, chunkSize)))
		if err == nil && n < f.size {
			err = io.ErrUnexpectedEOF
		}
		sum = digestOf(h)
	}()
	return func() (string, error) {
		<-done
		if err != nil {
			return "", readError(f.path, err)
		}
		return sum, nil
	}
}

// explain makes an error of any cause one that teaches.
func (f *parquetFile) explain(err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // never wrapped
		return e
	}
	return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s cannot be read as Parquet: %v", f.path, err), Fix: "Write the file again; where it is whole, write it with another codec or encoding."}
}

// open reads the metadata at the end of the file.
func (f *parquetFile) open() (err error) {
	defer recovered(&err)
	if f.size < 12 {
		return damaged("it ends too early")
	}
	var tail [8]byte
	if _, err := f.in.ReadAt(tail[:], f.size-8); err != nil {
		return err
	}
	if magic := string(tail[4:]); magic != "PAR1" {
		if magic == "PARE" {
			return &Error{Part: PartFile, Why: fmt.Sprintf("%s is encrypted", f.path), Fix: "Write it without encryption."}
		}
		return damaged("its end is missing")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	if length > f.size-12 || length > maximumFooter {
		return damaged("its metadata claim %d bytes", length)
	}
	footer := make([]byte, length)
	if _, err := f.in.ReadAt(footer, f.size-8-length); err != nil {
		return err
	}
	n, err := checkThrift(footer)
	if err != nil {
		return damaged("its metadata are malformed: %v", err)
	}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer[:n], &f.meta); err != nil {
		return damaged("its metadata are malformed: %v", err)
	}
	if f.meta.EncryptionAlgorithm.Value != nil {
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s is encrypted", f.path), Fix: "Write it without encryption."}
	}
	rows := int64(0)
	for i := range f.meta.RowGroups {
		n := f.meta.RowGroups[i].NumRows
		if n < 0 || n > math.MaxInt64-rows {
			return damaged("a row group claims %d rows", n)
		}
		rows += n
	}
	switch {
	case len(f.meta.RowGroups) > maximumRowGroups:
		return damaged("it has %d row groups", len(f.meta.RowGroups))
	case rows != f.meta.NumRows:
		return damaged("its row groups have %d rows and the file claims %d", rows, f.meta.NumRows)
	case rows > MaximumNumbers:
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s has %d rows, and at most %d are read", f.path, rows, MaximumNumbers), Fix: sampleFix}
	case rows == 0:
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s has no rows", f.path), Fix: "Write the data into it."}
	}
	return nil
}

// recovered turns a panic of a decoder into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = damaged("it is damaged: %v", r)
	}
}

// leaves are the columns of the top level; nested ones are there to be refused.
func (f *parquetFile) leaves() ([]leaf, error) {
	schema := f.meta.Schema
	if len(schema) == 0 {
		return nil, damaged("it has no schema")
	}
	var out []leaf
	at, index := 1, 0
	// skip passes over an element with all below it.
	var skip func(depth int) error
	skip = func(depth int) error {
		if at >= len(schema) || depth > 100 {
			return damaged("its schema is malformed")
		}
		children := schema[at].NumChildren.V
		at++
		if children == 0 {
			index++
		}
		for range children {
			if err := skip(depth + 1); err != nil {
				return err
			}
		}
		return nil
	}
	for range schema[0].NumChildren.V {
		if at >= len(schema) {
			return nil, damaged("its schema is malformed")
		}
		if len(out) == MaximumColumns {
			return nil, tooManyColumns(f.path, len(out)+1)
		}
		e := &schema[at]
		l := leaf{name: e.Name, index: index, optional: e.RepetitionType.V == format.Optional, physical: e.Type.V}
		switch {
		case e.NumChildren.V > 0 || e.RepetitionType.V == format.Repeated:
			l.refuse("is nested: it has lists or structures", "Write what is to be watched as a column of its own.")
		default:
			l.setType(e)
		}
		out = append(out, l)
		if err := skip(0); err != nil {
			return nil, err
		}
	}
	for i := range f.meta.RowGroups {
		if n := len(f.meta.RowGroups[i].Columns); n != index {
			return nil, damaged("a row group has %d columns and the schema %d", n, index)
		}
	}
	return out, nil
}

// rowGroup fills the columns of a row group that are kept.
func (f *parquetFile) rowGroup(g *format.RowGroup, leaves []leaf, columns []*column) (_ []*column, err error) {
	defer recovered(&err)
	for i := range leaves {
		if columns[i] == nil {
			continue
		}
		r := &chunkReader{parquetFile: f, leaf: &leaves[i], column: columns[i], meta: &g.Columns[leaves[i].index].MetaData, rows: g.NumRows}
		if g.Columns[leaves[i].index].FilePath != "" {
			return nil, damaged("the column %q lies in another file", leaves[i].name)
		}
		if err := r.read(); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// chunkReader reads a column's part of a row group, page by page.
type chunkReader struct {
	*parquetFile
	*leaf
	*column
	meta *format.ColumnMetaData
	rows int64 // of the row group
	done int64 // rows that have been read

	dictionary pageValues
	body       []byte
	decoded    []byte
	indexes    []uint32
}

func (r *chunkReader) read() error {
	start := r.meta.DataPageOffset
	if d := r.meta.DictionaryPageOffset; d > 0 && d < start {
		start = d
	}
	length := r.meta.TotalCompressedSize
	switch {
	case start < 4 || length < 0 || start > r.size || length > r.size-start:
		return damaged("the column %q lies outside of the file", r.name)
	case r.meta.Type != r.physical:
		return damaged("the column %q has %s values, and the schema says %s", r.name, r.meta.Type, r.physical)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r.in, start, length), 256<<10)
	left := length
	for r.done < r.rows {
		header, n, err := readPageHeader(in, left)
		if err != nil {
			return damaged("the column %q: %v", r.name, err)
		}
		left -= int64(n)
		compressed, size := int(header.CompressedPageSize), int(header.UncompressedPageSize)
		if compressed < 0 || int64(compressed) > left || size < 0 || size > maximumPage {
			return damaged("the column %q has a page that claims %d bytes, decompressed %d", r.name, compressed, size)
		}
		left -= int64(compressed)
		if cap(r.body) < compressed {
			r.body = make([]byte, compressed)
		}
		r.body = r.body[:compressed]
		if _, err := io.ReadFull(in, r.body); err != nil {
			return err
		}
		if err := r.page(header, size); err != nil {
			return damaged("the column %q: %v", r.name, err)
		}
	}
	return nil
}

// readPageHeader reads a page's header, and gives its length.
func readPageHeader(in *bufio.Reader, left int64) (*format.PageHeader, int, error) {
	peek := in.Peek
	for size := 256; ; size *= 4 {
		raw, err := peek(int(min(int64(size), left)))
		n, malformed := checkThrift(raw)
		if malformed == nil {
			header := new(format.PageHeader)
			if err := thrift.Unmarshal(new(thrift.CompactProtocol), raw[:n], header); err != nil {
				return nil, 0, err
			}
			_, err := in.Discard(n)
			return header, n, err
		}
		if err != nil || int64(size) >= left || size >= in.Size() {
			return nil, 0, malformed
		}
	}
}

func (r *chunkReader) page(header *format.PageHeader, size int) error {
	switch header.Type {
	case format.DictionaryPage:
		h := header.DictionaryPageHeader.V
		if h.NumValues < 0 || h.NumValues > maximumPageRows || r.dictionary.n > 0 {
			return damaged("it has a dictionary of %d values, or two", h.NumValues)
		}
		data, err := decompress(r.meta.Codec, r.body, size, nil)
		if err != nil {
			return err
		}
		// The dictionary outlives the page.
		r.dictionary, err = r.values(bytes.Clone(data), int(h.NumValues), format.Plain)
		return err
	case format.DataPage:
		h := header.DataPageHeader.V
		if err := r.checkRows(h.NumValues); err != nil {
			return err
		}
		data, err := decompress(r.meta.Codec, r.body, size, &r.decoded)
		if err != nil {
			return err
		}
		var levels []byte
		if r.optional {
			if h.DefinitionLevelEncoding != format.RLE {
				return damaged("its levels have the encoding %s", h.DefinitionLevelEncoding)
			}
			if len(data) < 4 || int(binary.LittleEndian.Uint32(data)) > len(data)-4 {
				return damaged("its levels end too early")
			}
			end := 4 + int(binary.LittleEndian.Uint32(data))
			levels, data = data[4:end], data[end:]
		}
		return r.rowsOf(levels, data, int(h.NumValues), h.Encoding)
	case format.DataPageV2:
		h := header.DataPageHeaderV2.V
		if err := r.checkRows(h.NumValues); err != nil {
			return err
		}
		before := int(h.RepetitionLevelsByteLength)
		end := before + int(h.DefinitionLevelsByteLength)
		if before < 0 || h.DefinitionLevelsByteLength < 0 || end > len(r.body) || end > size {
			return damaged("its levels end too early")
		}
		data := r.body[end:]
		if !h.IsCompressed.Valid || h.IsCompressed.V {
			var err error
			if data, err = decompress(r.meta.Codec, data, size-end, &r.decoded); err != nil {
				return err
			}
		}
		return r.rowsOf(r.body[before:end], data, int(h.NumValues), h.Encoding)
	case format.IndexPage:
		return nil
	}
	return damaged("it has a page of type %d", header.Type)
}

func (r *chunkReader) checkRows(n int32) error {
	if n < 0 || int64(n) > r.rows-r.done || n > maximumPageRows {
		return damaged("it has a page that claims %d rows", n)
	}
	return nil
}

// rowsOf takes the rows of a page in.
func (r *chunkReader) rowsOf(levels, data []byte, rows int, encoding format.Encoding) error {
	first := int(r.done) + 1
	r.done += int64(rows)
	present := rows
	var defined []uint32 // 1 where the row has a value; nil where all have
	if r.optional {
		var err error
		if !allOnes(levels, rows) {
			if defined, err = readRuns(nil, levels, 1, rows); err != nil {
				return err
			}
			present = 0
			for _, d := range defined {
				present += int(d)
			}
		}
		if present == rows {
			defined = nil
		}
	}
	r.missing += int64(rows - present)
	values, err := r.values(data, present, encoding)
	if err != nil {
		return err
	}
	rowOf := func(i int) int { // of the value i
		if defined == nil {
			return first + i
		}
		for row, d := range defined {
			if i -= int(d); i < 0 {
				return first + row
			}
		}
		return first
	}
	if r.leaf.number != nil && r.need == numbers {
		r.takeNumbers(values, rowOf)
		return nil
	}
	for i := range values.n {
		line := 0
		if r.notNum.line == 0 && r.infinite.line == 0 {
			line = rowOf(i)
		}
		text := bytes.TrimSpace(r.leaf.text(values.at(i)))
		if !utf8.Valid(text) {
			r.column.refused = &Error{Part: PartColumn, Why: fmt.Sprintf("the column %q of %s has bytes that are no UTF-8 text", r.name, r.path), Fix: "Choose another column, or write it as text."}
			return nil
		}
		r.add(text, line)
	}
	return nil
}

// takeNumbers takes numbers in; one that is not a number is missing.
func (r *chunkReader) takeNumbers(values pageValues, rowOf func(int) int) {
	c := r.column
	from := len(c.numbers)
	c.numbers = values.appendNumbers(c.numbers, r.leaf)
	if allFinite(c.numbers[from:]) {
		c.present += int64(values.n)
		return
	}
	kept := c.numbers[:from]
	for i, v := range c.numbers[from:] {
		switch {
		case math.IsNaN(v):
			c.missing++
			continue
		case math.IsInf(v, 0):
			if c.infinite.line == 0 {
				c.infinite = place{line: rowOf(i), value: string(strconv.AppendFloat(nil, v, 'g', -1, 64))}
			}
		default:
			kept = append(kept, v)
		}
		c.present++
	}
	c.numbers = kept
}

func allFinite(values []float64) bool {
	const infinite = 0x7ff << 53 // without its sign
	var most [2]uint64           // twice, so that one does not wait for the other
	for ; len(values) >= 2; values = values[2:] {
		most[0] = max(most[0], math.Float64bits(values[0])<<1)
		most[1] = max(most[1], math.Float64bits(values[1])<<1)
	}
	for _, v := range values {
		most[0] = max(most[0], math.Float64bits(v)<<1)
	}
	return max(most[0], most[1]) < infinite
}
