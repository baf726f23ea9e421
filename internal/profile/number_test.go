package profile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestNumbersAreReadAsStrconvReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{"0", "-0", "+0.0", "1", "1.", ".5", "-.5e-3", "9007199254740993", "9007199254740992.5", "18446744073709551615", "9999999999999999999", "0.0000000000000000000000000001",
		"1e-27", "1e-28", "9999999999999999999e-27", "1e0", "1e5", "123.456e2", "000000000000000000000001.5", "0.30471707975443135", "4.35", "1e", "e5", ".", "-", "", "1.2.3", "1_0", "0x1p3", "1e99999", "12345678901234567890",
		"2.5e-1,", "1.5\n", "72057594037927945", "0.000000000000000000000000000", "5e-324", "1.00000000000000011102230246251565"}
	for range 200_000 {
		switch random.IntN(4) {
		case 0:
			texts = append(texts, strconv.FormatFloat(random.NormFloat64(), 'f', -1, 64))
		case 1:
			texts = append(texts, strconv.FormatFloat(math.Float64frombits(random.Uint64()), 'g', -1, 64))
		case 2:
			texts = append(texts, fmt.Sprintf("%d.%0*d", random.IntN(1000), 1+random.IntN(15), random.IntN(100000)))
		case 3: // just about halfway between two floats
			texts = append(texts, strconv.FormatUint(uint64(random.IntN(1<<10)+1)<<54+1<<uint(random.IntN(8)), 10)+"e-"+strconv.Itoa(random.IntN(28)))
		}
	}
	read := 0
	for _, text := range texts {
		checkNumber(t, text, &read)
	}
	if read < len(texts)/2 {
		t.Errorf("the fast path read %d of %d numbers", read, len(texts))
	}
}

// checkNumber holds what scanNumber reads against strconv, to the last bit.
func checkNumber(t *testing.T, text string, read *int) {
	t.Helper()
	got, length := scanNumber([]byte(text))
	if length == 0 {
		return
	}
	*read++
	want, err := strconv.ParseFloat(text[:length], 64)
	if err != nil || math.Float64bits(got) != math.Float64bits(want) {
		t.Fatalf("%q: got %v of %q, want %v, %v", text, got, text[:length], want, err)
	}
}

func FuzzNumbersAreReadAsStrconvReadsThem(f *testing.F) {
	for _, seed := range []string{"1.5", "-0", "1e-27", "9999999999999999999", "123,4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkNumber(t, text, new(int)) })
}

func BenchmarkNumber(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([][]byte, 1000)
	for i := range texts {
		texts[i] = strconv.AppendFloat(nil, random.NormFloat64(), 'f', -1, 64)
	}
	b.Run("scanNumber", func(b *testing.B) {
		for i := range b.N {
			if _, n := scanNumber(texts[i%1000]); n == 0 {
				b.Fatal(string(texts[i%1000]))
			}
		}
	})
	b.Run("strconv", func(b *testing.B) {
		for i := range b.N {
			if _, err := strconv.ParseFloat(string(texts[i%1000]), 64); err != nil {
				b.Fatal(err)
			}
		}
	})
}
