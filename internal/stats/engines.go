package stats

// fillZeroes is what Evidently does to proportions of 0: 0.0001, or a millionth of the
// smallest other where that is at most 0.0001. Nothing is renormalised.
func fillZeroes(p []float64) {
	least := 2.0
	for _, v := range p {
		if v != 0 {
			least = min(least, v)
		}
	}
	fill := 0.0001
	if least <= 0.0001 {
		fill = least / 1e6
	}
	for i, v := range p {
		if v == 0 {
			p[i] = fill
		}
	}
}
