package stats

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRoundingIsDecimal(t *testing.T) {
	for _, c := range []struct {
		x              float64
		digits         int
		near, up, down float64
	}{
		{0.080549, 3, 0.0805, 0.0806, 0.0805},
		{0.9996, 3, 1, 1, 0.999},
		{0.9994, 3, 0.999, 1, 0.999},
		{-0.9996, 3, -1, -0.999, -1},
		{123456, 2, 120000, 130000, 120000},
		{0.1, 3, 0.1, 0.1, 0.1},
		{math.Nextafter(0.1, 1), 3, 0.1, 0.1, 0.1},
		{9.99e-5, 1, 1e-4, 1e-4, 9e-5},
		{1.01e-5, 1, 1e-5, 2e-5, 1e-5},
		{0, 3, 0, 0, 0},
		{math.Inf(1), 3, math.Inf(1), math.Inf(1), math.Inf(1)},
		{math.MaxFloat64, 2, math.MaxFloat64, math.MaxFloat64, 1.7e308},
	} {
		for _, r := range []struct {
			name      string
			got, want float64
		}{
			{"nearest", RoundSignificant(c.x, c.digits), c.near},
			{"up", RoundUpSignificant(c.x, c.digits), c.up},
			{"down", RoundDownSignificant(c.x, c.digits), c.down},
		} {
			if r.got != r.want {
				t.Errorf("%v to %d digits, %s: %v, want %v", c.x, c.digits, r.name, r.got, r.want)
			}
		}
	}
}

func TestRoundedProbabilities(t *testing.T) {
	for _, c := range []struct{ p, want float64 }{
		{0.0123456, 0.0123}, {9.99e-10, 0}, {1e-9, 1e-9}, {1.2, 1}, {-1, 0}, {math.NaN(), 1}, {0.99996, 1},
	} {
		if got := RoundProbability(c.p); got != c.want {
			t.Errorf("RoundProbability(%v) = %v, want %v", c.p, got, c.want)
		}
	}
}

func TestFormattedFloatsAreShortest(t *testing.T) {
	for x, want := range map[float64]string{0.1: "0.1", 1e-8: "1e-08", 120000: "120000", 1e21: "1e+21", -2.5: "-2.5", 0: "0"} {
		if got := FormatFloat(x); got != want {
			t.Errorf("FormatFloat(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestOutwardRoundingEnclosesAndIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-1e12, 1e12).Draw(t, "x")
		digits := rapid.IntRange(1, 9).Draw(t, "digits")
		up, down := RoundUpSignificant(x, digits), RoundDownSignificant(x, digits)
		slack := 1e-11 * math.Abs(x)
		if up < x-slack || down > x+slack {
			t.Fatalf("%v rounds to [%v, %v]", x, down, up)
		}
		if again := RoundUpSignificant(up, digits); again != up {
			t.Fatalf("up of up %v = %v", up, again)
		}
		if n := RoundSignificant(x, digits); n != up && n != down {
			t.Fatalf("nearest %v is neither %v nor %v", n, down, up)
		}
		if m := -RoundDownSignificant(-x, digits); m != up {
			t.Fatalf("down is not the mirror of up: %v, %v", m, up)
		}
	})
}
