package profile

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parse reads a text as a file, once for each need.
func parse(text, format string, needs ...need) (*Table, error) {
	t := &Table{path: "fuzz", format: format}
	for _, n := range needs {
		if err := t.take(strings.NewReader(text), int64(len(text)), wanted{need: n, all: true}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

var csvSeeds = []string{
	"", "a\n1\n2\n", "a,b\n1,x\nNA,y\n", "a\n\"1\n", "\xef\xbb\xbfa\n1e308\n-1e308\n", "a\n1\x00", "a\ninf\n", "PAR1", "a,a\n1,2\n3,4\n",
	"a,b\n\"1\",\"x\"\"y\"\n2,\"z\r\n\n\"\n", "a\n\n1\n\n\n2\n\n", "a,b\r\n1 , 2\r\n\r\n3,\" 4\"\r", "a,b\n1,2\n3\n", "a\nx\"y\n", "a,b\n\"1\"2,3\n", "a,b\n1,\xff\n",
	"a,b,c\n0.1,,\n,,\"\"\n", "a\n   \n\"\"\n1\n", "\"a\nb\",c\n1,2\n", "a,b\n1,\"2\n3,4\n", "a\n1,\n", "a,b\n-0,1e5\n1e999,0x1\n",
}

// FuzzCSVIsReadAsEncodingCSVReadsIt holds the reader in stretches against the one record
// after record, for texts without NUL.
func FuzzCSVIsReadAsEncodingCSVReadsIt(f *testing.F) {
	for _, seed := range csvSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkCSV(t, text) })
}

func TestAFileReadInStretchesIsReadAsAWhole(t *testing.T) {
	defer func(size int) { chunkSize = size }(chunkSize)
	random := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "1", "-2.5", "1e3", ",", ",", ",", "\n", "\n", "\n", "\"", "\"", "\"\"", "\r", "\r\n", " ", "NA", "\xff", "é", "x,1\n", "\"1\",2\n", "3,4\n", "inf"}
	read := 0
	for i := range 30_000 {
		text := []string{"a,b\n", "a\n", "", "a,b,c\n"}[i%4]
		for range random.IntN(25) {
			text += pieces[random.IntN(len(pieces))]
		}
		if i%2 == 0 { // most of the others are malformed
			text = []string{"a,b\n", "a,b\r\n"}[i/2%2]
			for range random.IntN(9) {
				text += []string{"1,2\n", "\"3\n\",\"\"\n", " 4 , \"5\"\r\n", "\n", "\"x,\"\"\n\n\",6\n", "y,-.5e-7\n"}[random.IntN(6)]
			}
		}
		chunkSize = []int{1, 5, 16, 1 << 10}[random.IntN(4)]
		read += checkCSV(t, text)
	}
	if read < 10_000 {
		t.Errorf("only %d texts could be read", read)
	}
}

func digestOfTable(t *testing.T, table *Table) string {
	t.Helper()
	sum, err := table.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// checkCSV gives 1 where the text could be read.
func checkCSV(t *testing.T, text string) int {
	t.Helper()
	for _, magic := range magics {
		if strings.HasPrefix(text, magic.prefix) {
			return 0
		}
	}
	if text == "" || strings.Contains(text, "\x00") {
		return 0
	}
	want, wantErr := referenceCSV(text, "fuzz")
	got, err := parse(text, FormatCSV, numbers)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		if strings.Contains(fmt.Sprint(wantErr), "not UTF-8") && strings.Contains(fmt.Sprint(err), "not UTF-8") {
			return 0 // the same in other words
		}
		t.Fatalf("%q\n got %v\nwant %v", text, err, wantErr)
	}
	if err != nil {
		return 0
	}
	byText, err := parse(text, FormatCSV, categories)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows() != want.Rows() || digestOfTable(t, got) != digestOfTable(t, want) {
		t.Fatalf("%q: %d rows, want %d", text, got.Rows(), want.Rows())
	}
	if d := cmp.Diff(want.Columns(), got.Columns()); d != "" {
		t.Fatal(d)
	}
	for i, w := range want.columns {
		g, c := got.columns[i], byText.columns[i]
		same := g.missing == w.missing && g.present == w.present && g.notNum == w.notNum && (g.infinite == w.infinite || w.notNum.line > 0) && len(g.numbers) == len(w.numbers)
		same = same && c.missing == w.missing && c.present == w.present && (c.notNum.line > 0) == (w.notNum.line > 0)
		for j := range g.numbers {
			same = same && math.Float64bits(g.numbers[j]) == math.Float64bits(w.numbers[j])
		}
		if !same {
			t.Fatalf("%q, column %d:\n got %+v\n and %+v\nwant %+v", text, i, g, c, w)
		}
		if d := cmp.Diff(w.counts, c.counts); d != "" {
			t.Fatalf("%q, column %d: %s", text, i, d)
		}
	}
	return 1
}

func checkTeaches(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Why == "" || e.Fix == "" {
		t.Fatalf("an error that does not teach: %#v", err)
	}
}

func FuzzParquet(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "parquet", "small", "*.parquet"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), uint8(3))
	}
	fuzzProfiles(f, FormatParquet)
}

func FuzzCSV(f *testing.F) {
	for _, seed := range csvSeeds {
		f.Add(seed, uint8(3))
	}
	fuzzProfiles(f, FormatCSV)
}

func FuzzJSONLines(f *testing.F) {
	for _, seed := range []string{"", "{\"a\":1}\n{\"a\":2.5}\n", "{\"a\":null}\n\n{\"b\":[1,{}],\"a\":\"x\\u00e9\"}", "[1]", "{}", "{\"a\":NaN}", "{\"a\":1,\"a\":2}", "{\"a\" : {\"b\":\"}\"} , \"c\":true }\r\n", "{\n\"a\":1}"} {
		f.Add(seed, uint8(3))
	}
	fuzzProfiles(f, FormatJSONL)
}

// fuzzProfiles profiles every column of what text is as a file in every way: either the
// result adds up, or the error says what to do.
func fuzzProfiles(f *testing.F, format string) {
	f.Fuzz(func(t *testing.T, text string, bins uint8) {
		table, err := parse(text, format, numbers, categories)
		if err != nil {
			checkTeaches(t, err)
			return
		}
		for _, name := range table.Columns() {
			for _, method := range []string{MethodQuantile, MethodEqualWidth, MethodExplicit, MethodCategorical} {
				r, err := table.Profile(name, Binning{Method: method, Bins: int(bins), Edges: []float64{-1, 0, 1}})
				if err != nil {
					checkTeaches(t, err)
					continue
				}
				total, empty := int64(0), 0
				for _, count := range r.Counts {
					total += count
					if count == 0 {
						empty++
					}
				}
				if total != r.Samples || r.Samples+r.Missing != table.Rows() || empty != r.EmptyBins {
					t.Fatalf("values are lost: %+v of %d rows", r, table.Rows())
				}
				if r.Bins() < 2 {
					t.Fatalf("%d bins: %+v", r.Bins(), r)
				}
				if r.Categories == nil && len(r.Edges) != r.Bins()-1 {
					t.Fatalf("%d edges for %d bins", len(r.Edges), r.Bins())
				}
				for i, edge := range r.Edges {
					if math.IsNaN(edge) || math.IsInf(edge, 0) || i > 0 && edge <= r.Edges[i-1] {
						t.Fatalf("edges %v", r.Edges)
					}
				}
				if n := r.Numbers; n != nil {
					for _, v := range []float64{n.Minimum, n.Maximum, n.Mean, n.StdDev} {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Fatalf("%+v", n)
						}
					}
				}
			}
		}
	})
}
