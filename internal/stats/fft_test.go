package stats

import (
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"
)

func TestTransformsMultiplyToConvolutions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for points := 1; points <= 1<<13; points *= 2 {
		a, b := make([]complex128, points), make([]complex128, points)
		for i := range a {
			a[i] = complex(random.NormFloat64(), random.NormFloat64())
			b[i] = complex(random.NormFloat64(), random.NormFloat64())
		}
		want := make([]complex128, points)
		peer := fourier.NewCmplxFFT(points)
		product := peer.Coefficients(nil, a)
		for i, z := range peer.Coefficients(nil, b) {
			product[i] *= z
		}
		peer.Sequence(want, product)
		f := newFFT(points)
		f.forward(a)
		f.forward(b)
		for i := range a {
			a[i] *= b[i]
		}
		f.backward(a)
		for i := range a {
			if absSum(a[i]-want[i]) > 1e-11*float64(points) {
				t.Fatalf("%d points: element %d is %v, want %v", points, i, a[i], want[i])
			}
		}
	}
}
