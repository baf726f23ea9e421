package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// jsonReader reads JSON lines: an object a line, its keys the columns in the order in
// which they appear first.
type jsonReader struct {
	path  string
	want  wanted
	got   *contents
	index map[string]int
	seen  []int // the last line that had the column
	lines int
}

func readJSONL(in io.Reader, path string, size int64, want wanted) (*contents, error) {
	r := &jsonReader{path: path, want: want, got: &contents{unit: "line"}, index: map[string]int{}}
	chunks := newChunker(in, path, size, false)
	for ended := false; !ended; {
		chunk, err := chunks.next()
		var binary errBinary
		switch {
		case errors.Is(err, io.EOF):
			ended = true
		case errors.As(err, &binary):
			return nil, binary.explain(path)
		case err != nil:
			return nil, err
		}
		chunks.add(chunk)
		if r.lines == 0 {
			chunk = bytes.TrimPrefix(chunk, []byte("\xef\xbb\xbf"))
		}
		for len(chunk) > 0 {
			line, rest, _ := bytes.Cut(chunk, newline)
			chunk = rest
			r.lines++
			if err := r.line(bytes.TrimSpace(line)); err != nil {
				return nil, err
			}
		}
		if err := bound(path, r.got.names, r.got.columns, want); err != nil {
			return nil, err
		}
	}
	if r.got.rows == 0 {
		return nil, &Error{Part: PartFile, Why: fmt.Sprintf("%s has nothing but blank lines", path), Fix: "It needs a JSON object a line, with the columns as keys."}
	}
	for _, c := range r.got.columns {
		if c != nil {
			c.missing = r.got.rows - c.present // absent keys too
		}
	}
	r.got.digest = chunks.digest()
	return r.got, nil
}

func (r *jsonReader) line(line []byte) error {
	switch {
	case len(line) == 0:
		return nil
	case !utf8.Valid(line):
		return notUTF8(r.path, r.lines)
	case !json.Valid(line):
		return r.invalid(line)
	case line[0] != '{':
		e := &Error{Part: PartFile, Why: fmt.Sprintf("%s: line %d is %s, not an object", r.path, r.lines, jsonKind(line[0])), Fix: "Write an object a line, with the columns as keys."}
		if line[0] == '[' {
			e.Fix = `Write an object a line: jq -c ".[]" makes that of an array of objects.`
		}
		return e
	}
	r.got.rows++
	// The line is valid: what is looked for is there.
	for rest := bytes.TrimSpace(line[1:]); rest[0] != '}'; {
		if rest[0] == ',' {
			rest = bytes.TrimLeft(rest[1:], " \t\r")
		}
		key := jsonString(rest)
		rest = bytes.TrimLeft(rest[len(key):], " \t\r")
		rest = bytes.TrimLeft(rest[1:], " \t\r") // the colon
		value := jsonValue(rest)
		rest = bytes.TrimLeft(rest[len(value):], " \t\r")
		if err := r.field(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *jsonReader) field(key, value []byte) error {
	name := key[1 : len(key)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(unquoteJSON(key))
	}
	at, ok := r.index[string(name)]
	if !ok {
		at = len(r.got.names)
		if at == MaximumColumns {
			return tooManyColumns(r.path, at+1)
		}
		r.index[string(name)] = at
		r.got.names = append(r.got.names, string(name))
		var c *column
		if n := r.want.of(at, string(name)); n != 0 {
			c = newColumn(n)
		}
		r.got.columns = append(r.got.columns, c)
		r.seen = append(r.seen, 0)
	}
	if r.seen[at] == r.lines {
		return &Error{Part: PartFile, Why: fmt.Sprintf("%s: line %d has the key %q twice", r.path, r.lines, name), Fix: "Give it once."}
	}
	r.seen[at] = r.lines
	if c := r.got.columns[at]; c != nil && c.need != 0 && c.refused == nil {
		r.take(c, name, value)
	}
	return nil
}

// take takes a value in.
func (r *jsonReader) take(c *column, name, value []byte) {
	switch value[0] {
	case '"':
		text := value[1 : len(value)-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			text = []byte(unquoteJSON(value))
		}
		c.add(bytes.TrimSpace(text), r.lines)
	case '{', '[':
		c.refused = &Error{
			Part: PartColumn, Why: fmt.Sprintf("the column %q of %s is nested: line %d has %s", name, r.path, r.lines, jsonKind(value[0])),
			Fix: "Write what is to be watched as a key of its own.",
		}
	default:
		c.add(value, r.lines)
	}
}

// invalid says where a line stops being JSON. Python writes NaN, which JSON lacks.
func (r *jsonReader) invalid(line []byte) error {
	err := json.Unmarshal(line, new(any))
	e := &Error{Part: PartFile, Err: err, Why: fmt.Sprintf("%s: line %d is not JSON: %v", r.path, r.lines, err), Fix: "Write a JSON object a line."}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := max(int(syntax.Offset)-1, 0)
		if rest := string(line[min(at, len(line)):]); strings.HasPrefix(rest, "NaN") || strings.HasPrefix(rest, "Infinity") || at > 0 && strings.HasPrefix(string(line[min(at-1, len(line)):]), "NaN") {
			e.Fix = "JSON has neither NaN nor Infinity: write null, which counts as missing."
		}
		if r.lines == 1 && (line[0] == '{' || line[0] == '[') && strings.Contains(syntax.Error(), "unexpected end") {
			e.Fix = "Write each object on a line of its own: jq -c does."
		}
	}
	return e
}

func jsonKind(first byte) string {
	switch first {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}

func unquoteJSON(quoted []byte) string {
	var text string
	_ = json.Unmarshal(quoted, &text) // it is valid
	return text
}

// jsonString is the string that valid JSON begins with, quotes included.
func jsonString(text []byte) []byte {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i+1]
		}
	}
}

// jsonValue is the value that valid JSON begins with.
func jsonValue(text []byte) []byte {
	switch text[0] {
	case '"':
		return jsonString(text)
	case '{', '[':
		depth := 0
		for i := 0; ; i++ {
			switch text[i] {
			case '"':
				i += len(jsonString(text[i:])) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return text[:i+1]
				}
			}
		}
	}
	return text[:bytes.IndexAny(text, ",} \t\r")]
}
