package profile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// csvLayout is what every stretch of a CSV file is read with.
type csvLayout struct {
	path  string
	names []string
	need  []need
	last  int       // the last column that is needed, -1 for none
	spare sync.Pool // of numbers that are done with
}

// csvPart is what a stretch of a CSV file yields. Lines count from its beginning.
type csvPart struct {
	*csvLayout
	chunk   []byte
	rows    int64
	lines   int
	columns []*column // nil where not needed
	// Blank lines are passed over; in a file of one column each between values is a
	// missing one: those before the first record and after the last.
	leading, blanks int
	fail            func(base int) error

	fields  [][2]int
	content []byte // of quoted fields
}

// readCSV reads a file in stretches, as many at once as there are processors, and puts
// them together in their order.
func readCSV(in io.Reader, path string, size int64, want wanted) (*contents, error) {
	chunks := newChunker(in, path, size, true)
	layout, rest, base, err := readHeader(chunks, want)
	if err != nil {
		return nil, err
	}
	got := &contents{names: layout.names, columns: make([]*column, len(layout.names)), unit: "line"}
	for i, n := range layout.need {
		if n != 0 {
			got.columns[i] = newColumn(n)
		}
	}

	var readErr error
	ended := false
	next := func() (func() *csvPart, bool) {
		for len(rest) == 0 && !ended {
			if rest, readErr = chunks.next(); readErr != nil {
				ended = true
			}
		}
		if len(rest) == 0 {
			return nil, false
		}
		part := &csvPart{csvLayout: layout, chunk: rest}
		rest = nil
		return part.read, true
	}
	pending := 0 // blank lines that nothing has followed yet
	err = inOrder(next, func(part *csvPart) error {
		if part.fail != nil {
			return part.fail(base)
		}
		if part.rows > 0 {
			if len(layout.names) == 1 {
				pending += part.leading
				got.rows += int64(pending)
				if c := got.columns[0]; c != nil {
					c.missing += int64(pending)
				}
			}
			got.rows += part.rows
			pending = part.blanks
		} else {
			pending += part.blanks
		}
		for i, c := range part.columns {
			if c == nil || got.columns[i].need == 0 {
				continue
			}
			got.columns[i].append(c, base, func() int {
				return int(min(int64(len(c.numbers))*(size/int64(len(part.chunk))+2), MaximumNumbers))
			})
			if c.numbers != nil {
				layout.spare.Put(&c.numbers)
			}
		}
		base += part.lines
		chunks.add(part.chunk)
		chunks.release(part.chunk)
		return bound(path, got.names, got.columns, want)
	})
	var binary errBinary
	switch {
	case err != nil:
		return nil, err
	case errors.As(readErr, &binary):
		return nil, binary.explain(path)
	case !errors.Is(readErr, io.EOF):
		return nil, readErr
	case got.rows == 0:
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has a header and no data", path), Fix: "Add the data below the header; a file without a header needs one."}
	}
	got.digest = chunks.digest()
	return got, nil
}

// readHeader reads the names of the columns, and gives what of the stretch follows them.
func readHeader(chunks *chunker, want wanted) (layout *csvLayout, rest []byte, lines int, err error) {
	path := chunks.path
	for {
		chunk, err := chunks.next()
		var binary errBinary
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil, 0, &Error{Part: PartFile, Why: fmt.Sprintf("%s has nothing but blank lines", path), Fix: headerFix}
		case errors.As(err, &binary):
			return nil, nil, 0, binary.explain(path)
		case err != nil:
			return nil, nil, 0, err
		}
		whole := chunk
		if lines == 0 {
			chunk = bytes.TrimPrefix(chunk, []byte("\xef\xbb\xbf"))
		}
		records := csv.NewReader(bytes.NewReader(chunk))
		records.TrimLeadingSpace = true
		header, err := records.Read()
		if errors.Is(err, io.EOF) {
			chunks.add(whole)
			lines += bytes.Count(chunk, newline)
			continue
		}
		if err != nil {
			return nil, nil, 0, csvError(path, err, lines)
		}
		if len(header) > MaximumColumns {
			return nil, nil, 0, tooManyColumns(path, len(header))
		}
		layout = &csvLayout{path: path, need: make([]need, len(header)), last: -1}
		for i, name := range header {
			if !utf8.ValidString(name) {
				return nil, nil, 0, notUTF8(path, 1)
			}
			layout.names = append(layout.names, strings.TrimSpace(name))
			if layout.need[i] = want.of(i, layout.names[i]); layout.need[i] != 0 {
				layout.last = i
			}
		}
		end := records.InputOffset()
		chunks.add(whole[:len(whole)-len(chunk[end:])])
		return layout, chunk[end:], lines + bytes.Count(chunk[:end], newline), nil
	}
}

func tooManyColumns(path string, n int) *Error {
	return &Error{Part: PartFile, Why: fmt.Sprintf("%s has %d columns, and at most %d are read", path, n, MaximumColumns), Fix: "Keep the columns that are watched."}
}

var newline = []byte{'\n'}

// read reads the part's records.
func (p *csvPart) read() *csvPart {
	p.columns = make([]*column, len(p.names))
	for i, n := range p.need {
		if n != 0 {
			p.columns[i] = newColumn(n)
			if n&numbers != 0 {
				if spare, ok := p.spare.Get().(*[]float64); ok {
					p.columns[i].numbers = (*spare)[:0]
				}
			}
		}
	}
	quotes := bytes.IndexByte(p.chunk, '"') >= 0
	valid := utf8.Valid(p.chunk)
	if !quotes && valid {
		p.simple(p.chunk)
		return p
	}
	for rest := p.chunk; len(rest) > 0 && p.fail == nil; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		if bytes.IndexByte(line, '"') < 0 && (valid || utf8.Valid(line)) {
			p.simple(line)
			rest = rest[len(line):]
			continue
		}
		rest = rest[p.record(rest):]
	}
	return p
}

// simple reads records without quotes. A number is read and its end found in one go.
func (p *csvPart) simple(data []byte) {
	for pos := 0; pos < len(data); {
		if data[pos] == '\n' {
			p.blank()
			pos++
			continue
		}
		if data[pos] == '\r' && (pos+1 == len(data) || data[pos+1] == '\n') {
			p.blank()
			pos += 2
			continue
		}
		fields, more := 0, true
		for ; more && fields <= p.last; fields++ {
			c := p.columns[fields]
			if c != nil && c.need == numbers && c.notNum.line == 0 {
				if value, n := scanNumber(data[pos:]); n > 0 {
					if at := pos + n; at == len(data) || data[at] == ',' || data[at] == '\n' {
						c.present++
						c.number(value, p.lines+1, nil) // never infinite
						more = at < len(data) && data[at] == ','
						pos = at + 1
						continue
					}
				}
			}
			end := pos
			for end < len(data) && data[end] != ',' && data[end] != '\n' {
				end++
			}
			if c != nil {
				c.add(bytes.TrimSpace(data[pos:end]), p.lines+1)
			}
			more = end < len(data) && data[end] == ','
			pos = end + 1
		}
		if more { // none of the fields that follow is needed
			line := data[pos:]
			if i := bytes.IndexByte(line, '\n'); i >= 0 {
				line = line[:i]
			}
			fields += 1 + bytes.Count(line, comma)
			pos += len(line) + 1
		}
		p.row(fields, 1)
	}
}

var comma = []byte{','}

// row ends a record.
func (p *csvPart) row(fields, lines int) {
	if fields != len(p.names) && p.fail == nil {
		line := p.lines + 1
		p.fail = func(base int) error { return ragged(p.path, base+line) }
	}
	if p.rows == 0 {
		p.leading, p.blanks = p.blanks, 0
	} else if p.blanks > 0 {
		if len(p.names) == 1 {
			p.rows += int64(p.blanks)
			if p.columns[0] != nil {
				p.columns[0].missing += int64(p.blanks)
			}
		}
		p.blanks = 0
	}
	p.rows++
	p.lines += lines
}

func (p *csvPart) blank() {
	p.lines++
	p.blanks++
}

// record reads the record that data begin with, quotes and all, and gives its length.
func (p *csvPart) record(data []byte) int {
	p.fields, p.content = p.fields[:0], p.content[:0]
	starts := make([]int, 0, 16)
	pos, more := 0, true
	for more {
		line := data[pos:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		field := bytes.TrimLeftFunc(line, unicode.IsSpace)
		start, from := pos+len(line)-len(field), len(p.content)
		starts = append(starts, start)
		if len(field) == 0 || field[0] != '"' {
			end := bytes.IndexByte(field, ',')
			if more = end >= 0; !more {
				end = len(field)
			}
			p.content = append(p.content, field[:end]...)
			if bytes.IndexByte(field[:end], '"') >= 0 {
				return p.malformed(data)
			}
			pos = start + end
			if more {
				pos++
			}
		} else {
			if pos, more = p.quoted(data, start+1); pos < 0 {
				return p.malformed(data)
			}
		}
		p.fields = append(p.fields, [2]int{from, len(p.content)})
	}
	if len(p.fields) != len(p.names) {
		p.row(len(p.fields), 0)
		return len(data)
	}
	for i, f := range p.fields {
		text := p.content[f[0]:f[1]]
		line := p.lines + 1 + bytes.Count(data[:starts[i]], newline)
		if !utf8.Valid(text) {
			p.fail = func(base int) error { return notUTF8(p.path, base+line) }
			return len(data)
		}
		if p.columns[i] != nil {
			p.columns[i].add(bytes.TrimSpace(text), line)
		}
	}
	p.row(len(p.fields), bytes.Count(data[:pos], newline))
	return pos
}

// quoted reads a quoted field from after its first quote, and gives where the next field
// begins, or the next record; -1 where a quote stands where it may not.
func (p *csvPart) quoted(data []byte, pos int) (next int, more bool) {
	from := len(p.content)
	for {
		i := bytes.IndexByte(data[pos:], '"')
		if i < 0 {
			return -1, false
		}
		p.content = append(p.content, data[pos:pos+i]...)
		pos += i + 1
		rest := data[pos:]
		switch {
		case len(rest) > 0 && rest[0] == '"':
			p.content = append(p.content, '"')
			pos++
			continue
		case len(rest) > 0 && rest[0] == ',':
			pos++
			more = true
		case len(rest) == 0:
		case rest[0] == '\n':
			pos++
		case rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n'):
			pos += min(2, len(rest))
		default:
			return -1, false
		}
		if text := p.content[from:]; bytes.IndexByte(text, '\r') >= 0 { // line ends become \n
			p.content = append(p.content[:from], bytes.ReplaceAll(text, []byte("\r\n"), newline)...)
		}
		return pos, more
	}
}

// malformed has encoding/csv say what is wrong with the record that data begin with.
func (p *csvPart) malformed(data []byte) int {
	line := p.lines
	p.fail = func(base int) error {
		records := csv.NewReader(bytes.NewReader(data))
		records.TrimLeadingSpace, records.FieldsPerRecord = true, -1
		for {
			if _, err := records.Read(); err != nil {
				return csvError(p.path, err, base+line)
			}
		}
	}
	return len(data)
}

// csvError explains an error of encoding/csv in what follows the first lines.
func csvError(path string, err error, lines int) *Error {
	var syntax *csv.ParseError
	if !errors.As(err, &syntax) {
		return readError(path, err)
	}
	return &Error{
		Part: PartFile, Err: err, Why: fmt.Sprintf("%s: line %d, column %d: %v", path, lines+syntax.Line, syntax.Column, syntax.Err),
		Fix: "Write a quote within a quoted field twice, and close every quoted field.",
	}
}

func ragged(path string, line int) *Error {
	return &Error{
		Part: PartFile, Err: csv.ErrFieldCount, Why: fmt.Sprintf("%s: line %d has not as many fields as the header", path, line),
		Fix: "Quote fields that contain a comma, and give every row all its fields.",
	}
}
