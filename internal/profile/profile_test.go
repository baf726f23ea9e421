package profile_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
)

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "train.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func column(values ...string) string { return "score\n" + strings.Join(values, "\n") + "\n" }

var decile = profile.Binning{Method: profile.MethodQuantile, Bins: 10}

func TestAProfileHas(t *testing.T) {
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprint(i + 1)
	}
	for name, c := range map[string]struct {
		text    string
		column  string
		binning profile.Binning
		want    profile.Result
	}{
		"quantile bins with numpy's linear percentiles as inner edges": {
			text: column(hundred...), column: "score", binning: profile.Binning{Method: profile.MethodQuantile, Bins: 4},
			want: profile.Result{
				Method: "quantile", Requested: 4, Counts: []int64{25, 25, 25, 25}, Edges: []float64{25.75, 50.5, 75.25}, Samples: 100,
				Numbers: &profile.Numbers{Minimum: 1, Maximum: 100, Mean: 50.5, StdDev: 29.011491975882016},
			},
		},
		"fewer bins than were asked for where ties make edges coincide": {
			text: column("0", "0", "0", "0", "0", "0", "1", "2", "3", "4"), column: "score", binning: profile.Binning{Method: profile.MethodQuantile, Bins: 5},
			want: profile.Result{
				Method: "quantile", Requested: 5, Counts: []int64{6, 2, 2}, Edges: []float64{0.4, 2.2}, Samples: 10,
				Numbers: &profile.Numbers{Minimum: 0, Maximum: 4, Mean: 1, StdDev: 1.4907119849998598},
			},
		},
		"equal-width bins between the smallest and the largest value, empty ones counted": {
			text: column("0", "1", "2", "10"), column: "score", binning: profile.Binning{Method: profile.MethodEqualWidth, Bins: 5},
			want: profile.Result{
				Method: "equal_width", Requested: 5, Counts: []int64{2, 1, 0, 0, 1}, Edges: []float64{2, 4, 6, 8}, Samples: 4, EmptyBins: 2,
				Numbers: &profile.Numbers{Minimum: 0, Maximum: 10, Mean: 3.25, StdDev: 4.573474244670748},
			},
		},
		"explicit bins, a value on an edge in the bin above it": {
			text: column("0.1", "0.5", "0.9"), column: "score", binning: profile.Binning{Method: profile.MethodExplicit, Edges: []float64{0.5}},
			want: profile.Result{
				Method: "explicit", Requested: 2, Counts: []int64{1, 2}, Edges: []float64{0.5}, Samples: 3,
				Numbers: &profile.Numbers{Minimum: 0.1, Maximum: 0.9, Mean: 0.5, StdDev: 0.4},
			},
		},
		"categories in alphabetical order": {
			text: "id,country\n1,us\n2,de\n3,\n4,us\n", column: "country", binning: profile.Binning{Method: profile.MethodCategorical, Bins: 10},
			want: profile.Result{Method: "categorical", Counts: []int64{1, 2}, Categories: []string{"de", "us"}, Samples: 3, Missing: 1},
		},
		"missing values counted, whichever way they are written": {
			text: "id,score\n1,\n2,NA\n3,nan\n4,NULL\n5, n/a \n6,<NA>\n7,1\n8,2\n", column: "score", binning: profile.Binning{Method: profile.MethodQuantile, Bins: 2},
			want: profile.Result{
				Method: "quantile", Requested: 2, Counts: []int64{1, 1}, Edges: []float64{1.5}, Samples: 2, Missing: 6,
				Numbers: &profile.Numbers{Minimum: 1, Maximum: 2, Mean: 1.5, StdDev: math.Sqrt(0.5)},
			},
		},
		"the same numbers through a byte-order mark, quotes, blanks and Windows line ends": {
			text: "\xef\xbb\xbfscore , \"a, b\"\r\n 1 ,\"x\"\r\n+2e0,y\r\n", column: "score", binning: profile.Binning{Method: profile.MethodQuantile, Bins: 2},
			want: profile.Result{
				Method: "quantile", Requested: 2, Counts: []int64{1, 1}, Edges: []float64{1.5}, Samples: 2,
				Numbers: &profile.Numbers{Minimum: 1, Maximum: 2, Mean: 1.5, StdDev: math.Sqrt(0.5)},
			},
		},
		"blank lines of a one-column file among the missing values, but not those at its end": {
			text: "\n\nscore\n\n1\n\n\n2\n\n\n", column: "score", binning: profile.Binning{Method: profile.MethodQuantile, Bins: 2},
			want: profile.Result{
				Method: "quantile", Requested: 2, Counts: []int64{1, 1}, Edges: []float64{1.5}, Samples: 2, Missing: 3,
				Numbers: &profile.Numbers{Minimum: 1, Maximum: 2, Mean: 1.5, StdDev: math.Sqrt(0.5)},
			},
		},
		"no blank line where a quoted field has a line break": {
			text: "score\n\"1\n\"\n2\n", column: "score", binning: profile.Binning{Method: profile.MethodQuantile, Bins: 2},
			want: profile.Result{
				Method: "quantile", Requested: 2, Counts: []int64{1, 1}, Edges: []float64{1.5}, Samples: 2,
				Numbers: &profile.Numbers{Minimum: 1, Maximum: 2, Mean: 1.5, StdDev: math.Sqrt(0.5)},
			},
		},
		"finite figures for values at the ends of what a float can hold": {
			text: column("-1.7e308", "1.7e308", "0"), column: "score", binning: profile.Binning{Method: profile.MethodEqualWidth, Bins: 2},
			want: profile.Result{
				Method: "equal_width", Requested: 2, Counts: []int64{1, 2}, Edges: []float64{0}, Samples: 3,
				Numbers: &profile.Numbers{Minimum: -1.7e308, Maximum: 1.7e308, Mean: 0, StdDev: 1.7e308},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := profile.Read(write(t, c.text), "", c.binning.Method, c.column)
			if err != nil {
				t.Fatal(err)
			}
			got, err := table.Profile(c.column, c.binning)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Digest, err = table.Digest(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheDigestIsThatOfTheBytes(t *testing.T) {
	for path, want := range map[string]string{
		write(t, "a\n1\n"): "sha256:309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc", // printf 'a\n1\n' | sha256sum
		filepath.Join("testdata", "parquet", "snappy.parquet"): "sha256:e982962f66a93cc46c38d071664a57a35aa76998960fe48c0181366f8f0175a2",
		filepath.Join("testdata", "parquet", "all.jsonl"):      "sha256:0cb78facb10a2488887eb3f75c79a2dd748216328f128dc4752ae1c7490fdb4b",
	} {
		table, err := profile.Read(path, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := table.Digest(); err != nil || got != want {
			t.Errorf("%s: got %s (%v), want %s", path, got, err, want)
		}
	}
}

func TestTheMissionDocumentsBaselineHasEqualDeciles(t *testing.T) {
	table, err := profile.Read(filepath.Join("testdata", "seed42-baseline.csv"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := table.Profile("score", decile)
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{100, 100, 100, 100, 100, 100, 100, 100, 100, 100}
	if diff := cmp.Diff(want, got.Counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnErrorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	many := make([]string, 1500)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		text    string
		column  string
		binning profile.Binning
		part    profile.Part
		want    []string
	}{
		"empty file":             {text: "", part: profile.PartFile, want: []string{"is empty", "header row"}},
		"blank lines only":       {text: "\n\n\n", part: profile.PartFile, want: []string{"nothing but blank lines"}},
		"header only":            {text: "score\n", part: profile.PartFile, want: []string{"has a header and no data"}},
		"NUL bytes":              {text: "score\n1\x002\n", part: profile.PartFile, want: []string{"binary file: byte 7 is NUL"}},
		"not UTF-8":              {text: "score\n1\n\xff\n", part: profile.PartFile, want: []string{"not UTF-8 text (line 3)"}},
		"header not UTF-8":       {text: "sc\xfere\n1\n", part: profile.PartFile, want: []string{"not UTF-8 text (line 1)"}},
		"Parquet":                {text: "PAR1\x00\x00", part: profile.PartFile, want: []string{"a Parquet file"}},
		"gzip":                   {text: "\x1f\x8b\x08\x00", part: profile.PartFile, want: []string{"compressed with gzip"}},
		"UTF-16":                 {text: "\xff\xfes\x00\n\x00", part: profile.PartFile, want: []string{"UTF-16", "Save it as UTF-8."}},
		"ragged row":             {text: "a,b\n1,2\n3\n", part: profile.PartFile, want: []string{"line 3 has not as many fields as the header"}},
		"open quote":             {text: "a\n\"1\n2\n", part: profile.PartFile, want: []string{"line 3", "close every quoted field"}},
		"missing column":         {text: "id,scores\n1,2\n", part: profile.PartColumn, want: []string{`has no column "score"; it has "id", "scores"`, `Use "scores".`}},
		"semicolons":             {text: "id;score\n1;2\n", part: profile.PartColumn, want: []string{"separated by commas"}},
		"no header":              {text: "0.3,0.2\n1,2\n", part: profile.PartColumn, want: []string{"looks like data"}},
		"same column twice":      {text: "score,score\n1,2\n", part: profile.PartColumn, want: []string{`has two columns "score"`}},
		"text in the column":     {text: "score\n1\n\n2\nhigh\n", part: profile.PartColumn, want: []string{`is not numeric: line 5 has "high"`, `method = "categorical"`}},
		"a hexadecimal number":   {text: "score\n0x10\n", part: profile.PartColumn, want: []string{`is not numeric: line 2 has "0x10"`}},
		"an infinite value":      {text: "score\n1\n-Inf\n", part: profile.PartColumn, want: []string{`has an infinite value: line 3 has "-Inf"`}},
		"a number that is vast":  {text: "score\n1\n1e999\n", part: profile.PartColumn, want: []string{`has an infinite value: line 3 has "1e999"`}},
		"only missing values":    {text: "id,score\n1,NA\n2,\n", part: profile.PartColumn, want: []string{"has no values: all 2 are missing"}},
		"a constant column":      {text: "score\n7\n7\n", part: profile.PartColumn, want: []string{"is constant: all 2 values are 7, which makes 1 bin"}},
		"a constant category":    {text: "score\na\na\n", binning: profile.Binning{Method: "categorical", Bins: 10}, part: profile.PartColumn, want: []string{`is constant: all 2 values are "a"`}},
		"ties in all quantiles":  {text: column("0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "1"), part: profile.PartBinning, want: []string{"tie so much that 10 quantile bins collapse to 1"}},
		"too many categories":    {text: column("a", "b", "c"), binning: profile.Binning{Method: "categorical", Bins: 2}, part: profile.PartBinning, want: []string{"has 3 distinct values, and 2 are accepted"}},
		"numbers as categories":  {text: column(many...), binning: profile.Binning{Method: "categorical", Bins: 10}, part: profile.PartBinning, want: []string{"has more than 1000 distinct values", `method = "quantile"`}},
		"edges out of order":     {text: column("1", "2"), binning: profile.Binning{Method: "explicit", Edges: []float64{2, 1}}, part: profile.PartBinning, want: []string{"the edge number 2"}},
		"explicit without edges": {text: column("1", "2"), binning: profile.Binning{Method: "explicit"}, part: profile.PartBinning, want: []string{"needs the edges"}},
		"an unknown method":      {text: column("1", "2"), binning: profile.Binning{Method: "deciles", Bins: 10}, part: profile.PartBinning, want: []string{`no method "deciles"`}},
		"no bins":                {text: column("1", "2"), binning: profile.Binning{Method: "equal_width"}, part: profile.PartBinning, want: []string{"0 bins cannot be made"}},
		"no quantile bins":       {text: column("1", "2"), binning: profile.Binning{Method: "quantile"}, part: profile.PartBinning, want: []string{"bins must be between 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.column == "" {
				c.column = "score"
			}
			if c.binning.Method == "" {
				c.binning = decile
			}
			table, err := profile.Read(write(t, c.text), "", c.binning.Method, c.column)
			if err == nil {
				_, err = table.Profile(c.column, c.binning)
			}
			checkError(t, err, c.part, c.want...)
		})
	}
}

func checkError(t *testing.T, err error, part profile.Part, want ...string) {
	t.Helper()
	var e *profile.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an Error", err)
	}
	if e.Part != part {
		t.Errorf("it is about the %s, want the %s: %v", e.Part, part, e)
	}
	for _, part := range want {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("%q does not contain %q", e.Error(), part)
		}
	}
}

func TestAFileThatIsNotThereIsExplained(t *testing.T) {
	_, err := profile.Read(filepath.Join(t.TempDir(), "train.csv"), "", "")
	checkError(t, err, profile.PartFile, "does not exist", "${path.module}")
	if !errors.Is(err, os.ErrNotExist) {
		t.Error("the cause is lost")
	}
	_, err = profile.Read(t.TempDir(), "", "")
	checkError(t, err, profile.PartFile, "is a directory")
}

func TestAHugeFileIsRefusedBeforeItIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.csv")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(profile.MaximumSize+1), file.Close()); err != nil { // sparse: takes no room
		t.Fatal(err)
	}
	_, err = profile.Read(path, "", "")
	checkError(t, err, profile.PartFile, "at most 2147483648 are read", "random sample")
}

func TestMemoryStaysAboutTheSizeOfTheFile(t *testing.T) {
	var text strings.Builder
	text.WriteString("score,name,group\n")
	for i := range 200_000 {
		fmt.Fprintf(&text, "%.6f,customer-%d,g%d\n", float64(i)/7, i, i%5)
	}
	path := write(t, text.String())
	size := uint64(text.Len())
	text.Reset()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	table, err := profile.Read(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc); grown > size {
		t.Errorf("a file of %d bytes takes %d bytes of memory", size, grown)
	}
	if table.Rows() != 200_000 {
		t.Errorf("got %d rows", table.Rows())
	}
}

func TestTheExtremesOfManyValuesAreThoseOfAll(t *testing.T) {
	var text strings.Builder
	text.WriteString("a\n")
	for i := range 300_000 {
		switch i {
		case 7, 299_999:
			text.WriteString("-0.0\n")
		default:
			fmt.Fprintf(&text, "%d\n", i%1000)
		}
	}
	table, err := profile.Read(write(t, text.String()), "", "", "a")
	if err != nil {
		t.Fatal(err)
	}
	r, err := table.Profile("a", profile.Binning{Method: profile.MethodQuantile, Bins: 4})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Numbers; n.Minimum != 0 || !math.Signbit(n.Minimum) || n.Maximum != 999 {
		t.Errorf("%v to %v, want -0 to 999", n.Minimum, n.Maximum)
	}
}
