//go:build !amd64

package stats

func newVectorCuts([]float64, int) cutCounter { return nil }
