package stats

import (
	"math"
	"sync"
)

// fft is the discrete Fourier transform at a power of two, in an order of frequencies of
// its own: transforms are multiplied element by element and taken back, for which any
// order will do, and none costs a permutation. Radix 4, decimation in frequency forwards
// and in time backwards.
type fft struct {
	points   int
	twiddles []complex128 // stage by stage: exp(-2 pi i j/L), and to the second and third power
}

var ffts struct { // by points: few sizes are ever asked for
	sync.Mutex
	made map[int]*fft
}

func newFFT(points int) *fft {
	ffts.Lock()
	defer ffts.Unlock()
	if f, ok := ffts.made[points]; ok {
		return f
	}
	f := &fft{points: points}
	for size := points; size >= 4; size /= 4 {
		for j := range size / 4 {
			for power := 1; power <= 3; power++ {
				sin, cos := math.Sincos(-2 * math.Pi * float64(power*j) / float64(size))
				f.twiddles = append(f.twiddles, complex(cos, sin))
			}
		}
	}
	if ffts.made == nil {
		ffts.made = map[int]*fft{}
	}
	ffts.made[points] = f
	return f
}

func timesI(z complex128) complex128 { return complex(-imag(z), real(z)) }

// forward transforms x, of f.points elements, in place.
func (f *fft) forward(x []complex128) {
	twiddles := f.twiddles
	size := f.points
	for ; size >= 4; size /= 4 {
		q := size / 4
		stage := twiddles[:3*q]
		twiddles = twiddles[3*q:]
		for block := 0; block < f.points; block += size {
			a := x[block : block+q]
			b, c, d := x[block+q:][:len(a)], x[block+2*q:][:len(a)], x[block+3*q:][:len(a)]
			w := stage
			for j := range a {
				even, odd := a[j]+c[j], a[j]-c[j]
				sum, turned := b[j]+d[j], timesI(d[j]-b[j])
				a[j] = even + sum
				b[j] = (odd + turned) * w[0]
				c[j] = (even - sum) * w[1]
				d[j] = (odd - turned) * w[2]
				w = w[3:]
			}
		}
	}
	if size == 2 {
		for i := 0; i+1 < len(x); i += 2 {
			x[i], x[i+1] = x[i]+x[i+1], x[i]-x[i+1]
		}
	}
}

// backward takes a transform back, times f.points.
func (f *fft) backward(x []complex128) {
	size := 4
	if f.points&0x55555555 == 0 { // an odd power of two
		for i := 0; i+1 < len(x); i += 2 {
			x[i], x[i+1] = x[i]+x[i+1], x[i]-x[i+1]
		}
		size = 8
	}
	twiddles := f.twiddles
	for ; size <= f.points; size *= 4 {
		q := size / 4
		stage := twiddles[len(twiddles)-3*q:]
		twiddles = twiddles[:len(twiddles)-3*q]
		for block := 0; block < f.points; block += size {
			for j := range q {
				a := x[block+j]
				b := x[block+j+q] * conjugate(stage[3*j])
				c := x[block+j+2*q] * conjugate(stage[3*j+1])
				d := x[block+j+3*q] * conjugate(stage[3*j+2])
				even, odd := a+c, a-c
				sum, turned := b+d, timesI(b-d)
				x[block+j] = even + sum
				x[block+j+q] = odd + turned
				x[block+j+2*q] = even - sum
				x[block+j+3*q] = odd - turned
			}
		}
	}
}

func conjugate(z complex128) complex128 { return complex(real(z), -imag(z)) }
