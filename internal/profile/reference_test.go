package profile

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// referenceCSV reads a file as encoding/csv does, record after record: what the reader in
// stretches must agree with, in what it keeps and in what it refuses.
func referenceCSV(text, path string) (*Table, error) {
	records := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
	records.ReuseRecord, records.TrimLeadingSpace = true, true
	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has nothing but blank lines", path), Fix: "It needs a header row with the names of the columns, and the data below."}
	}
	if err != nil {
		return nil, referenceError(path, err)
	}
	if len(header) > MaximumColumns {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has %d columns, and at most %d are read", path, len(header), MaximumColumns), Fix: "Keep the columns that are watched."}
	}
	t := &Table{path: path, format: FormatCSV, first: contents{unit: "line"}}
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, notUTF8(path, 1)
		}
		t.first.names = append(t.first.names, strings.TrimSpace(strings.Clone(header[i])))
		t.columns = append(t.columns, newColumn(numbers|categories))
	}
	next, _ := records.FieldPos(0) // the line after the record before
	next += strings.Count(header[0], "\n") + 1
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, referenceError(path, err)
		}
		t.first.rows++
		if len(header) == 1 {
			// The reader skips blank lines; in a file of one column each is a missing
			// value.
			line, _ := records.FieldPos(0)
			blank := int64(max(line-next, 0))
			t.columns[0].missing += blank
			t.first.rows += blank
			next = line + strings.Count(record[0], "\n") + 1
		}
		for i, text := range record {
			if !utf8.ValidString(text) {
				line, _ := records.FieldPos(i)
				return nil, notUTF8(path, line)
			}
			line, _ := records.FieldPos(i)
			t.columns[i].referenceAdd(strings.TrimSpace(text), line)
		}
	}
	if t.first.rows == 0 {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has a header and no data", path), Fix: "Add the data below the header; a file without a header needs one."}
	}
	sum := sha256.Sum256([]byte(text))
	t.first.digest = func() (string, error) { return "sha256:" + hex.EncodeToString(sum[:]), nil }
	return t, nil
}

func referenceError(path string, err error) *Error {
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax) && errors.Is(err, csv.ErrFieldCount):
		return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s: line %d has not as many fields as the header", path, syntax.StartLine), Fix: "Quote fields that contain a comma, and give every row all its fields."}
	case errors.As(err, &syntax):
		return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s: line %d, column %d: %v", path, syntax.Line, syntax.Column, syntax.Err), Fix: "Write a quote within a quoted field twice, and close every quoted field."}
	}
	return &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s cannot be read: %v", path, err), Fix: "Check the file."}
}

// referenceAdd takes a value in with strconv alone.
func (c *column) referenceAdd(text string, line int) {
	if isMissing([]byte(text)) {
		c.missing++
		return
	}
	c.present++
	c.count([]byte(text))
	value, ok := parseNumber(text)
	switch {
	case c.notNum.line > 0:
	case !ok:
		c.notNum, c.numbers = place{line: line, value: text}, nil
	case math.IsInf(value, 0):
		if c.infinite.line == 0 {
			c.infinite = place{line: line, value: text}
		}
	default:
		c.numbers = append(c.numbers, value)
	}
}
