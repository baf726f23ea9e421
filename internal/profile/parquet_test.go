package profile

import (
	stdcmp "cmp"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readBoth reads a file for its numbers and for its categories.
func readBoth(t *testing.T, path string) *Table {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := parse(string(text), FormatOf(path), numbers, categories)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestEveryFormatHoldsTheSameTable(t *testing.T) {
	want := readBoth(t, filepath.Join("testdata", "parquet", "all.csv"))
	files, err := filepath.Glob(filepath.Join("testdata", "parquet", "all.jsonl"))
	parquets, err2 := filepath.Glob(filepath.Join("testdata", "parquet", "*.parquet"))
	if files = append(files, parquets...); err != nil || err2 != nil || len(files) != 8 {
		t.Fatal(files, err, err2)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := readBoth(t, file)
			if got.Rows() != want.Rows() {
				t.Fatalf("%d rows, want %d", got.Rows(), want.Rows())
			}
			for i, name := range want.Columns() {
				if strings.HasSuffix(file, ".jsonl") && strings.HasPrefix(name, "dec") {
					continue // JSON has no decimals
				}
				at := slices.Index(got.Columns(), name)
				if at < 0 {
					t.Fatalf("no column %s", name)
				}
				g, w := got.columns[at], want.columns[i]
				if g.missing != w.missing || g.present != w.present || len(g.numbers) != len(w.numbers) || (g.notNum.line == 0) != (w.notNum.line == 0) || g.notNum.value != w.notNum.value {
					t.Errorf("%s: %d missing, %d present, %d numbers, first text %+v; want %d, %d, %d, %+v", name,
						g.missing, g.present, len(g.numbers), g.notNum, w.missing, w.present, len(w.numbers), w.notNum)
					continue
				}
				for j := range g.numbers {
					if math.Float64bits(g.numbers[j]) != math.Float64bits(w.numbers[j]) {
						t.Errorf("%s, value %d: %v, want %v", name, j, g.numbers[j], w.numbers[j])
						break
					}
				}
				if name == "text" || name == "bool" || name == "numbers_as_text" || strings.HasPrefix(name, "int") || strings.HasPrefix(name, "dec") && !strings.HasSuffix(file, ".jsonl") {
					if d := cmp.Diff(w.counts, g.counts); d != "" {
						t.Errorf("%s: %s", name, d)
					}
				}
			}
		})
	}
}

func TestParquetColumnsThatAreNoNumbersAreRefused(t *testing.T) {
	table := readBoth(t, filepath.Join("testdata", "parquet", "snappy.parquet"))
	for name, want := range map[string]string{
		"list":   "is nested",
		"struct": "is nested",
		"when":   "has dates",
		"stamp":  "has points in time",
		"text":   `is not numeric: row 2 has "g`,
		"bool":   "is not numeric: row 2 has",
		"score":  `has no column "score"; it has "double", `,
		"doubel": `Use "double"`,
	} {
		_, err := table.Profile(name, Binning{Method: MethodQuantile, Bins: 4})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if _, err := table.Profile("last", Binning{Method: MethodQuantile, Bins: 4}); err != nil {
		t.Errorf("the column after the nested ones: %v", err)
	}
	if r, err := table.Profile("text", Binning{Method: MethodCategorical, Bins: 4}); err != nil || len(r.Categories) != 4 || r.Missing != 43 {
		t.Errorf("categories: %+v, %v", r, err)
	}
}

// shortSource can be read in parts, but not from its beginning to its end.
type shortSource struct {
	*strings.Reader
	why error // nil where it just ends
}

func (s shortSource) ReadAt(p []byte, at int64) (int, error) {
	if at == 0 && len(p) > 4 {
		n, _ := s.Reader.ReadAt(p[:8], at)
		return n, stdcmp.Or(s.why, io.EOF)
	}
	return s.Reader.ReadAt(p, at)
}

func TestAParquetFileWithoutADigestHasNoProfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "parquet", "snappy.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []error{nil, fs.ErrClosed} {
		table := &Table{path: "short", format: FormatParquet}
		if err := table.take(shortSource{strings.NewReader(string(text)), why}, int64(len(text)), wanted{need: numbers, all: true}); err != nil {
			t.Fatal(err)
		}
		_, digestErr := table.Digest()
		_, profileErr := table.Profile("last", Binning{Method: MethodQuantile, Bins: 4})
		for _, err := range []error{digestErr, profileErr} {
			checkTeaches(t, err)
			if want := stdcmp.Or(why, io.ErrUnexpectedEOF); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if err := table.take(strings.NewReader(string(text)), int64(len(text)), wanted{need: categories, all: true}); err == nil {
			t.Error("a second reading knows whether the file is the same")
		}
	}
}

// The digest may take longer than all else: the file stays open for it, and no longer.
func TestAFileIsClosedWhenNobodyReadsIt(t *testing.T) {
	for _, name := range []string{"snappy.parquet", "all.csv"} {
		file, err := os.Open(filepath.Join("testdata", "parquet", name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		read := &openFile{File: file}
		table := &Table{path: name, format: FormatOf(name)}
		if err := table.take(read, info.Size(), wanted{need: numbers, all: true}); err != nil {
			t.Fatal(err)
		}
		read.release()
		if _, err := table.Digest(); err != nil {
			t.Error(err)
		}
		if _, err := file.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s is open, or %v", name, err)
		}
	}
}

func TestADamagedParquetFileIsAnError(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "parquet", "*.parquet"))
	if err != nil || len(files) != 7 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for at := 0; at < len(whole); at += 997 {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				text := slices.Clone(whole)
				text[at] ^= flip
				if _, err := parse(string(text), FormatParquet, numbers); err != nil {
					refused++
					checkTeaches(t, err)
				}
			}
		}
		for _, length := range []int{0, 4, 8, 11, 12, 100, len(whole) / 2, len(whole) - 1} {
			_, err := parse(string(whole[:length]), FormatParquet, numbers)
			checkTeaches(t, err)
		}
		if refused == 0 {
			t.Errorf("%s: no damage is seen", file)
		}
	}
}
